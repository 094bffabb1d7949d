"""Have members leave, remove them and replace them: what that would move, and how far it is."""

import difflib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..node.wire.requests import (
    DescribeRing,
    LeaveRing,
    ListPeers,
    MoveForeseen,
    MoveStarted,
    PeersShown,
    PeerView,
    PlanMove,
    RemovePeer,
    RingShown,
)
from ..ring.errors import CallerError, Unreachable, WorldError
from ..ring.facts import Liveness, Standing
from .connection import Connection
from .progress import Progress

LOOK_EVERY_S: Final = 0.2
LEAVE_PATIENCE_S: Final = 24 * 3600.0
"""A leave takes as long as its keys take; only a peer that has ended without it is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePlan:
    """What a change of the members moves: in `vnodes` of the ring, so many copies of keys, of so many bytes.

    In `zone_violations` vnodes the copies would then lie in fewer zones than now.
    """

    vnodes: int
    keys: int
    bytes: int
    zone_violations: int


class Moves:
    """Changes who the members are, through any peer of the cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, word: str) -> PeerView:
        """Find a member by its name, or by its id or the beginning of one.

        Raises:
            CallerError: there is none, or more than one.
        """
        members = [view for view in self._members() if view.standing is not Standing.REMOVED]
        found = [view for view in members if view.member.name == word]
        found = found or [view for view in members if len(word) >= 4 and view.member.id.startswith(word)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(view.member.id[:8] for view in found)
            raise CallerError(f"{len(found)} members are called {word!r}: name one by its id, of {ids}")
        raise CallerError(f"no member is called {word!r}{_suggestion(word, [view.member.name for view in members])}")

    def plan(self, gone: PeerView, *, by_removal: bool) -> MovePlan:
        """Ask all live peers what each would send, and add it up; nothing moves."""
        question = PlanMove(gone=gone.member.id, by_removal=by_removal)
        foreseen: list[MoveForeseen] = []
        for view in self._living():
            if not (by_removal and view.member.id == gone.member.id):
                with Connection((view.member.url,)) as connection:
                    foreseen.append(connection.ask(question, MoveForeseen))
        return MovePlan(
            vnodes=max((each.vnodes for each in foreseen), default=0),
            keys=sum(each.keys for each in foreseen),
            bytes=sum(each.bytes for each in foreseen),
            zone_violations=max((each.zone_violations for each in foreseen), default=0),
        )

    def leave(self, gone: PeerView, progress: Progress, expected_bytes: int) -> None:
        """Have a live member hand over all that it keeps, and wait until it has left.

        Raises:
            CallerError: it is not alive, or nobody could take over what it keeps.
            WorldError: it has ended before it was done.
        """
        name = gone.member.name
        if gone.liveness is not Liveness.ALIVE:
            raise CallerError(f"peer {name} is not alive and cannot leave: take it out by `murmur remove {name}`")
        with Connection((gone.member.url,)) as connection:
            connection.ask(LeaveRing(peer=gone.member.id), MoveStarted)
            self._await_removal(gone, connection, progress, expected_bytes)

    def remove(self, gone: PeerView, *, force: bool) -> None:
        """Take a dead member out for ever; the others bring the number of copies up again.

        Raises:
            CallerError: it lives, and `force` is not given.
        """
        if gone.liveness is Liveness.ALIVE and not force:
            name = gone.member.name
            raise CallerError(f"peer {name} lives: have it leave by `murmur leave {name}`, or use --force")
        urls = [view.member.url for view in self._living() if view.member.id != gone.member.id]
        if not urls:
            raise CallerError(f"peer {gone.member.name} is the last one alive: nobody could go on without it")
        with Connection(urls) as connection:
            connection.ask(RemovePeer(peer=gone.member.id, force=force), MoveStarted)

    def check_heir(self, heir: PeerView, gone: PeerView) -> None:
        """Refuse a member that cannot stand in for another.

        Raises:
            CallerError: it is the same one, is not alive, or has not joined yet.
        """
        name = heir.member.name
        if heir.member.id == gone.member.id:
            raise CallerError(f"peer {name} cannot replace itself")
        if heir.liveness is not Liveness.ALIVE:
            raise CallerError(f"peer {name} is not alive: start it first, then let it replace {gone.member.name}")
        if heir.standing is not Standing.VALID:
            raise CallerError(f"peer {name} is {heir.standing.name.lower()}: wait until `murmur peers` shows it alive")

    def _await_removal(self, gone: PeerView, connection: Connection, progress: Progress, expected_bytes: int) -> None:
        name = gone.member.name
        others = [view.member.url for view in self._living() if view.member.id != gone.member.id]
        deadline = time.monotonic() + LEAVE_PATIENCE_S
        with Connection(others) as witness:
            while time.monotonic() < deadline:
                seen = {view.member.id: view for view in witness.ask(ListPeers(), PeersShown).peers}[gone.member.id]
                if seen.standing is Standing.REMOVED:
                    progress.advance(name, expected_bytes, expected_bytes)
                    return
                is_called_off = seen.standing is Standing.VALID and seen.epoch > gone.epoch + 1
                if is_called_off or seen.liveness in (Liveness.DEAD, Liveness.LEFT):
                    break
                sent = _bytes_sent(connection)
                progress.advance(name, min(sent, expected_bytes), max(expected_bytes, 1))
                witness.pause(LOOK_EVERY_S)
        raise WorldError(f"peer {name} has stopped before all that it keeps was handed over: it is still a member")

    def _members(self) -> Sequence[PeerView]:
        return self._connection.ask(ListPeers(), PeersShown).peers

    def _living(self) -> list[PeerView]:
        return [view for view in self._members() if view.liveness is Liveness.ALIVE]


def _bytes_sent(connection: Connection) -> int:
    try:
        return connection.ask(DescribeRing(), RingShown).moving.bytes_sent
    except Unreachable:
        return 0  # it has ended meanwhile: the others tell why


def _suggestion(word: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, names, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(sorted(names))}"
