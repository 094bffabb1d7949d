"""Bring the jobs that had not ended back to mind after a start: their records are on this disk, or on those of others.

    start   ListOpenRecords ──> RecordSeen for each, page by page

Else a job would be forgotten by a cluster all of whose processes had died.
"""

from collections.abc import Iterator

from ..effects import Operate, RecordSeen, RingEffect
from ..events import OperationDone
from ..operations import ListOpenRecords
from ..outcomes import OpenRecordsListed

PAGE = 16
"""Records read at once: each may be as large as a value."""

PAGES_MAX = 256
"""A start looks at so many pages at most; what it leaves out is found again when somebody asks for it."""


class Reopening:
    """The walk through the records of one start."""

    def __init__(self, tickets: Iterator[int]) -> None:
        self._tickets = tickets
        self._reading: int | None = None
        self._pages = 0

    def start(self) -> list[RingEffect]:
        """Read the first page."""
        return self._read(b"")

    def handle(self, event: OperationDone) -> list[RingEffect]:
        """Take a page; a disk that fails ends the walk, for it is only a reminder."""
        if event.ticket != self._reading:
            return []
        self._reading = None
        if not isinstance(event.outcome, OpenRecordsListed):
            return []
        seen = [RecordSeen(key=key, values=values) for key, values in event.outcome.records]
        after = event.outcome.after
        return [*seen, *(self._read(after) if after is not None and self._pages < PAGES_MAX else [])]

    def _read(self, after: bytes) -> list[RingEffect]:
        self._pages += 1
        self._reading = next(self._tickets)
        return [Operate(ticket=self._reading, operation=ListOpenRecords(after=after, limit=PAGE))]
