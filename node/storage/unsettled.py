"""Count the writes that were submitted to the store and are neither durable nor failed yet."""

from collections import Counter
from threading import Lock

from ...ring.operations import READS, MergeVersions, MintVersion, Operation


class UnsettledWrites:
    """Tells which copies may still change by what waits already; for the loop's thread and the writer's."""

    def __init__(self) -> None:
        self._of_key: Counter[bytes] = Counter()
        self._of_many = 0
        self._lock = Lock()

    def begin(self, operation: Operation) -> None:
        """Take in that an operation waits."""
        self._count(operation, 1)

    def end(self, operation: Operation) -> None:
        """Take in that an operation is through."""
        self._count(operation, -1)

    def may_change(self, key: bytes) -> bool:
        """Tell whether a write that waits may change the copy of a key."""
        return self._of_many > 0 or key in self._of_key

    def _count(self, operation: Operation, change: int) -> None:
        if isinstance(operation, READS):
            return
        with self._lock:
            if not isinstance(operation, MintVersion | MergeVersions):
                self._of_many += change
                return
            self._of_key[operation.key] += change
            if not self._of_key[operation.key]:
                del self._of_key[operation.key]
