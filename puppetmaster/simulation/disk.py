"""Stand in for a peer's disk: what it holds survives the crash of the process."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

from ...ring.operations import READS, Operation, StoreFailed, StoreOutcome
from ...ring.replica import apply
from ..faults import DiskState

Run = tuple[dict[str, int], ...]
"""A map attempt's output: for each partition, the count of each word."""


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

    @property
    def writable(self) -> bool:
        """Tell whether the disk takes writes."""
        return self.state is DiskState.OK

    def operate(self, operation: Operation) -> StoreOutcome:
        """Carry out one store operation as one atomic, durable step."""
        if not self.writable and not isinstance(operation, READS):
            return StoreFailed(reason=f"the disk is {self.state.value}")
        writes, outcome = apply(operation, self.rows.get, self.scan)
        for key, value in writes.items():
            if value is None:
                if self.rows.pop(key, None) is not None:
                    del self.order[bisect_left(self.order, key)]
            else:
                if key not in self.rows:
                    insort(self.order, key)
                self.rows[key] = value
        return outcome

    def scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """List rows whose key begins with `prefix` and sorts after `after`, in order."""
        start = bisect_left(self.order, prefix) if after < prefix else bisect_right(self.order, after)
        found: list[tuple[bytes, bytes]] = []
        for key in self.order[start : start + limit]:
            if not key.startswith(prefix):
                break
            found.append((key, self.rows[key]))
        return found
