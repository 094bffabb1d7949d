"""Bring the records of one partition together and into order: in memory while they fit, else by way of sorted spills.

It takes blocks of records of one layout. Whatever else is among them makes it give up (`Unlike`), and then the
partition is gathered as pairs, which all blocks can be read as.
"""

from collections.abc import Iterator
from os.path import dirname
from typing import TYPE_CHECKING

from ..shuffle.memory import HELD_SHARE
from .layout import RECORD_KIND, Layout

if TYPE_CHECKING:
    from .records import Records
    from .spilling import RowSpills

SORTING_BYTES = 24
"""What sorting takes for each record: its prefix as a number, its place, and a copy of the numbers while these move."""

ROWS_BYTES = 1 << 20
"""How much is copied into order at a time, on its way to the output."""


class Unlike(Exception):
    """A block holds pairs, or records of another layout."""


class RecordGathering:
    """Takes the blocks of one partition, run by run, and gives its records in order; equal keys keep theirs."""

    def __init__(self, memory: int, output: str) -> None:
        """Keep within the budget in bytes; what does not fit lies where `output` does."""
        self.records = 0
        self._limit = int(memory * HELD_SHARE)
        self._memory = memory
        self._folder = dirname(output)  # noqa: PTH120 - spares the import of pathlib
        self._layout: Layout | None = None
        self._held = bytearray()
        self._given = 0
        self._spills: RowSpills[Records] | None = None

    @property
    def fraction(self) -> float:
        """Tell what part of the records has been given; may be asked from another thread."""
        return self._given / self.records if self.records else 0.0

    def take(self, body: bytes) -> None:
        """Take the next block; raises `Unlike`, or `OSError` for a full disk."""
        if not body.startswith(RECORD_KIND):
            raise Unlike
        from .records import records_of_body  # late: only such jobs need numpy

        records = records_of_body(body)
        self._layout = self._layout or records.layout
        if records.layout != self._layout:
            raise Unlike
        self._held += records.rows.data
        self.records += len(records)
        if len(self._held) + SORTING_BYTES * (len(self._held) // self._layout.width) > self._limit:
            self._spill(self._layout)

    def ordered(self) -> Iterator["Records"]:
        """Give all records in order, some at a time; raises `InputUnreadable` if a spill has been damaged."""
        if self._layout is None:
            return
        for records in self._sorted(self._layout) if self._spills is None else self._merged(self._layout):
            self._given += len(records)
            yield records

    def close(self) -> None:
        """Give back the room that spills take."""
        if self._spills is not None:
            self._spills.close()

    def _sorted(self, layout: Layout) -> Iterator["Records"]:
        from .records import records_of

        records = records_of(layout, self._held)
        order = records.order()
        step = max(1, ROWS_BYTES // layout.width)
        return (records.taken(order[begin : begin + step]) for begin in range(0, len(order), step))

    def _spill(self, layout: Layout) -> None:
        from .records import RECORDS
        from .spilling import RowSpills

        self._spills = self._spills or RowSpills(RECORDS, self._folder, self._memory)
        self._spills.add(self._sorted(layout))
        self._held = bytearray()

    def _merged(self, layout: Layout) -> Iterator["Records"]:
        from .merging import merged
        from .records import joined

        if self._held:
            self._spill(layout)
        spills = self._spills
        return merged([spills.rows(at) for at in range(spills.segments)] if spills else [], joined)
