"""Bring the rows of one partition together and into order, as `gathering` does for records of one length.

It takes blocks of tables of one schema; whatever else is among them makes it give up (`Unlike`).
"""

from collections.abc import Iterator
from os.path import dirname
from typing import TYPE_CHECKING, Any

from ..shuffle.memory import HELD_SHARE
from .gathering import Unlike
from .layout import TABLE_KIND

if TYPE_CHECKING:
    from .spilling import RowSpills
    from .tables import Tables

SORTING_BYTES = 24
"""What sorting takes for each row."""

ROWS_BYTES = 1 << 20
"""How much is copied into order at a time."""


class TableGathering:
    """Takes the blocks of one partition, run by run, and gives its rows in order; equal keys keep theirs."""

    def __init__(self, memory: int, output: str) -> None:
        """Keep within the budget in bytes; what does not fit lies where `output` does."""
        self.records = 0
        self._limit = int(memory * HELD_SHARE)
        self._memory = memory
        self._folder = dirname(output)  # noqa: PTH120 - spares the import of pathlib
        self._held: list[Tables] = []
        self._schema: Any = None
        self._weight = 0
        self._given = 0
        self._spills: RowSpills[Tables] | None = None

    @property
    def fraction(self) -> float:
        """Tell what part of the rows has been given; may be asked from another thread."""
        return self._given / self.records if self.records else 0.0

    def take(self, body: bytes) -> None:
        """Take the next block; raises `Unlike`, or `OSError` for a full disk."""
        if not body.startswith(TABLE_KIND):
            raise Unlike
        from .tables import tables_of_body  # late: only such jobs need pyarrow

        rows = tables_of_body(body)
        self._schema = self._schema or rows.table.schema
        if not rows.table.schema.equals(self._schema):
            raise Unlike
        self._held.append(rows)
        self.records += len(rows)
        self._weight += rows.nbytes + SORTING_BYTES * len(rows)
        if self._weight > self._limit:
            self._spill()

    def ordered(self) -> Iterator["Tables"]:
        """Give all rows in order, some at a time; raises `InputUnreadable` if a spill has been damaged."""
        for rows in self._sorted() if self._spills is None else self._merged(self._spills):
            self._given += len(rows)
            yield rows

    def close(self) -> None:
        """Give back the room that spills take."""
        if self._spills is not None:
            self._spills.close()

    def _sorted(self) -> Iterator["Tables"]:
        if not self._held:
            return
        from .tables import joined

        rows = joined(self._held)
        order = rows.order()
        step = max(1, ROWS_BYTES * len(rows) // max(1, rows.nbytes))
        for begin in range(0, len(order), step):
            yield rows.taken(order[begin : begin + step])

    def _spill(self) -> None:
        from .spilling import RowSpills
        from .tables import TABLES

        self._spills = self._spills or RowSpills(TABLES, self._folder, self._memory)
        self._spills.add(self._sorted())
        self._held.clear()
        self._weight = 0

    def _merged(self, spills: "RowSpills[Tables]") -> Iterator["Tables"]:
        from .merging import merged
        from .tables import joined

        if self._held:
            self._spill()
        return merged([spills.rows(at) for at in range(spills.segments)], joined)
