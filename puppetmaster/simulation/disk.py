"""Stand in for a peer's disk: what it holds survives the crash of the process."""

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar

from ...ring.copies.replica import apply
from ...ring.errors import Corrupt
from ...ring.operations import (
    READS,
    AcceptBallot,
    MergeVersions,
    MintVersion,
    Operation,
    PromiseBallot,
    ReadVersions,
    StoreFailed,
    StoreOutcome,
)
from ..faults import DiskState

Run = tuple[dict[str, int], ...]
"""A map attempt's output: for each partition, the count of each word."""

Kept = TypeVar("Kept", bytes, Run)


@dataclass(slots=True)
class Disk:
    """Rows, chunks, runs and parts of one data directory; `starts` counts the processes that have opened it.

    `number` tells the directories of one peer name apart: a restart on an empty one is a new peer.
    """

    number: int = 0
    starts: int = 0
    state: DiskState = DiskState.OK
    delay_s: float = 0.0
    rows: dict[bytes, bytes] = field(default_factory=dict)
    order: list[bytes] = field(default_factory=list)
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    damaged: set[bytes | str] = field(default_factory=set)
    """What does not match its checksum: keys of rows, digests of chunks, names of runs and parts."""

    @property
    def writable(self) -> bool:
        """Tell whether the disk takes writes."""
        return self.state is DiskState.OK

    @property
    def readable(self) -> bool:
        """Tell whether the disk takes reads."""
        return self.state is not DiskState.BROKEN

    # --- rows ---

    def operate(self, operation: Operation) -> StoreOutcome:
        """Carry out one store operation as one atomic, durable step."""
        if not (self.readable if isinstance(operation, READS) else self.writable):
            return StoreFailed(reason=f"the disk is {self.state.value}")
        writes, outcome = apply(operation, self.row if self.damaged else self.rows.get, self.scan)
        for key, value in writes.items():
            self.damaged.discard(key)
            if value is None:
                if self.rows.pop(key, None) is not None:
                    del self.order[bisect_left(self.order, key)]
            else:
                if key not in self.rows:
                    insort(self.order, key)
                self.rows[key] = value
        return outcome

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

    def forget_job(self, job: str) -> None:
        """Remove the runs and parts of a job."""
        self._remove(self.runs, job)
        self._remove(self.parts, job)

    def _remove(self, shelf: dict[str, Kept], job: str) -> None:
        for name in [name for name in shelf if name.split("/")[1] == job]:
            del shelf[name]
            self.damaged.discard(name)

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
        return twin


def row_of(operation: Operation) -> bytes | None:
    """Name the row that an operation is about; None if it is about many, or about its own notes."""
    match operation:
        case ReadVersions(key=key) | MintVersion(key=key) | MergeVersions(key=key):
            return b"v/" + key
        case PromiseBallot(key=key) | AcceptBallot(key=key):
            return b"p/" + key
        case _:
            return None
