"""Make some keys and chunks the same at this peer and another, a few at a time.

    a key     FetchVersions to each side that has it ──> joined ──> StoreVersions to each side that lacks some of it
    a chunk   StoreChunk to the side that lacks it, which pulls it from the other

This peer asks itself just as it asks the other, so both directions are one. A merge is harmless, whatever was written
meanwhile; and nothing counts as repaired before who lacked it has acknowledged a durable copy.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from ..copies.versions import EMPTY, join
from ..effects import RingEffect, Send
from ..events import MessageReceived, RingEvent
from ..facts import Update, Versions
from ..messages import ChunkStored, FetchVersions, StoreChunk, StoreVersions, VersionsFetched, VersionsStored
from ..requests.quorum import QuorumSettings
from ..terms import Instant, PeerId, Source
from .comparing import Difference
from .metrics import RepairMetrics
from .settings import EntropySettings


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One difference that is being repaired, and who has yet to answer."""

    difference: Difference
    awaited: set[PeerId]
    due: Instant
    copies: dict[PeerId, Versions | None] = field(default_factory=dict)
    is_storing: bool = False


class Matching:
    """Repairs differences between this peer and one other until `is_over`."""

    def __init__(
        self,
        *,
        me: PeerId,
        partner: PeerId,
        members: Mapping[PeerId, Update],
        differences: Iterable[Difference],
        ids: Iterator[str],
        settings: EntropySettings,
        quorum: QuorumSettings,
        metrics: RepairMetrics,
    ) -> None:
        self._me = me
        self._partner = partner
        self._members = members
        self._queue = deque(differences)
        self._ids = ids
        self._settings = settings
        self._quorum = quorum
        self._metrics = metrics
        self._flights: dict[str, _Flight] = {}
        self.has_repaired = False
        """Whether a side has got what it lacked: what cannot be repaired now is no reason to compare again at once."""

    @property
    def is_over(self) -> bool:
        """Tell whether all is repaired or given up."""
        return not self._queue and not self._flights

    @property
    def next_due(self) -> Instant | None:
        """Tell when the first answer is overdue."""
        return min((flight.due for flight in self._flights.values()), default=None)

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an answer; all else is none of its business."""
        match event:
            case MessageReceived(sender=sender, message=VersionsFetched() as message) if (
                message.request in self._flights
            ):
                return self._fetched(now, message.request, sender, message)
            case MessageReceived(sender=sender, message=VersionsStored(request=id_)) if id_ in self._flights:
                return self._stored(now, id_, sender, "")
            case MessageReceived(sender=sender, message=ChunkStored(request=id_, error=error)) if id_ in self._flights:
                return self._stored(now, id_, sender, error)
            case _:
                return []

    def go_on(self, now: Instant) -> list[RingEffect]:
        """Give up what has waited too long, and begin as many repairs as there is room for."""
        for id_ in [id_ for id_, flight in self._flights.items() if now >= flight.due]:
            del self._flights[id_]
            self._metrics.repairs_failed += 1
        effects: list[RingEffect] = []
        while self._queue and self._has_room_for(self._queue[0]):
            effects += self._begin(now, self._queue.popleft())
        return effects

    def _has_room_for(self, difference: Difference) -> bool:
        chunks = sum(flight.difference.chunk_size is not None for flight in self._flights.values())
        if difference.chunk_size is not None and chunks >= self._settings.chunks_in_flight_max:
            return False
        return len(self._flights) < self._settings.in_flight_max

    def _begin(self, now: Instant, difference: Difference) -> list[RingEffect]:
        if difference.chunk_size is not None:
            return self._begin_chunk(now, difference, difference.chunk_size)
        sides = {peer for peer, has in ((self._me, difference.is_mine), (self._partner, difference.is_theirs)) if has}
        id_ = self._launch(difference, sides, Instant(now + self._settings.patience_s))
        return [Send(to=peer, message=FetchVersions(request=id_, key=difference.name)) for peer in sorted(sides)]

    def _begin_chunk(self, now: Instant, difference: Difference, size: int) -> list[RingEffect]:
        """Have the side that lacks a chunk pull it from the other; where both or none can name it, there is no way."""
        if difference.is_mine == difference.is_theirs:
            return []
        holder, lacking = (self._me, self._partner) if difference.is_mine else (self._partner, self._me)
        update = self._members.get(holder)
        if update is None:
            return []
        patience_s = self._settings.patience_s + self._quorum.patience_with_chunk(size)
        id_ = self._launch(difference, {lacking}, Instant(now + patience_s), is_storing=True)
        source = Source(url=update.member.bulk_url, ref=f"chunk/{difference.name.hex()}", host=update.member.host)
        store = StoreChunk(request=id_, digest=difference.name, size=size, source=source, is_copy=True)
        return [Send(to=lacking, message=store)]

    def _launch(self, difference: Difference, awaited: set[PeerId], due: Instant, *, is_storing: bool = False) -> str:
        id_ = next(self._ids)
        self._flights[id_] = _Flight(difference=difference, awaited=awaited, due=due, is_storing=is_storing)
        return id_

    def _fetched(self, now: Instant, id_: str, sender: PeerId, message: VersionsFetched) -> list[RingEffect]:
        flight = self._flights[id_]
        if flight.is_storing or sender not in flight.awaited:
            return []
        flight.awaited.discard(sender)
        flight.copies[sender] = message.versions  # one that cannot be read is none: it is replaced
        return [] if flight.awaited else self._join(now, id_, flight)

    def _join(self, now: Instant, id_: str, flight: _Flight) -> list[RingEffect]:
        copies = [copy for copy in flight.copies.values() if copy is not None]
        joined = reduce(join, copies, EMPTY)
        behind = [peer for peer in (self._me, self._partner) if flight.copies.get(peer) != joined]
        if not copies or not behind:
            del self._flights[id_]
            return self.go_on(now)
        flight.is_storing, flight.awaited = True, set(behind)
        flight.due = Instant(now + self._settings.patience_s)
        size = sum(len(sibling.value or b"") for sibling in joined.siblings)
        self._metrics.bytes_moved += size * len(behind)
        store = StoreVersions(request=id_, key=flight.difference.name, versions=joined)
        return [Send(to=peer, message=store) for peer in behind]

    def _stored(self, now: Instant, id_: str, sender: PeerId, error: str) -> list[RingEffect]:
        flight = self._flights[id_]
        flight.awaited.discard(sender)
        if flight.awaited and not error:
            return []
        del self._flights[id_]
        size = flight.difference.chunk_size
        self.has_repaired |= not error
        if error:
            self._metrics.repairs_failed += 1
        elif size is None:
            self._metrics.keys_repaired += 1
        else:
            self._metrics.chunks_repaired += 1
            self._metrics.bytes_moved += size
        return self.go_on(now)
