"""Run whole ring machines against each other in virtual time, each with a store in a dict, under any fault."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from member_net import member, peer

from murmuration.ring.copies.replica import apply
from murmuration.ring.effects import (
    Answer,
    Completed,
    GetDone,
    MemberChanged,
    Operate,
    Parted,
    PullChunk,
    PutDone,
    RecordSeen,
    RemoveChunk,
    RingEffect,
    Send,
    SendTo,
    WakeAt,
)
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.errors import Corrupt
from murmuration.ring.events import (
    ChunkOffered,
    ChunkPulled,
    ChunkRemoved,
    CollectRequested,
    GetRequested,
    KeysRequested,
    MessageReceived,
    MintForetold,
    OperationDone,
    PutRequested,
    RingEvent,
    Started,
)
from murmuration.ring.facts import Context, Versions
from murmuration.ring.machine import Ring
from murmuration.ring.messages import RingMessage
from murmuration.ring.operations import ListHints, MintVersion, Operation, ReadVersions
from murmuration.ring.outcomes import HintsListed, StoreFailed, StoreOutcome, VersionsMerged, VersionsRead
from murmuration.ring.settings import RingSettings
from murmuration.ring.terms import REFUTATION_BITS, Condition, Instant, PeerId, Quorum, Source

QUIET = EntropySettings(exchange_s=1e6, hurry_s=1e6)
"""Without anti-entropy, so that what another mechanism does is seen by itself."""
SETTINGS = RingSettings(vnodes=64, entropy=QUIET)
ONE = Quorum(replicas=1, reads_required=1, writes_required=1)
ALL = Quorum(replicas=3, reads_required=3, writes_required=3)
SOURCE = Source(url="tcp://127.0.0.1:9", ref="run/1")


class Disk:
    """What survives a crash: rows, chunks, and which copies have gone bad."""

    def __init__(self, vnodes: int = SETTINGS.vnodes) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.chunks: set[bytes] = set()
        self.bad_keys: set[bytes] = set()
        self.refuses: Callable[[Operation], bool] = lambda operation: False
        self.fails: Callable[[Operation], bool] = lambda operation: False
        """As `refuses`, but only after it was foretold what would be written."""
        self.starts = 0
        self.vnodes = vnodes
        self.unix_ms = 0

    def carry_out(self, operation: Operation) -> StoreOutcome:
        if self.refuses(operation):
            return StoreFailed(reason="disk full")
        writes, outcome = apply(operation, self._read, self._scan, vnodes=self.vnodes, unix_ms=self.unix_ms)
        for row, value in writes.items():
            self.bad_keys.discard(row.removeprefix(b"v/"))
            if value is None:
                self.rows.pop(row, None)
            else:
                self.rows[row] = value
        return outcome

    def foretell(self, operation: Operation) -> VersionsMerged | None:
        if not (isinstance(operation, MintVersion) and operation.is_foretold) or self.refuses(operation):
            return None
        _, outcome = apply(operation, self._read, self._scan, vnodes=self.vnodes, unix_ms=self.unix_ms)
        return outcome if isinstance(outcome, VersionsMerged) else None

    def copy_of(self, key: bytes) -> Versions | None:
        outcome = self.carry_out(ReadVersions(key=key))
        assert isinstance(outcome, VersionsRead)
        return outcome.versions

    def hints(self, target: int) -> list[bytes]:
        outcome = self.carry_out(ListHints(target=peer(target), limit=10_000))
        assert isinstance(outcome, HintsListed)
        return [hint.key for hint in outcome.hints]

    def _read(self, row: bytes) -> bytes | None:
        if row.startswith(b"v/") and row.removeprefix(b"v/") in self.bad_keys:
            raise Corrupt("checksum")
        return self.rows.get(row)

    def _scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        rows = sorted(row for row in self.rows if row.startswith(prefix) and row > after)
        return [(row, self.rows[row]) for row in rows[:limit]]


class RingCluster:
    """Peers on one heap of deliveries, timers and disk operations, with one seed for all chance."""

    def __init__(self, size: int = 0, *, seed: int = 1, settings: RingSettings = SETTINGS) -> None:
        self.now = 0.0
        self.rng = Random(seed)
        self.settings = settings
        self.loss = 0.0
        self.doubling = 0.0
        self.rings: dict[int, Ring] = {}
        self.disks: dict[int, Disk] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.sent: list[tuple[float, int, int, RingMessage]] = []
        self.operated: list[tuple[float, int, Operation]] = []
        self.records: list[tuple[int, RecordSeen]] = []
        self.parted: dict[int, Parted] = {}
        self.is_lost: Callable[[int, int, RingMessage], bool] = lambda source, to, message: False
        self.recalls_starts = False
        """Whether who starts again asks the others what they know of its last start, as with a directory of its own."""
        self.can_pull: Callable[[int, tuple[Source, ...]], bool] = lambda at, sources: True
        self._queue: list[tuple[float, int, int, Ring, RingEvent]] = []
        self._ticks = count()
        self._requests = count()
        for number in range(size):
            self.start(number)
        assert self.run(30.0, self.all_alive), "the cluster has not formed"
        self.run(5.0)

    # --- faults ---

    def start(self, number: int, seeds: tuple[int, ...] = (0,)) -> None:
        self.start_with(number, tuple(member(seed).url for seed in seeds if seed != number))

    def start_with(self, number: int, seeds: tuple[str, ...]) -> None:
        disk = self.disks.setdefault(number, Disk(self.settings.vnodes))
        disk.starts += 1
        start = disk.starts << REFUTATION_BITS
        recorded = disk.starts - 1 if self.recalls_starts else 0
        self.rings[number] = Ring(member(number), start, self.settings, Random(self.rng.random()), recorded=recorded)
        self.happen(number, Started(seeds=seeds))

    def crash(self, number: int) -> None:
        del self.rings[number]

    def restart(self, number: int) -> None:
        self.start(number, seeds=tuple(other for other in self.rings if other != number))

    def cut(self, *numbers: int) -> None:
        self.is_lost = lambda source, to, message: (source in numbers) != (to in numbers)

    def heal(self) -> None:
        self.is_lost = lambda source, to, message: False

    # --- requests ---

    def put(
        self,
        at: int,
        key: bytes,
        value: bytes | None,
        context: Context | None = None,
        *,
        quorum: Quorum = Quorum(),  # noqa: B008
        request: str | None = None,
        patience_s: float = 5.0,
        expires_at: int = 0,
        condition: Condition = Condition.NONE,
    ) -> str:
        request = request or f"r{next(self._requests)}"
        self.happen(
            at,
            PutRequested(
                request=request,
                key=key,
                value=value,
                context=context or {},
                quorum=quorum,
                patience_s=patience_s,
                expires_at=expires_at,
                condition=condition,
            ),
        )
        return request

    def get(self, at: int, key: bytes, *, quorum: Quorum = Quorum(), patience_s: float = 5.0) -> str:  # noqa: B008
        request = f"r{next(self._requests)}"
        self.happen(at, GetRequested(request=request, key=key, quorum=quorum, patience_s=patience_s))
        return request

    def keys(self, at: int, prefix: bytes, after: bytes = b"", limit: int = 100) -> str:
        request = f"r{next(self._requests)}"
        self.happen(at, KeysRequested(request=request, prefix=prefix, after=after, limit=limit, patience_s=5.0))
        return request

    def offer(
        self,
        at: int,
        digest: bytes,
        *,
        size: int = 1 << 20,
        quorum: Quorum = Quorum(),  # noqa: B008
        patience_s: float = 10.0,
    ) -> str:
        request = f"r{next(self._requests)}"
        self.happen(
            at,
            ChunkOffered(
                request=request, digest=digest, size=size, source=SOURCE, quorum=quorum, patience_s=patience_s
            ),
        )
        return request

    def collect(self, at: int, grace_s: float, *, is_dry: bool = False, patience_s: float = 60.0) -> Answer:
        """Have a peer go through its chunks, and wait for what comes of it."""
        request = f"r{next(self._requests)}"
        wish = CollectRequested(request=request, name=request, grace_s=grace_s, is_dry=is_dry, patience_s=patience_s)
        self.happen(at, wish)
        return self.answer(request, within_s=patience_s + 1.0)

    def answer(self, request: str, within_s: float = 30.0) -> Answer:
        """Run until a request is answered; it is answered once."""
        self.run(within_s, lambda: request in self.answers)
        (answer,) = self.answers[request]
        return answer

    def must_put(self, at: int, key: bytes, value: bytes | None, context: Context | None = None) -> PutDone:
        done = self.answer(self.put(at, key, value, context))
        assert isinstance(done, PutDone), done
        return done

    def must_get(self, at: int, key: bytes, quorum: Quorum = Quorum()) -> GetDone:  # noqa: B008
        done = self.answer(self.get(at, key, quorum=quorum))
        assert isinstance(done, GetDone), done
        return done

    def values(self, at: int, key: bytes) -> list[bytes | None]:
        return sorted((sibling.value for sibling in self.must_get(at, key).siblings), key=lambda value: value or b"")

    # --- views ---

    def order(self, key: bytes) -> list[int]:
        """Give the preference list of a key as numbers, in the eyes of the first peer."""
        return [int(home, 16) for home in next(iter(self.rings.values())).preference(key)]

    def key_with(self, *first: int, prefix: bytes = b"key") -> bytes:
        """Find a key whose preference list begins with these peers."""
        keys = (prefix + b"%d" % number for number in count())
        return next(key for key in keys if self.order(key)[: len(first)] == list(first))

    def live_values(self, number: int, key: bytes) -> list[bytes | None]:
        copy = self.disks[number].copy_of(key)
        return [] if copy is None else [sibling.value for sibling in copy.siblings]

    def all_alive(self) -> bool:
        return all(ring.alive(peer(number)) for ring in self.rings.values() for number in self.rings)

    def knows_dead(self, number: int) -> bool:
        return not any(ring.alive(peer(number)) for ring in self.rings.values())

    # --- the heap ---

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        ends = self.now + seconds
        while not until():
            if not self._queue or self._queue[0][0] > ends:
                self.now = ends
                return until()
            self.now, _, at, ring, event = heapq.heappop(self._queue)
            if self.rings.get(at) is ring:
                self.happen(at, event)
        return True

    def happen(self, at: int, event: RingEvent) -> None:
        ring = self.rings[at]
        for effect in ring.handle(Instant(self.now), event):
            self._perform(at, ring, effect)
        ring.check()

    def _perform(self, at: int, ring: Ring, effect: RingEffect) -> None:
        match effect:
            case Send(to=to, message=message):
                self._send(at, int(to, 16), message)
            case SendTo(url=url, message=message):
                self._send(at, int(url.rpartition(":")[2]) - 30000, message)
            case WakeAt(at=due, event=event):
                heapq.heappush(self._queue, (due, next(self._ticks), at, ring, event))
            case Operate(ticket=ticket, operation=operation):
                self._operate(at, ring, ticket, operation)
            case PullChunk() | RemoveChunk():
                self._tend(at, ring, effect)
            case Completed(request=request, answer=answer):
                self.answers.setdefault(request, []).append(answer)
            case RecordSeen():
                self.records.append((at, effect))
            case Parted():
                self.parted[at] = effect
                del self.rings[at]
            case MemberChanged():
                pass

    def _tend(self, at: int, ring: Ring, effect: PullChunk | RemoveChunk) -> None:
        chunks = self.disks[at].chunks
        if isinstance(effect, RemoveChunk):
            chunks.discard(effect.digest)
            self._later(at, ring, 0.01, 0.05, ChunkRemoved(ticket=effect.ticket, error=""))
            return
        is_there = effect.digest in chunks or self.can_pull(at, effect.sources)
        chunks |= {effect.digest} if is_there else set()
        self._later(at, ring, 0.01, 0.05, ChunkPulled(ticket=effect.ticket, error="" if is_there else "no source"))

    def _operate(self, at: int, ring: Ring, ticket: int, operation: Operation) -> None:
        self.operated.append((self.now, at, operation))
        disk = self.disks[at]
        foretold = disk.foretell(operation)
        if foretold is not None:
            event = MintForetold(ticket=ticket, versions=foretold.versions, actor=foretold.actor)
            self._later(at, ring, 0.0001, 0.0001, event)
        outcome = StoreFailed(reason="disk full") if disk.fails(operation) else disk.carry_out(operation)
        self._later(at, ring, 0.0005, 0.0005, OperationDone(ticket=ticket, outcome=outcome))

    def _send(self, source: int, to: int, message: RingMessage) -> None:
        assert source != to, "a peer's message to itself never leaves it"
        self.sent.append((self.now, source, to, message))
        target = self.rings.get(to)
        if target is None or self.is_lost(source, to, message) or self.rng.random() < self.loss:
            return
        received = MessageReceived(sender=peer(source), message=message)
        self._later(to, target, 0.0005, 0.005, received)
        if self.rng.random() < self.doubling:
            self._later(to, target, 0.0005, 0.5, received)

    def _later(self, at: int, ring: Ring, least: float, most: float, event: RingEvent) -> None:
        due = self.now + self.rng.uniform(least, most)
        heapq.heappush(self._queue, (due, next(self._ticks), at, ring, event))


def homes(*numbers: int) -> list[PeerId]:
    return [peer(number) for number in numbers]
