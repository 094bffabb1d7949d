"""Deliver the hints that are kept for one target, a page at a time, and drop each only when it is acknowledged."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..alarm import Alarm
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent
from ..messages import ChunkStored, StoreChunk, StoreVersions, VersionsStored
from ..operations import DropHint, ListHints
from ..outcomes import Hint, HintsListed, Noted, StoreOutcome
from ..placement.roster import Roster
from ..requests.chunks import chunk_key
from ..requests.quorum import QuorumSettings
from ..terms import Instant, Member, PeerId, Source
from .credit import Credit
from .settings import HandoffSettings


@dataclass(slots=True)
class _Flight:
    """One hint on its way, and who has yet to acknowledge it."""

    hint: Hint
    awaited: set[PeerId]
    begun: Instant
    due: Instant


class HintDelivery:
    """Carries hints to one target until there are no more, or somebody falls silent; then `is_over`.

    A hint is bound to its target as long as that is a member. Once it has left, its hints go to the primaries that
    their keys have now, and all of these must acknowledge.
    """

    def __init__(
        self,
        *,
        target: PeerId,
        me: Member,
        roster: Roster,
        replicas: int,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: HandoffSettings,
        quorum: QuorumSettings,
    ) -> None:
        self.target = target
        self.id = next(ids)
        self.is_over = False
        self._me = me
        self._roster = roster
        self._replicas = replicas
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._quorum = quorum
        self._alarm = Alarm(RequestDue(request=self.id))
        self._listing: int | None = None
        self._page = settings.page
        self._queue: deque[Hint] = deque()
        self._flights: dict[str, _Flight] = {}
        self._credit = Credit(settings)
        self._dropping: set[int] = set()
        self._is_page_full = False
        self._is_stuck = False

    def begin(self) -> list[RingEffect]:
        """Ask the store for the next page of hints."""
        self._listing, self._page = next(self._tickets), self._credit.page
        return [Operate(ticket=self._listing, operation=ListHints(target=self.target, limit=self._page))]

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an outcome of the store, an acknowledgement or a wake; all else is not this delivery's."""
        match event:
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._listing:
                return self._listed(now, outcome)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._dropping:
                return self._dropped(now, ticket, outcome)
            case MessageReceived(sender=sender, message=VersionsStored(request=id_)) if id_ in self._flights:
                return self._acknowledged(now, id_, sender)
            case MessageReceived(sender=sender, message=ChunkStored(request=id_, error=error)) if id_ in self._flights:
                return self._refused(now, id_) if error else self._acknowledged(now, id_, sender)
            case RequestDue(request=self.id) if self._alarm.rings(now):
                return self._wake(now)
            case _:
                return []

    def members_changed(self) -> None:
        """Stop when the target is gone again; what is not acknowledged stays in the store."""
        if self._roster.owns_keys(self.target) and not self._roster.alive(self.target):
            self.is_over = True

    # --- steps ---

    def _listed(self, now: Instant, outcome: StoreOutcome) -> list[RingEffect]:
        self._listing = None
        if not isinstance(outcome, HintsListed):
            self.is_over = True
            return []
        self._queue.extend(outcome.hints)
        self._is_page_full = len(outcome.hints) >= self._page
        self._credit.listed(outcome.hints)
        return self._go_on(now)

    def _acknowledged(self, now: Instant, id_: str, sender: PeerId) -> list[RingEffect]:
        flight = self._flights[id_]
        flight.awaited.discard(sender)
        if flight.awaited:
            return []
        self._land(now, id_)
        return [*self._drop(flight.hint), *self._go_on(now)]

    def _refused(self, now: Instant, id_: str) -> list[RingEffect]:
        """Leave a chunk that its receiver could not pull for the next scan."""
        self._land(now, id_)
        self._is_stuck = True
        return self._go_on(now)

    def _land(self, now: Instant, id_: str) -> None:
        flight = self._flights.pop(id_)
        self._credit.landed(flight.hint, now - flight.begun)

    def _dropped(self, now: Instant, ticket: int, outcome: StoreOutcome) -> list[RingEffect]:
        self._dropping.remove(ticket)
        self._is_stuck |= not isinstance(outcome, Noted)
        return self._go_on(now)

    def _wake(self, now: Instant) -> list[RingEffect]:
        due = min((flight.due for flight in self._flights.values()), default=None)
        if due is None:
            return []
        self.is_over = now >= due
        return [] if self.is_over else self._alarm.set(due)

    def _go_on(self, now: Instant) -> list[RingEffect]:
        """Fill the window; after a full page list the next one, which begins with what is not dropped yet."""
        effects: list[RingEffect] = []
        while self._queue and self._has_room_for(self._queue[0]):
            effects += self._launch(now, self._queue.popleft())
        if self._queue or self._flights or self._dropping or self._listing is not None:
            return effects
        if self._is_page_full and not self._is_stuck:
            return [*effects, *self.begin()]
        self.is_over = True
        return effects

    # --- one hint ---

    def _has_room_for(self, hint: Hint) -> bool:
        if hint.versions is None:
            chunks = sum(flight.hint.versions is None for flight in self._flights.values())
            return chunks < self._settings.chunks_in_flight_max
        return self._credit.has_room(len(self._flights))

    def _launch(self, now: Instant, hint: Hint) -> list[RingEffect]:
        receivers = self._receivers(hint)
        if not receivers:
            return self._drop(hint)
        id_ = next(self._ids)
        patience_s = self._settings.patience_s + self._quorum.patience_with_chunk(hint.chunk_size)
        flight = _Flight(hint, set(receivers), now, Instant(now + patience_s))
        self._flights[id_] = flight
        self._credit.launched(hint)
        message = self._message(id_, hint)
        return [*(Send(to=peer, message=message) for peer in receivers), *self._alarm.set(flight.due)]

    def _receivers(self, hint: Hint) -> list[PeerId]:
        if self._roster.owns_keys(self.target):
            return [self.target]
        key = chunk_key(hint.key) if hint.versions is None else hint.key
        return [peer for peer in self._roster.preference(key)[: self._replicas] if peer != self._me.id]

    def _message(self, id_: str, hint: Hint) -> StoreVersions | StoreChunk:
        if hint.versions is not None:
            return StoreVersions(request=id_, key=hint.key, versions=hint.versions)
        source = Source(url=self._me.bulk_url, ref=f"chunk/{hint.key.hex()}", host=self._me.host)
        return StoreChunk(request=id_, digest=hint.key, size=hint.chunk_size, source=source)

    def _drop(self, hint: Hint) -> list[RingEffect]:
        ticket = next(self._tickets)
        self._dropping.add(ticket)
        drop = DropHint(target=self.target, key=hint.key, versions=hint.versions)
        return [Operate(ticket=ticket, operation=drop)]
