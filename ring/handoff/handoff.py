"""Bring hinted writes home once their primary is back (DeCandia 2007, section 4.6).

    target alive again, or a scan every 10 s:   ListHints ──> StoreVersions or StoreChunk ──> target
                                                DropHint  <── only its acknowledgement of a durable copy

The receiver merges, so a late hint never undoes newer data, and one delivered twice does no harm. Few targets at a
time, few hints in flight for each unless it answers soon (`credit`), and a rest between two deliveries to one target: a
flapping peer causes no storm.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from random import Random

from ..alarm import Alarm
from ..effects import Operate, RingEffect
from ..errors import InvariantBroken
from ..events import HandoffDue, OperationDone, RingEvent, Started
from ..facts import Liveness, Standing, Update
from ..operations import DropHints
from ..outcomes import HintsDropped
from ..placement.roster import Roster
from ..requests.quorum import QuorumSettings
from ..terms import Instant, Member, PeerId
from .delivery import HintDelivery
from .settings import HandoffSettings

_DROPPED_AT_ONCE = 256


class Handoff:
    """Decides to whom hints are delivered when."""

    def __init__(
        self,
        *,
        me: Member,
        roster: Roster,
        replicas: int,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: HandoffSettings,
        quorum: QuorumSettings,
        rng: Random,
    ) -> None:
        self._me = me
        self._roster = roster
        self._replicas = replicas
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._quorum = quorum
        self._rng = rng
        self._alarm = Alarm(HandoffDue())
        self._queue: deque[PeerId] = deque()
        self._running: dict[PeerId, HintDelivery] = {}
        self._begun_at: dict[PeerId, Instant] = {}
        self._away_since: dict[PeerId, Instant] = {}
        self._dropping: dict[int, PeerId] = {}

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take the time for a scan, or an event of a delivery under way; all else is not this part's."""
        match event:
            case Started():
                return self._alarm.set(self._next_scan(now))
            case HandoffDue() if self._alarm.rings(now):
                effects = [*self._drop_old(now), *self._enqueue(now, self._targets())]
                return [*effects, *self._alarm.set(self._next_scan(now))]
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._dropping:
                target = self._dropping.pop(ticket)
                has_more = isinstance(outcome, HintsDropped) and outcome.more
                return [self._drop(target)] if has_more and not self._roster.alive(target) else []
            case _:
                effects = [step for delivery in self._running.values() for step in delivery.handle(now, event)]
                return [*effects, *self._begin_due(now)]

    def member_changed(self, now: Instant, update: Update) -> list[RingEffect]:
        """Deliver to a peer that is back, or in place of one that was removed; stop where the target is gone again."""
        for delivery in self._running.values():
            delivery.members_changed()
        is_due = update.liveness is Liveness.ALIVE or update.standing is Standing.REMOVED
        return self._enqueue(now, [PeerId(update.member.id)] if is_due else [])

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: more targets than allowed are delivered to, or one is queued twice.
        """
        if len(self._running) > self._settings.targets_max or len(set(self._queue)) < len(self._queue):
            raise InvariantBroken(f"too many deliveries of hints: to {list(self._running)}, then {list(self._queue)}")

    def _targets(self) -> tuple[PeerId, ...]:
        return (*self._roster.alive_peers, *self._roster.removed_peers)

    def _next_scan(self, now: Instant) -> Instant:
        jitter = self._rng.uniform(-self._settings.scan_jitter, self._settings.scan_jitter)
        return Instant(now + self._settings.scan_interval_s * (1 + jitter))

    def _drop_old(self, now: Instant) -> list[RingEffect]:
        """Drop the hints for peers that have been away too long; a restart of this process begins to count anew."""
        away = [home.id for home in self._roster.homes if not self._roster.alive(home.id)]
        self._away_since = {peer: self._away_since.get(peer, now) for peer in away}
        old = (peer for peer, since in self._away_since.items() if now - since >= self._settings.hint_max_age_s)
        return [self._drop(peer) for peer in sorted(old) if peer not in self._dropping.values()]

    def _drop(self, target: PeerId) -> Operate:
        ticket = next(self._tickets)
        self._dropping[ticket] = target
        return Operate(ticket=ticket, operation=DropHints(target=target, limit=_DROPPED_AT_ONCE))

    def _enqueue(self, now: Instant, targets: Iterable[PeerId]) -> list[RingEffect]:
        for target in targets:
            rested = now - self._begun_at.get(target, -self._settings.rest_s) >= self._settings.rest_s
            if target != self._roster.me and target not in self._queue and target not in self._running and rested:
                self._queue.append(target)
        return self._begin_due(now)

    def _begin_due(self, now: Instant) -> list[RingEffect]:
        """Put finished deliveries away and begin as many as there is room for."""
        self._running = {target: delivery for target, delivery in self._running.items() if not delivery.is_over}
        effects: list[RingEffect] = []
        while self._queue and len(self._running) < self._settings.targets_max:
            target = self._queue.popleft()
            self._begun_at[target] = now
            self._running[target] = delivery = self._delivery(target)
            effects += delivery.begin()
        return effects

    def _delivery(self, target: PeerId) -> HintDelivery:
        return HintDelivery(
            target=target,
            me=self._me,
            roster=self._roster,
            replicas=self._replicas,
            tickets=self._tickets,
            ids=self._ids,
            settings=self._settings,
            quorum=self._quorum,
        )
