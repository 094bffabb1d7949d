"""Bring what a map attempt collects into its run: dealt out to partitions, and by way of sorted spills if it is much.

A run that was made in memory has its keys in the order in which they came, which is as certain as the sorted one: the
reducer brings them together by key and sorts once, and that is half the sorting. One that was merged from spills is
sorted. Which it is depends on the split's content and on the job's budget alone (see `memory`), so all attempts at a
split give the same bytes.
"""

from collections.abc import Iterator
from os.path import dirname
from typing import TYPE_CHECKING, Any, BinaryIO

from ..faults.wording import blaming_user
from ..formats.outputs import Written
from .combining import RunCollector
from .dealing import Dealer
from .memory import block_bytes
from .runs import Columns, RunWriter
from .spilling import Spills, sorted_columns

if TYPE_CHECKING:
    from ..batches.records import Records
    from ..batches.shuffling import RowShuffle
    from ..batches.tables import Tables


class Shuffle:
    """Takes the groups of a collector, once or many times, and makes one run of them."""

    def __init__(
        self,
        collector: RunCollector,
        partitions: int,
        dealer: Dealer,
        memory: int,
        output: str,
        cuts: list[bytes] | None = None,
    ) -> None:
        """Let the spills lie where the output does; `memory` is the attempt's budget in bytes.

        With `cuts` keys of bytes are dealt by these, as the dealer does.
        """
        self._output = output
        self._cuts = cuts
        self._records: RowShuffle[Records] | None = None
        self._tables: RowShuffle[Tables] | None = None
        self._collector = collector
        self._partitions = partitions
        self._dealer = dealer
        self._memory = memory
        self._spills = Spills(dirname(output), memory, collector.shortened)  # noqa: PTH120 - spares an import

    def pass_on(self, records: "Records") -> None:
        """Take records that need not become pairs; none may come after pairs, for they are written before these."""
        if self._records is None:
            from ..batches.records import RECORDS  # late: only such jobs need numpy
            from ..batches.shuffling import RowShuffle, dealing_records

            deal = dealing_records(self._partitions, self._dealer, self._cuts)
            self._records = RowShuffle(RECORDS, deal, self._partitions, self._memory, self._output)
        self._records.add(records)

    def pass_rows_on(self, rows: "Tables") -> None:
        """Take rows of tables, as `pass_on` does records; no attempt passes on both."""
        if self._tables is None:
            from ..batches.shuffling import RowShuffle  # late: only such jobs need pyarrow
            from ..batches.tables import TABLES, dealing_tables

            deal = dealing_tables(self._partitions, self._dealer)
            self._tables = RowShuffle(TABLES, deal, self._partitions, self._memory, self._output)
        self._tables.add(rows)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing has come that would be in the run."""
        return self._records is None and self._tables is None and not self._spills and not self._collector.groups

    def spill(self) -> None:
        """Write all that is collected to a sorted spill; raises as `Spills.add`."""
        self._spills.add(map(_sorted, self._segments()))

    def write(self, file: BinaryIO) -> Written:
        """Write the run; raises `UserFault` for keys and values that cannot be part of one."""
        writer = RunWriter(file, block_bytes(self._memory))
        if self._spills:
            self.spill()
        segments = self._segments()
        for partition in range(self._partitions):
            for passed in (self._records, self._tables):
                for body, records in passed.bodies(partition) if passed is not None else ():
                    writer.write_body(body, records)
            if self._spills:
                writer.write_rows(self._spills.merged(partition))
            else:
                writer.write_columns(next(segments))
            writer.end_segment()
        return writer.finish()

    def close(self) -> None:
        """Give back the room that spills take."""
        self._spills.close()
        for passed in (self._records, self._tables):
            if passed is not None:
                passed.close()

    def _segments(self) -> Iterator[Columns]:
        """Give each partition its columns, and leave the collector empty."""
        groups = self._collector.groups
        with blaming_user():
            shares = self.deal(groups)
        groups.clear()
        shares.reverse()
        while shares:
            keys, values = shares.pop()
            yield keys, self._collector.column(values)

    def deal(self, groups: dict[Any, Any]) -> list[tuple[list[Any], list[Any]]]:
        """Deal the keys, each with what was collected for it, out to the partitions."""
        partitions = self._partitions
        numbers = self._dealer(groups)
        if partitions == 1:
            return [(list(groups), list(groups.values()))]
        shares: list[tuple[list[Any], list[Any]]] = [([], []) for _ in range(partitions)]
        appends = [(keys.append, values.append) for keys, values in shares]
        for key, value, number in zip(groups, groups.values(), numbers, strict=True):
            append_key, append_value = appends[number]
            append_key(key)
            append_value(value)
        return shares


def _sorted(columns: Columns) -> Columns:
    with blaming_user():
        keys, values = sorted_columns(*columns)
    return keys, tuple(values) if isinstance(columns[1], tuple) else values
