"""Decide when this peer looks for chunks that nobody names: every few hours by itself, and whenever a client asks.

One pass goes on at a time (`collection`); others wait. How long this peer has run is set down now and then: it is the
only clock that the grace of a chunk is counted by.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..alarm import Alarm
from ..copies.serving import Serving
from ..effects import Collected, Completed, Failed, Operate, RingEffect
from ..events import ChunkRemoved, CollectDue, CollectRequested, MessageReceived, OperationDone, RingEvent, Started
from ..facts import Update
from ..membership.joining import Joining
from ..messages import AskNames, NamesTold
from ..operations import CountLife
from ..outcomes import LifeCounted
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .answering import NamesAnswering
from .collection import Collection, Wish
from .metrics import CollectMetrics
from .naming import Naming
from .settings import CollectSettings

BY_ITSELF = ""
"""What a pass is called that nobody has asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """A client that waits for a pass."""

    request: str
    name: str
    until: Instant


class Collector:
    """Begins passes, and tells clients of them."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        joining: Joining,
        serving: Serving,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: CollectSettings,
    ) -> None:
        self._roster = roster
        self._members = members
        self._joining = joining
        self._serving = serving
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._answering = NamesAnswering(roster=roster, tickets=tickets)
        self._alarm = Alarm(CollectDue())
        self._started: Instant | None = None
        self._counted = Instant(0.0)
        self._counting = 0
        self._looks_at = Instant(0.0)
        """When the next pass by itself is due."""
        self._queue: deque[tuple[str, Wish]] = deque()
        self._current: tuple[str, Wish] | None = None
        self._collection: Collection | None = None
        self._askers: list[_Asker] = []
        self._ended: dict[str, Collected | Failed] = {}
        """What came of the last passes that clients have asked for: their answers may have been lost."""
        self.metrics = CollectMetrics()

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a request, a wake or what came of a step; all else is no business of this part."""
        match event:
            case Started():
                self._started = self._counted = now
                self._looks_at = Instant(now + self._settings.settle_s)
                return self._wake_later(now)
            case CollectRequested():
                return self._asked(now, event)
            case CollectDue() if self._alarm.rings(now):
                return self._woken(now)
            case MessageReceived(sender=sender, message=AskNames() as message):
                return self._answering.asked(sender, message)
            case MessageReceived(sender=sender, message=NamesTold() as message) if self._collection is not None:
                return self._after(now, self._collection.told(now, sender, message))
            case ChunkRemoved() if self._collection is not None:
                return self._after(now, self._collection.removed(event, tuple(self._members)))
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._counting and self._counting:
                self._counting = 0
                return self._lived(now, outcome.lived_s if isinstance(outcome, LifeCounted) else None)
            case OperationDone() if self._collection is not None:
                return [*self._answering.listed(event), *self._after(now, self._collection.done(event))]
            case OperationDone():
                return self._answering.listed(event)
            case _:
                return []

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: it does not.
        """
        if self._collection is not None:
            self._collection.check()

    def _asked(self, now: Instant, event: CollectRequested) -> list[RingEffect]:
        """Have a pass made for a client, or go on with the one that it has asked for before."""
        known = [name for name, _ in self._queue] + ([] if self._current is None else [self._current[0]])
        if (answer := self._ended.get(event.name)) is not None:
            return [Completed(request=event.request, answer=answer)]
        if event.name not in known and len(self._queue) >= self._settings.passes_waiting_max:
            busy = Failed(reason="too many passes for unnamed chunks wait here already: try again later")
            return [Completed(request=event.request, answer=busy)]
        if event.name not in known:
            self._queue.append((event.name, Wish(grace_s=event.grace_s, is_dry=event.is_dry)))
        until = Instant(now + event.patience_s)
        self._askers.append(_Asker(request=event.request, name=event.name, until=until))
        return [*self._begin_next(now), *self._wake_later(now)]

    def _woken(self, now: Instant) -> list[RingEffect]:
        """Set down the time of running, begin what is due, and tell clients how far their passes are."""
        effects: list[RingEffect] = []
        if self._collection is not None:
            effects += self._after(now, self._collection.wake(now))
        if now >= self._looks_at:
            self._looks_at = Instant(now + self._settings.interval_s)
            self._queue.append((BY_ITSELF, Wish(grace_s=self._settings.grace_s)))
        effects += self._begin_next(now)
        if self._current is None and now >= self._counted + self._settings.tick_s:
            effects += self._count(now)
        return [*effects, *self._tell_late(now), *self._wake_later(now)]

    def _wake_later(self, now: Instant) -> list[RingEffect]:
        dues = [
            self._looks_at,
            Instant(self._counted + self._settings.tick_s),
            *(asker.until for asker in self._askers),
        ]
        if self._collection is not None:
            dues.append(self._collection.naming.next_due)
        return self._alarm.set(max(Instant(now + self._settings.patience_s / 2), min(dues)))

    # --- the time of running ---

    def _count(self, now: Instant) -> list[RingEffect]:
        """Add what has passed since it was last set down; a clock that leaps forward counts for little."""
        if self._counting:
            return []
        passed_s = min(max(0.0, now - self._counted), self._settings.leap_s)
        self._counted = now
        self._counting = next(self._tickets)
        return [Operate(ticket=self._counting, operation=CountLife(seconds=passed_s))]

    def _lived(self, now: Instant, lived_s: float | None) -> list[RingEffect]:
        """Begin the pass that has waited to know this peer's age."""
        if self._current is None or self._collection is not None:
            return []
        _, wish = self._current
        if lived_s is None:
            return self._ended_with(now, Failed(reason="the disk of the peer takes no writes: nothing was collected"))
        if obstacle := self._joining.obstacle:  # who knows nobody would take all names for unknown
            return self._ended_with(now, Failed(reason=obstacle))
        uptime_s = now - (now if self._started is None else self._started)
        self._collection = Collection(
            wish=wish,
            lived_s=lived_s,
            may_remove=uptime_s >= min(wish.grace_s, self._settings.settle_s),
            naming=Naming(id=next(self._ids), roster=self._roster, members=self._members, settings=self._settings),
            serving=self._serving,
            tickets=self._tickets,
            settings=self._settings,
        )
        return self._after(now, self._collection.begin(now))

    # --- passes ---

    def _begin_next(self, now: Instant) -> list[RingEffect]:
        if self._current is not None or not self._queue:
            return []
        self._current = self._queue.popleft()
        return self._count(now)

    def _after(self, now: Instant, effects: list[RingEffect]) -> list[RingEffect]:
        """Put a pass away that is over, and begin the next."""
        collection = self._collection
        if collection is None or not collection.is_over:
            return [*effects, *self._wake_later(now)]
        report = collection.report()
        self.metrics.count(report, collection.failure, is_dry=collection.wish.is_dry)
        failed = Failed(reason=collection.failure) if collection.failure else None
        return [*effects, *self._ended_with(now, failed or report)]

    def _ended_with(self, now: Instant, answer: Collected | Failed) -> list[RingEffect]:
        assert self._current is not None
        name, self._current, self._collection = self._current[0], None, None
        if name != BY_ITSELF:
            self._ended[name] = answer
            for old in list(self._ended)[: -self._settings.passes_waiting_max]:
                del self._ended[old]
        waiting = [asker for asker in self._askers if asker.name == name]
        self._askers = [asker for asker in self._askers if asker.name != name]
        told: list[RingEffect] = [Completed(request=asker.request, answer=answer) for asker in waiting]
        return [*told, *self._begin_next(now), *self._wake_later(now)]

    def _tell_late(self, now: Instant) -> list[RingEffect]:
        """Tell clients whose patience is over how far their passes are."""
        late = [asker for asker in self._askers if now >= asker.until]
        self._askers = [asker for asker in self._askers if now < asker.until]
        return [Completed(request=asker.request, answer=self._progress(asker.name)) for asker in late]

    def _progress(self, name: str) -> Collected:
        if self._collection is not None and self._current is not None and self._current[0] == name:
            return self._collection.report()
        return Collected(
            is_over=False,
            removed=0,
            removed_bytes=0,
            waiting=0,
            waiting_bytes=0,
            held=0,
            failed=0,
            named=0,
            named_bytes=0,
            due_in_s=None,
        )
