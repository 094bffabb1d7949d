"""Take this peer through its life as a member: joining, valid, leaving, removed; and remove members that are gone.

    start on an empty disk, with seeds     JOINING: the homes pass on what it is to keep, and send it every write
    all homes but a dead minority have     VALID: it owns keys
    passed it on
    asked to leave                         LEAVING: it serves on, and all pass on what others are to keep for it
    all live homes have passed it on, and  REMOVED: it owns nothing and may end
    the jobs that count on its vote ended
    removed by others                      REMOVED at once, for ever: the survivors restore the number of copies

Who moves asks each live home by `ServiceAsked` until it has answered `ServiceDone`, so neither a lost message nor a
restart of either side can stall it. A start while JOINING begins anew at the next epoch, for it may have missed writes
meanwhile; only what is missing is sent again. A start while LEAVING calls the leave off: who is started means to stay.
A peer that was killed while its standing changed starts with the one that the others know (`homecoming`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..alarm import Alarm
from ..effects import Completed, Failed, MoveBegun, Parted, RingEffect, Send
from ..events import LeaveRequested, MessageReceived, RemoveRequested, RequestDue, VotesOwed
from ..facts import Print, Standing, Update
from ..messages import ServiceAsked, ServiceDone
from ..placement.roster import Roster
from ..terms import Incarnation, Instant, PeerId
from ..transfer.farewell import Farewell
from ..transfer.transfer import Transfer
from .beliefs import subject
from .swim import Membership

_GROWTH = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Set how often a peer that joins or leaves asks the homes whether they are done; in seconds."""

    ask_s: float = 0.1
    """The first pause: an empty cluster lets a peer in within one round."""

    ask_max_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause is not positive, or the longest is shorter than the first.
        """
        if not 0 < self.ask_s <= self.ask_max_s:
            raise ValueError(f"registry settings must be positive, the longest pause last: {self}")


class Registry:
    """Knows who has passed on what this peer's move moves, and changes its standing when all have."""

    def __init__(
        self,
        *,
        membership: Membership,
        roster: Roster,
        transfer: Transfer,
        farewell: Farewell,
        replicas: int,
        ids: Iterator[str],
        settings: RegistrySettings,
    ) -> None:
        self._me = roster.me
        self._membership = membership
        self._roster = roster
        self._transfer = transfer
        self._farewell = farewell
        self._spared = (replicas - 1) // 2
        """How many homes may be out of reach when this peer becomes one."""
        self._settings = settings
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._pause_s = settings.ask_s
        self._done: set[PeerId] = set()
        """Homes that have passed on all that this move moves."""
        self._course = roster.course
        """The homes that were to be expected when the members last changed."""
        self._began: tuple[Incarnation, int] = (0, 0)
        """As which incarnation, and at which epoch, this move began."""
        self._votes_owed = 0
        """Jobs that have not ended and count on this peer's vote."""
        self._is_through_by_itself = False
        self._is_chunk_walk_due = False
        self._has_parted = False

    def start(self, now: Instant, noted: Update | None, *, is_alone: bool) -> list[RingEffect]:
        """Take up the standing of before this start; who has none joins the others, unless it `is_alone`."""
        if noted is None:
            return [] if is_alone else self._declare(now, Standing.JOINING, 1)
        match noted.standing:
            case Standing.JOINING:
                return self._declare(now, Standing.JOINING, noted.epoch + 1)
            case Standing.LEAVING:
                return self._declare(now, Standing.VALID, noted.epoch + 1)
            case standing:
                return self._declare(now, standing, noted.epoch)

    def handle(
        self, now: Instant, event: MessageReceived | LeaveRequested | RemoveRequested | RequestDue | VotesOwed
    ) -> list[RingEffect]:
        """Take an order, an answer of a home, or the time to ask again; all else is no business of this part."""
        match event:
            case MessageReceived(sender=sender, message=ServiceDone(epoch=epoch, homes=homes)):
                return self._served(now, sender, epoch, homes)
            case MessageReceived(sender=sender, message=ServiceAsked(epoch=epoch, homes=homes)):
                is_done = homes == self._roster.homes_print and self._transfer.has_served(sender, epoch)
                return [Send(to=sender, message=ServiceDone(epoch=epoch, homes=homes))] if is_done else []
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._ask(now)
            case VotesOwed(jobs=jobs):
                self._votes_owed = jobs
                return self._hurry(now) if self._own.standing is Standing.LEAVING else []
            case LeaveRequested(request=request):
                return _answered(request, self._refusal(), self._leave(now))
            case RemoveRequested(request=request, peer=peer):
                held = self._membership.members.get(peer)
                refusal = "no such member" if held is None else ""
                removal = [] if held is None else self._membership.declare(now, peer, Standing.REMOVED, held.epoch + 1)
                return _answered(request, refusal, removal)
            case _:
                return []

    @property
    def votes_owed(self) -> int:
        """For how many jobs a leave waits, or would wait now."""
        return self._votes_owed

    @property
    def settled_members(self) -> int:
        """Count this peer, and the others that do not join only now as well: such know no more than this one.

        The first of those who make a new cluster together is through before the others, and then knows them all.
        """
        is_settled = self._membership.own.standing is Standing.VALID
        others = [held for peer, held in self._membership.members.items() if peer != self._me]
        return 1 + sum(is_settled or held.standing is not Standing.JOINING for held in others)

    def member_changed(self, now: Instant, update: Update) -> list[RingEffect]:
        """Ask on when the members have changed, and end when this peer is none any more."""
        own = self._membership.own
        if own.standing is Standing.REMOVED:
            return self._part() if subject(update) == self._me else []
        if own.standing is Standing.VALID or not self._has_homes():
            return []
        incarnation, epoch = self._began
        if own.standing is Standing.JOINING and incarnation != own.incarnation:  # it was suspected, and missed writes
            return self._declare(now, Standing.JOINING, own.epoch + 1)
        if epoch != own.epoch:
            return self._declare(now, own.standing, own.epoch)
        if self._roster.homes not in self._course:  # as after a removal: what was served is not what is to be kept now
            self._done.clear()
        self._course = self._roster.course
        return self._hurry(now)

    # --- the move ---

    @property
    def _own(self) -> Update:
        return self._membership.own

    def _declare(self, now: Instant, standing: Standing, epoch: int) -> list[RingEffect]:
        self._done, self._course = set(), self._roster.course
        self._began = (self._own.incarnation, epoch)
        effects = self._membership.declare(now, self._me, standing, epoch)
        if standing not in (Standing.JOINING, Standing.LEAVING):
            return effects
        return [*effects, *self._hurry(now)]

    def _refusal(self) -> str:
        if self._own.standing is Standing.JOINING:
            return "this peer is still joining: it keeps nothing yet, so stop it and remove it"
        others = [home for home in self._roster.target_homes if home.id != self._me]
        if not any(self._roster.alive(home.id) for home in others):
            return "this is the last live peer: nobody can take over what it keeps"
        return ""

    def _leave(self, now: Instant) -> list[RingEffect]:
        if self._refusal() or self._own.standing is not Standing.VALID:
            return []
        self._is_chunk_walk_due = True
        return self._declare(now, Standing.LEAVING, self._own.epoch + 1)

    def _has_homes(self) -> bool:
        return any(home.id != self._me for home in self._roster.homes)

    def _hurry(self, now: Instant) -> list[RingEffect]:
        self._pause_s = self._settings.ask_s
        return self._alarm.set(Instant(now + self._pause_s / 10))

    def _waits_for(self) -> list[PeerId]:
        homes = sorted(home.id for home in self._roster.homes if self._roster.alive(home.id))
        return [peer for peer in homes if peer != self._me and peer not in self._done]

    def _ask(self, now: Instant) -> list[RingEffect]:
        if self._own.standing not in (Standing.JOINING, Standing.LEAVING):
            return []
        if self._is_chunk_walk_due:  # not before the placement has taken in that this peer leaves
            self._is_chunk_walk_due = False
            return [*self._farewell.begin(), *self._hurry(now)]
        if self._is_through():
            return self._end_move(now)
        ask = ServiceAsked(epoch=self._own.epoch, homes=self._roster.homes_print)
        asked = [Send(to=peer, message=ask) for peer in self._waits_for()]
        wake = self._alarm.set(Instant(now + self._pause_s))
        self._pause_s = min(self._settings.ask_max_s, self._pause_s * _GROWTH)
        return [*asked, *wake]

    def _served(self, now: Instant, sender: PeerId, epoch: int, homes: Print) -> list[RingEffect]:
        is_of_now = epoch == self._own.epoch and homes == self._roster.homes_print
        if not is_of_now or self._own.standing not in (Standing.JOINING, Standing.LEAVING):
            return []
        self._done.add(sender)
        return self._end_move(now) if self._is_through() else []

    def _is_through(self) -> bool:
        """Tell whether all live homes are done, this one too if it leaves; somebody must have taken it in or over.

        Homes out of reach do not hold up who joins as long as they are a minority of any key's: so whatever was
        acknowledged by a majority is known here. A cut with its smaller part takes nobody in.
        """
        if self._waits_for() or not self._done or self._is_chunk_walk_due:
            return False
        if self._own.standing is Standing.LEAVING and self._votes_owed:
            return False
        own, stays = self._own, any(home.id == self._me for home in self._roster.target_homes)
        if own.standing is Standing.JOINING:
            lacking = [home for home in self._roster.homes if home.id != self._me and home.id not in self._done]
            return len(lacking) <= self._spared
        return not stays and self._transfer.has_served(self._me, own.epoch) and self._farewell.is_over

    def _end_move(self, now: Instant) -> list[RingEffect]:
        ends_as = Standing.VALID if self._own.standing is Standing.JOINING else Standing.REMOVED
        self._is_through_by_itself = ends_as is Standing.REMOVED
        return self._membership.declare(now, self._me, ends_as, self._own.epoch)

    def _part(self) -> list[RingEffect]:
        if self._has_parted:
            return []
        self._has_parted = True
        return [Parted(by_others=not self._is_through_by_itself)]


def _answered(request: str, refusal: str, effects: list[RingEffect]) -> list[RingEffect]:
    if not request:
        return effects
    answer = Failed(reason=refusal) if refusal else MoveBegun()
    return [Completed(request=request, answer=answer), *effects]
