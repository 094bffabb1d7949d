"""Keep the member table on disk, so that a peer that starts again knows whose cluster it belongs to.

    start               ListMembers ──> who has joined before, as not heard of since
    a member changed    NoteMember, if it joined, moved, started anew or left; never for mere liveness

This peer's own row is among them, for its standing outlives it.

Without it a peer that comes back alone would take itself for the whole cluster: it would acknowledge writes that no
home of their keys ever sees.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from ..alarm import Alarm
from ..effects import Operate, RingEffect
from ..events import OperationDone, RequestDue
from ..facts import Liveness, Update
from ..operations import ForgetMember, ListMembers, NoteMember
from ..outcomes import MembersListed, StoreFailed, StoreOutcome
from ..terms import Instant, PeerId, start_of
from .beliefs import seniority

RETRY_S = 1.0
"""Pause before a disk that has failed is asked again."""


class MemberRows:
    """What of the member table is on disk, or on its way there."""

    def __init__(self, *, me: PeerId, tickets: Iterator[int], ids: Iterator[str]) -> None:
        self._me = me
        self._tickets = tickets
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._noted: dict[PeerId, Update] = {}
        self._reading: int | None = None
        self._writing: dict[int, PeerId] = {}
        self.own: Update | None = None
        """What this peer's own row said at the start."""
        self.is_read = False
        """Whether the table of before this start is known."""

    def read(self) -> list[RingEffect]:
        """Ask for the table of before this start."""
        self._reading = next(self._tickets)
        return [Operate(ticket=self._reading, operation=ListMembers())]

    def take_table(self, event: OperationDone) -> tuple[Update, ...] | None:
        """Give the table of before this start, without this peer, if it has just been read."""
        if event.ticket != self._reading or not isinstance(event.outcome, MembersListed):
            return None
        self._reading, self.is_read = None, True
        self._noted = {PeerId(each.member.id): each for each in event.outcome.members}
        self.own = self._noted.get(self._me)
        return tuple(noted for peer, noted in self._noted.items() if peer != self._me)

    def handle(
        self, now: Instant, event: OperationDone | RequestDue, members: Mapping[PeerId, Update]
    ) -> list[RingEffect]:
        """Take what came of a read or a write, or the time to try again; all else is no business of this part."""
        match event:
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._writing:
                return self._written(now, self._writing.pop(ticket), outcome)
            case OperationDone(ticket=ticket) if ticket == self._reading:
                return self._alarm.set(Instant(now + RETRY_S))
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._catch_up(members) if self.is_read else self.read()
            case _:
                return []

    def member_changed(self, update: Update, members: Mapping[PeerId, Update]) -> list[RingEffect]:
        """Set down what is new about a member, and drop whom the table has forgotten to make room."""
        if not self.is_read:
            return []
        evicted = [peer for peer in self._noted if peer not in members] if len(self._noted) >= len(members) else []
        return [*self._note(update), *map(self._forget, evicted)]

    def _catch_up(self, members: Mapping[PeerId, Update]) -> list[RingEffect]:
        return [effect for held in members.values() for effect in self._note(held)]

    def _note(self, update: Update) -> list[RingEffect]:
        peer, lasting = PeerId(update.member.id), _lasting(update)
        noted = self._noted.get(peer)
        if not _is_news(noted, lasting):
            return []
        if peer == self._me and noted is not None and seniority(noted) == seniority(lasting):
            return []  # what else its own row says, it knows better
        self._noted[peer] = lasting
        return [self._write(peer, NoteMember(update=lasting))]

    def _forget(self, peer: PeerId) -> RingEffect:
        del self._noted[peer]
        return self._write(peer, ForgetMember(peer=peer))

    def _write(self, peer: PeerId, operation: NoteMember | ForgetMember) -> RingEffect:
        ticket = next(self._tickets)
        self._writing[ticket] = peer
        return Operate(ticket=ticket, operation=operation)

    def _written(self, now: Instant, peer: PeerId, outcome: StoreOutcome) -> list[RingEffect]:
        if not isinstance(outcome, StoreFailed):
            return []
        self._noted.pop(peer, None)
        return self._alarm.set(Instant(now + RETRY_S))


def _lasting(held: Update) -> Update:
    """Take from a belief what outlives a restart: that a member has joined or left, and as whom."""
    is_gone = held.liveness is Liveness.LEFT
    return replace(held, liveness=Liveness.LEFT if is_gone else Liveness.ALIVE, accuser="")


def _is_news(noted: Update | None, held: Update) -> bool:
    """Tell whether a belief says more than its row: refutations do not count, for only the start number lasts."""
    if noted is None or seniority(held) > seniority(noted):
        return True
    if held.incarnation < noted.incarnation:
        return False
    same_start = start_of(held.incarnation) == start_of(noted.incarnation)
    return not same_start or held.member != noted.member or held.liveness is not noted.liveness
