"""Have members join, leave, be removed and be replaced: what that would move, and how far it is."""

import difflib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, TypeVar

from ..node.wire.replies import MoveForeseen, MoveStarted, Moving, PeersShown, PeerView, RingShown
from ..node.wire.requests import DescribeRing, LeaveRing, ListPeers, PlanJoin, PlanMove, RemovePeer
from ..ring.errors import CallerError, MurmurationError, Unreachable, WorldError
from ..ring.facts import Liveness, Standing
from ..ring.terms import Member
from .connection import Connection
from .progress import Progress

T = TypeVar("T")

LOOK_EVERY_S: Final = 0.2
MOVE_PATIENCE_S: Final = 24 * 3600.0
"""A move takes as long as its keys take; only a peer that has ended without it is not waited for."""
PLAN_PATIENCE_S: Final = 5.0
"""Who does not answer within this time is left out of a plan."""
SUSPICION_PATIENCE_S: Final = 60.0
"""So long at most it takes the others to be sure that a suspect is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePlan:
    """What a change of the members moves: in `vnodes` of the ring, copies of so many keys and chunks, of so many bytes.

    In `zone_violations` vnodes the copies would then lie in fewer zones than now. Who was asked and is `silent` may
    have more to send.
    """

    vnodes: int
    keys: int
    chunks: int
    bytes: int
    zone_violations: int
    silent: tuple[str, ...]


class Moves:
    """Changes who the members are, through any peer of the cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, word: str) -> PeerView:
        """Find a member by its name, or by its id or the beginning of one.

        Raises:
            CallerError: there is none, or more than one, or it is none any more.
        """
        everybody = self._members()
        members = [view for view in everybody if view.standing is not Standing.REMOVED]
        found = _called(word, members)
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(f"{view.member.id[:8]} ({view.liveness.name.lower()})" for view in found)
            raise CallerError(f"{len(found)} members are called {word!r}: name one by its id, of {ids}")
        if _called(word, everybody):
            raise CallerError(f"peer {word} is no member any more: it has left or was removed")
        raise CallerError(f"no member is called {word!r}{_suggestion(word, [view.member.name for view in members])}")

    def plan(self, gone: PeerView, *, by_removal: bool) -> MovePlan:
        """Ask all live peers what each would send if a member went, and add it up; nothing moves."""
        asked = [view for view in self._living() if not (by_removal and view.member.id == gone.member.id)]
        return self._plan(asked, PlanMove(gone=gone.member.id, by_removal=by_removal))

    def plan_join(self, weight: float, zone: str, comer: str = "") -> MovePlan:
        """Ask all live peers what each would send if a peer joined, and add it up; nothing moves.

        Of a peer that does not exist yet nobody knows the id, so the keys of another like it are counted.
        """
        return self._plan(self._living(), PlanJoin(comer=comer or secrets.token_hex(16), weight=weight, zone=zone))

    def under_way(self) -> list[tuple[PeerView, MovePlan]]:
        """List who joins or leaves, each with what that moves in all."""
        movers = [view for view in self._living() if view.standing in (Standing.JOINING, Standing.LEAVING)]
        return [(view, self._plan(self._living(), question_of(view))) for view in movers]

    def leave(self, gone: PeerView, progress: Progress, expected_bytes: int) -> None:
        """Have a live member hand over all that it keeps, and wait until it has left; if it leaves already, only wait.

        Raises:
            CallerError: it is not alive, or nobody could take over what it keeps.
            WorldError: it has ended before it was done.
        """
        name = gone.member.name
        if gone.liveness is not Liveness.ALIVE:
            raise CallerError(f"peer {name} is not alive and cannot leave: take it out by `murmur remove {name}`")
        with Connection((gone.member.url,)) as connection:
            try:
                connection.ask(LeaveRing(peer=gone.member.id), MoveStarted)
            except Unreachable as error:
                raise WorldError(_silent(gone.member)) from error
            self._await_removal(gone, connection, progress, expected_bytes)

    def remove(self, gone: PeerView, progress: Progress, expected_bytes: int, *, force: bool) -> None:
        """Take a dead member out for ever, and wait until the others have brought the number of copies up again.

        A suspect is waited for until it is dead or well. The copies of chunks come a little later, by comparison.

        Raises:
            CallerError: it lives, and `force` is not given.
        """
        name = gone.member.name
        if not force:
            gone = self._decided(gone, progress)
        if gone.liveness is Liveness.ALIVE and not force:
            raise CallerError(f"peer {name} lives: have it leave by `murmur leave {name}`, or use --force")
        urls = [view.member.url for view in self._living() if view.member.id != gone.member.id]
        if not urls:
            raise CallerError(f"peer {name} is the last one alive: nobody could go on without it")
        with Connection(urls) as connection:
            connection.ask(RemovePeer(peer=gone.member.id, force=force), MoveStarted)
        self._await_restoration(gone, urls, progress, expected_bytes)

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
            raise CallerError(f"peer {name} is {heir.standing.name.lower()}: wait until `murmur peers` shows it valid")

    def _plan(self, asked: Iterable[PeerView], question: PlanMove | PlanJoin) -> MovePlan:
        foreseen: list[MoveForeseen] = []
        silent: list[str] = []
        for view in asked:
            with Connection((view.member.url,), patience_s=PLAN_PATIENCE_S) as connection:
                try:
                    foreseen.append(connection.ask(question, MoveForeseen))
                except Unreachable:
                    silent.append(view.member.name)
        return MovePlan(
            vnodes=max((each.vnodes for each in foreseen), default=0),
            keys=sum(each.keys for each in foreseen),
            chunks=sum(each.chunks for each in foreseen),
            bytes=sum(each.bytes for each in foreseen),
            zone_violations=max((each.zone_violations for each in foreseen), default=0),
            silent=tuple(silent),
        )

    def _decided(self, gone: PeerView, progress: Progress) -> PeerView:
        """Wait while a member is only suspected."""
        deadline = time.monotonic() + SUSPICION_PATIENCE_S
        while gone.liveness is Liveness.SUSPECT and time.monotonic() < deadline:
            progress.advance(f"peer {gone.member.name} is suspected, not yet dead; waiting", 0, 1)
            self._connection.pause(LOOK_EVERY_S)
            gone = _of(self._members(), gone)
        return gone

    def _await_removal(self, gone: PeerView, connection: Connection, progress: Progress, expected_bytes: int) -> None:
        name = gone.member.name
        others = [view.member.url for view in self._living() if view.member.id != gone.member.id]
        with Connection(others) as witness:
            for _ in _looks(witness):
                seen = _of(witness.ask(ListPeers(), PeersShown).peers, gone)
                if seen.standing is Standing.REMOVED:
                    progress.advance(f"peer {name} has left", expected_bytes, expected_bytes)
                    return
                is_called_off = seen.standing is Standing.VALID and seen.epoch > gone.epoch + 1
                if is_called_off or seen.liveness in (Liveness.DEAD, Liveness.LEFT):
                    break
                moving = _moving(connection)
                progress.advance(_leaving(name, moving), min(moving.bytes_sent, expected_bytes), expected_bytes)
        raise WorldError(f"peer {name} has stopped before all that it keeps was handed over: it is still a member")

    def _await_restoration(self, gone: PeerView, urls: Sequence[str], progress: Progress, expected_bytes: int) -> None:
        """Wait until all of the others know that a member is gone, and have passed on what that moves."""
        with ExitStack() as stack:
            others = [stack.enter_context(Connection((url,))) for url in urls]
            for _ in _looks(self._connection):
                moving = list(map(_moving, others))
                sent = sum(each.bytes_sent for each in moving if each.is_under_way)
                name = f"peer {gone.member.name} is removed; the others copy what it kept"
                progress.advance(name, min(sent, expected_bytes), expected_bytes)
                if not any(each.is_under_way for each in moving) and all(_knows(other, gone) for other in others):
                    return

    def _members(self) -> Sequence[PeerView]:
        return self._connection.ask(ListPeers(), PeersShown).peers

    def _living(self) -> list[PeerView]:
        return [view for view in self._members() if view.liveness is Liveness.ALIVE]


