"""Have the chunks of a peer that leaves pulled by their next homes, before it goes.

    ListChunks ──> StoreChunk ──> each home that a chunk gains by this leave ──> ChunkStored        few at a time

Keys go by `transfer`. A home that is silent, dead or has no room is left out: the other homes of the chunk have it, and
anti-entropy brings the copy later.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..alarm import Alarm
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue
from ..messages import ChunkStored, StoreChunk
from ..operations import ListChunks
from ..outcomes import ChunksListed
from ..placement.rendezvous import Placement
from ..placement.roster import Roster
from ..requests.chunks import chunk_key
from ..requests.quorum import QuorumSettings
from ..terms import Instant, Member, PeerId, Source
from .walk import Progress

PAGE = 256
IN_FLIGHT_MAX = 4
"""As many chunks are pulled from here at a time, of 1 MiB or more each: the rest of the wire is for readers."""


@dataclass(frozen=True, slots=True)
class _Flight:
    digest: bytes
    size: int
    due: Instant


class Farewell:
    """The walk of one leave through the chunks that are kept here."""

    def __init__(
        self,
        *,
        me: Member,
        roster: Roster,
        replicas: int,
        tickets: Iterator[int],
        ids: Iterator[str],
        quorum: QuorumSettings,
        progress: Progress,
    ) -> None:
        self._me = me
        self._roster = roster
        self._replicas = replicas
        self._tickets = tickets
        self._ids = ids
        self._quorum = quorum
        self._progress = progress
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._target: Placement | None = None
        self._listing: int | None = None
        self._after = b""
        self._has_more = False
        self._waiting: deque[tuple[PeerId, bytes, int]] = deque()
        self._flights: dict[str, _Flight] = {}
        self.chunks_sent = 0

    @property
    def is_over(self) -> bool:
        """Tell whether all chunks have been offered to their next homes, or none ever were to be."""
        return not (self._has_more or self._listing is not None or self._waiting or self._flights)

    def begin(self) -> list[RingEffect]:
        """Walk through all chunks, from the placement of now to the target."""
        self._target, self._after, self._has_more, self.chunks_sent = self._roster.target, b"", True, 0
        self._waiting.clear()
        self._flights.clear()
        return self._next_page()

    def handle(self, now: Instant, event: MessageReceived | OperationDone | RequestDue) -> list[RingEffect]:
        """Take a page, an answer or the end of a patience; all else is no business of this part."""
        match event:
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._listing:
                self._listing = None
                self._has_more = isinstance(outcome, ChunksListed) and outcome.more
                if isinstance(outcome, ChunksListed):
                    self._take(outcome)
                return self._go_on(now)
            case MessageReceived(message=ChunkStored(request=id_)) if id_ in self._flights:
                self._progress.bytes_sent += self._flights.pop(id_).size
                self.chunks_sent += 1
                return self._go_on(now)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                self._flights = {id_: flight for id_, flight in self._flights.items() if now < flight.due}
                return self._go_on(now)
            case _:
                return []

    def _next_page(self) -> list[RingEffect]:
        self._listing = next(self._tickets)
        return [Operate(ticket=self._listing, operation=ListChunks(after=self._after, limit=PAGE))]

    def _take(self, page: ChunksListed) -> None:
        for digest, size in page.entries:
            self._after = digest
            key = chunk_key(digest)
            before = self._roster.preference(key)[: self._replicas]
            gained = self._target.preference(key)[: self._replicas] if self._target is not None else ()
            self._waiting.extend((peer, digest, size) for peer in gained if peer not in before)

    def _go_on(self, now: Instant) -> list[RingEffect]:
        effects: list[RingEffect] = []
        while self._waiting and len(self._flights) < IN_FLIGHT_MAX:
            effects += self._launch(now, *self._waiting.popleft())
        if self._flights:
            due = min(flight.due for flight in self._flights.values())
            return [*effects, *self._alarm.set(due)]
        return [*effects, *(self._next_page() if self._has_more and self._listing is None else [])]

    def _launch(self, now: Instant, peer: PeerId, digest: bytes, size: int) -> list[RingEffect]:
        if not self._roster.alive(peer):
            return []
        id_ = next(self._ids)
        self._flights[id_] = _Flight(digest, size, Instant(now + self._quorum.patience_with_chunk(size)))
        source = Source(url=self._me.bulk_url, ref=f"chunk/{digest.hex()}", host=self._me.host)
        return [Send(to=peer, message=StoreChunk(request=id_, digest=digest, size=size, source=source))]
