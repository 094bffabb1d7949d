"""Show many records to `map_batch` as one."""

from collections.abc import Iterator
from typing import Any

from ..formats.batch import Batch


class Bulk(Batch):
    """A batch whose only record is what `map_batch` sees of all its records."""

    def __init__(self, *, first_line: int, size: int, content: Any) -> None:
        super().__init__(first_line=first_line, size=size, records=[content], pairing=_alone)

    @property
    def count(self) -> int:
        """Count the records that are seen as one."""
        return len(self._records[0])

    @property
    def record(self) -> Any:
        """Show none: which one it was is not known."""
        return ""


def _alone(walk: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    return ((None, content) for content in walk)