def question_of(mover: PeerView) -> PlanMove | PlanJoin:
    """Ask what the join or leave of a member, which is under way, moves in all."""
    member = mover.member
    if mover.standing is Standing.LEAVING:
        return PlanMove(gone=member.id, by_removal=False)
    return PlanJoin(comer=member.id, weight=member.weight, zone=member.zone)


def _looks(connection: Connection) -> Iterator[None]:
    """Look again and again, for as long as a move may take."""
    deadline = time.monotonic() + MOVE_PATIENCE_S
    while time.monotonic() < deadline:
        yield
        connection.pause(LOOK_EVERY_S)


def _of(views: Sequence[PeerView], gone: PeerView) -> PeerView:
    return next(view for view in views if view.member.id == gone.member.id)


def _moving(connection: Connection) -> Moving:
    return _unless_gone(lambda: connection.ask(DescribeRing(), RingShown).moving, Moving())


def _knows(connection: Connection, gone: PeerView) -> bool:
    """Tell whether a peer knows of a removal; one that has died meanwhile need not."""

    def knows() -> bool:
        return _of(connection.ask(ListPeers(), PeersShown).peers, gone).standing is Standing.REMOVED

    return _unless_gone(knows, default=True)


def _unless_gone(ask: Callable[[], T], default: T) -> T:
    try:
        return ask()
    except MurmurationError:
        return default


def _leaving(name: str, moving: Moving) -> str:
    if moving.votes_owed:
        return f"peer {name} leaves once the {moving.votes_owed} jobs that count on its vote have ended"
    return f"peer {name} hands over what it keeps"


def _silent(member: Member) -> str:
    name = member.name
    return (
        f"peer {name} does not answer at {member.url}, so it cannot leave: if it is dead, take it out by "
        f"`murmur remove {name}`"
    )


def _called(word: str, views: Sequence[PeerView]) -> list[PeerView]:
    named = [view for view in views if view.member.name == word]
    return named or [view for view in views if len(word) >= 4 and view.member.id.startswith(word)]


def _suggestion(word: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, names, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are {', '.join(sorted(names))}"
