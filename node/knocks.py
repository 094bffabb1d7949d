"""Find out how a peer is that answers no probe: whether its machine takes connections for it, refuses, or is silent.

Whoever stops a process leaves its sockets to the kernel, which goes on taking connections; a process that has ended has
none, and its machine refuses; a machine that is gone, or behind a cut, says nothing. So three kinds of silence can be
told apart from afar, and no more: a frozen process and one that hangs look alike. Nothing is decided by it.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from ..ring.errors import InvariantBroken
from ..ring.facts import Liveness, Standing, Update
from ..ring.terms import Instant, PeerId
from ..scheduling.status import Condition, JobStatus
from .effects import Knock, Wake
from .events import KnockDue, Knocked

KNOCK_INTERVAL_S = 5.0
"""How often to look again at a peer that stays silent: one may be killed after it was stopped."""

SILENT = (Liveness.SUSPECT, Liveness.DEAD)


class Knocks:
    """What is known of the silent members."""

    def __init__(self) -> None:
        self._found: dict[PeerId, Condition] = {}
        """The members that are knocked at; those that are well have not answered a knock yet."""

    def seen(self, update: Update) -> list[Knock]:
        """Take in a belief about a member, and begin to knock if it has fallen silent."""
        peer = PeerId(update.member.id)
        if not _is_silent(update):
            self._found.pop(peer, None)
        elif peer not in self._found:
            self._found[peer] = Condition.WELL
            return [Knock(peer=peer, url=update.member.url)]
        return []

    def due(self, event: KnockDue, members: Mapping[PeerId, Update]) -> list[Knock]:
        """Knock once more."""
        if event.peer not in self._found:
            return []
        return [Knock(peer=event.peer, url=members[event.peer].member.url)]

    def knocked(self, now: Instant, event: Knocked) -> list[Wake]:
        """Take in what came of a knock, and plan the next."""
        if event.peer not in self._found:
            return []
        self._found[event.peer] = event.condition
        return [Wake(at=Instant(now + KNOCK_INTERVAL_S), event=KnockDue(peer=event.peer))]

    def check(self, members: Mapping[PeerId, Update]) -> None:
        """Assert that no member which answers is taken for one that does not.

        Raises:
            InvariantBroken: one is.
        """
        wrong = [peer for peer in self._found if peer in members and not _is_silent(members[peer])]
        if wrong:
            raise InvariantBroken(f"knocks at members that answer: {wrong} in {dict(members)}")

    def condition(self, update: Update, members: Mapping[PeerId, Update]) -> Condition:
        """Tell how a silent member is; well is one that is not silent, or of which nothing is known."""
        found = self._found.get(PeerId(update.member.id), Condition.WELL)
        return Condition.WELL if found is Condition.FROZEN and _is_replaced(update, members) else found

    def shown_in(self, status: JobStatus, members: Mapping[PeerId, Update]) -> JobStatus:
        """Add to a job's status how its silent peers are."""
        silent = {
            members[peer].member.name: self.condition(members[peer], members) for peer in self._found if peer in members
        }
        lanes = tuple(
            replace(lane, condition=silent[lane.peer]) if lane.liveness in SILENT and lane.peer in silent else lane
            for lane in status.lanes
        )
        return replace(status, lanes=lanes)


def _is_silent(update: Update) -> bool:
    return update.liveness in SILENT and update.standing is not Standing.REMOVED


def _is_replaced(update: Update, members: Mapping[PeerId, Update]) -> bool:
    """Tell whether another living peer has the address by now: then it is that one which takes connections."""
    url, alive = update.member.url, Liveness.ALIVE
    return any(other.member.url == url and other.liveness is alive for other in members.values() if other is not update)
