"""Stand in for a peer's disk: what it holds survives the crash of the process."""

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from ...node.effects import DiskQuestion
from ...node.wire.logs import ListLogs, LogRead, LogsListed, ReadLog
from ...node.wire.replies import ChunksChecked, ClientReply, CopyState
from ...node.wire.requests import CheckChunks
from ...ring.copies.replica import apply
from ...ring.effects import Operate, RemoveChunk, ScrubChunks
from ...ring.errors import Corrupt
from ...ring.events import ChunkRemoved, ChunksScrubbed, DamagedChunk, MintForetold
from ...ring.operations import READS, AcceptBallot, MergeVersions, MintVersion, Operation, PromiseBallot, ReadVersions
from ...ring.outcomes import StoreFailed, StoreOutcome, VersionsMerged
from ...ring.terms import VNODES
from ..faults import DiskState

Run = tuple[dict[str, int], ...]
"""A map attempt's output: for each partition, the count of each word."""

UNSYNCED_MS = 1000

Kept = TypeVar("Kept", bytes, Run)


@dataclass(slots=True)
class Disk:
    """Rows, chunks, runs and parts of one data directory; `starts` counts the processes that have opened it.

    `number` tells the directories of one peer name apart: a restart on an empty one is a new peer.
    """

    number: int = 0
    vnodes: int = VNODES
    starts: int = 0
    owner: str = ""
    """The name of the peer that it belongs to: no other one starts on it. A new disk has none."""
    state: DiskState = DiskState.OK
    delay_s: float = 0.0
    rows: dict[bytes, bytes] = field(default_factory=dict)
    order: list[bytes] = field(default_factory=list)
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    damaged: set[bytes | str] = field(default_factory=set)
    """What does not match its checksum: keys of rows, digests of chunks, names of runs and parts."""
    is_restored: bool = False
    """Whether it is an old copy that was put back."""
    is_given_up: bool = False
    """Whether its peer is no member any more: who starts on it starts anew."""
    relaxed: bool = False
    """Whether commits are synced once a second only."""
    unsynced: list[tuple[int, bytes, bytes | None]] = field(default_factory=list)
    """What rows held before each write of the last second of a relaxed disk, and when in ms that was."""
    met: set[bytes] = field(default_factory=set)
    """Digests of damaged chunks that a reader has met since the last step of the scrub."""

    @property
    def writable(self) -> bool:
        """Tell whether the disk takes writes."""
        return self.state is DiskState.OK

    @property
    def readable(self) -> bool:
        """Tell whether the disk takes reads."""
        return self.state is not DiskState.BROKEN

    # --- rows ---

    def operate(self, operation: Operation, unix_ms: int = 0) -> StoreOutcome:
        """Carry out one store operation as one atomic, durable step at that time of the clock."""
        if not (self.readable if isinstance(operation, READS) else self.writable):
            return StoreFailed(reason=f"the disk is {self.state.value}")
        read = self.row if self.damaged else self.rows.get
        writes, outcome = apply(operation, read, self.scan, unix_ms=unix_ms, vnodes=self.vnodes)
        if self.relaxed:
            since = unix_ms - UNSYNCED_MS
            self.unsynced = [old for old in self.unsynced if old[0] >= since]
            self.unsynced += [(unix_ms, key, self.rows.get(key)) for key in writes]
        for key, value in writes.items():
            self._write(key, value)
        return outcome

    def foretell(self, work: Operate, unix_ms: int = 0) -> MintForetold | None:
        """Tell what a mint that is to be foretold would write now, whether or not the disk takes writes."""
        if not (isinstance(work.operation, MintVersion) and work.operation.is_foretold and self.readable):
            return None
        _, outcome = apply(work.operation, self.row, self.scan, unix_ms=unix_ms, vnodes=self.vnodes)
        if not isinstance(outcome, VersionsMerged):
            return None
        return MintForetold(ticket=work.ticket, versions=outcome.versions, actor=outcome.actor)

    def _write(self, key: bytes, value: bytes | None) -> None:
        self.damaged.discard(key)
        if value is None:
            if self.rows.pop(key, None) is not None:
                del self.order[bisect_left(self.order, key)]
            return
        if key not in self.rows:
            insort(self.order, key)
        self.rows[key] = value

    def cut_power(self) -> None:
        """Lose what was not synced: of a relaxed disk the last second, and nothing of another."""
        for _, key, before in reversed(self.unsynced):
            self._write(key, before)
        self.unsynced.clear()

    def row(self, key: bytes) -> bytes | None:
        """Give the value of a key, or None where there is none.

        Raises:
            Corrupt: a value is there, but it is damaged.
        """
        if key in self.damaged:
            raise Corrupt(f"corrupt row {key!r}: its checksum does not match")
        return self.rows.get(key)

    def scan(self, prefix: bytes, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes | None]]:
        """List rows whose key begins with `prefix` and sorts after `after`, in order; a damaged value is None."""
        start = bisect_left(self.order, prefix) if after < prefix else bisect_right(self.order, after)
        found: list[tuple[bytes, bytes | None]] = []
        for key in self.order[start : start + limit]:
            if not key.startswith(prefix):
                break
            found.append((key, None if key in self.damaged else self.rows[key]))
        return found

    # --- files ---

    def chunk(self, digest: bytes) -> bytes | None:
        """Read a chunk; a damaged one is not served, and none by a broken disk."""
        if digest in self.damaged and self.readable:
            self.met.add(digest)
        return None if digest in self.damaged or not self.readable else self.chunks.get(digest)

    def run(self, name: str) -> Run | None:
        """Read a run; None if it is gone or damaged."""
        return None if name in self.damaged or not self.readable else self.runs.get(name)

    def part(self, name: str) -> bytes | None:
        """Read a part; None if it is gone or damaged."""
        return None if name in self.damaged or not self.readable else self.parts.get(name)

    def keep_chunk(self, digest: bytes, content: bytes) -> None:
        """Write a chunk, in place of a damaged one too."""
        self.chunks[digest] = content
        self.damaged.discard(digest)
        self.met.discard(digest)

    def tend(self, work: ScrubChunks | RemoveChunk) -> ChunksScrubbed | ChunkRemoved:
        """Look after the chunks: check some, or remove one."""
        if isinstance(work, ScrubChunks):
            return self.scrub_chunks(work.ticket, work.after, work.bytes_max)
        return self.remove_chunk(work.ticket, work.digest)

    def remove_chunk(self, ticket: int, digest: bytes) -> ChunkRemoved:
        """Remove a chunk, if the disk takes that."""
        if not self.writable:
            return ChunkRemoved(ticket=ticket, error=f"the disk is {self.state.value}")
        self.chunks.pop(digest, None)
        self.damaged.discard(digest)
        self.met.discard(digest)
        return ChunkRemoved(ticket=ticket, error="")

    def jobs_left(self) -> tuple[str, ...]:
        """Name the jobs of which runs or parts lie here."""
        return tuple(sorted({name.split("/")[1] for shelf in (self.runs, self.parts) for name in shelf}))

    def forget_job(self, job: str) -> None:
        """Remove the runs and parts of a job."""
        self._remove(self.runs, job)
        self._remove(self.parts, job)

    def _remove(self, shelf: dict[str, Kept], job: str) -> None:
        for name in [name for name in shelf if name.split("/")[1] == job]:
            del shelf[name]
            self.damaged.discard(name)

    def look(self, question: DiskQuestion) -> ClientReply:
        """Answer a client; user code is not played, so it prints nothing."""
        match question:
            case CheckChunks(digests=digests):
                return ChunksChecked(states=tuple(map(self.copy_state, digests)))
            case ListLogs():
                return LogsListed(entries=())
            case ReadLog():
                return LogRead(content=b"")
            case _:
                assert_never(question)

    def copy_state(self, digest: bytes) -> CopyState:
        """Tell what is here of a chunk."""
        if digest not in self.chunks:
            return CopyState.ABSENT
        return CopyState.SOUND if self.chunk(digest) is not None else CopyState.DAMAGED

    def scrub_chunks(self, ticket: int, after: bytes, bytes_max: int) -> ChunksScrubbed:
        """Check chunks in turn until enough is read, and name the damaged ones."""
        found, read, digests = dict.fromkeys(sorted(self.met)), 0, sorted(self.chunks)
        self.met.clear()
        digests = digests[bisect_right(digests, after) :] if bytes_max and self.readable else []
        for place, digest in enumerate(digests):
            if read >= bytes_max:
                return self._scrubbed(ticket, found, digests[place - 1], read)
            read += len(self.chunks[digest])
            if digest in self.damaged:
                found[digest] = None
        return self._scrubbed(ticket, found, None, read)

    def _scrubbed(self, ticket: int, found: Iterable[bytes], after: bytes | None, read: int) -> ChunksScrubbed:
        damaged = tuple(DamagedChunk(digest=digest, size=len(self.chunks[digest])) for digest in found)
        return ChunksScrubbed(ticket=ticket, damaged=damaged, after=after, bytes_read=read)

    # --- what is done to it while the peer is down ---

    def spoil(self, share: float, rng: random.Random) -> None:
        """Damage a share of all that is kept; whichever way a file is damaged, it no longer matches its checksum.

        A missing one is no exception: rows and the index of chunks say what ought to be there, and runs and parts are
        asked for by those who know that they were made.
        """
        names: list[bytes | str] = [*self.order, *sorted(self.chunks), *sorted(self.runs), *sorted(self.parts)]
        self.damaged.update(name for name in names if rng.random() < share)

    def copy(self) -> "Disk":
        """Copy everything, as somebody who makes a backup does."""
        twin = copy(self)
        twin.rows, twin.order, twin.chunks = dict(self.rows), list(self.order), dict(self.chunks)
        twin.runs, twin.parts, twin.damaged = dict(self.runs), dict(self.parts), set(self.damaged)
        twin.met = set()
        return twin

    def in_place_of(self, other: "Disk") -> "Disk":
        """Give this directory as it is where that of `other` was: a slow drive, or a full one, stays where it is."""
        return replace(self, state=other.state, delay_s=other.delay_s, relaxed=other.relaxed)


def row_of(operation: Operation) -> bytes | None:
    """Name the row that an operation is about; None if it is about many, or about its own notes."""
    match operation:
        case ReadVersions(key=key) | MintVersion(key=key) | MergeVersions(key=key):
            return b"v/" + key
        case PromiseBallot(key=key) | AcceptBallot(key=key):
            return b"p/" + key
        case _:
            return None
