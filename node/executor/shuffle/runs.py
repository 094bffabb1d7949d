"""Write and read runs: what a map attempt leaves for the reducers, in blocks of pickled columns.

A block holds two columns, keys and what was collected for each, pickled without a memo: so equal content gives equal
bytes, whichever objects happened to be one and the same. Records that are passed on make blocks of their own, bytes in
a row (`batches`), which can be read as columns too. A key comes again where its values fill more than a block.
Where blocks end depends on the content and the aim alone. `run_layout` tells where things lie, to peers as well; only
executors look into blocks.
"""

import io
import os
import pickle
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from typing import Any, BinaryIO

from ....ring.digests import chunk_digest
from ..batches.layout import RECORD_KIND, TABLE_KIND
from ..faults.wording import InputUnreadable, blaming_user
from ..formats.outputs import Written
from .run_layout import BLOCK, ENTRY, FOOTER, MAGIC, NO_RECORDS, block_sum, index_range, segment_of, sound_blocks

Columns = tuple[list[Any], list[Any] | tuple[Any, ...]]
"""Keys, and for each the list of its values; a tuple holds one value for each, or the state of an aggregation."""

Row = tuple[Any, Iterable[Any]]
"""A key and its values."""

BLOCK_BYTES = 1 << 20
"""Aim for the size of a block: large enough to read fast, small enough that a reader holds many at once."""

FIRST_UNITS = 128
"""Keys and values in a run's first block; how many the others hold goes by the size of the one before."""

UNITS_MAX = 1 << 20


class RunWriter:
    """Writes a run, segment by segment, in order of the partitions."""

    def __init__(self, file: BinaryIO, block_bytes: int = BLOCK_BYTES) -> None:
        self._file = file
        self._aim = block_bytes
        self._units = FIRST_UNITS
        self._index = bytearray()
        self._table = bytearray()
        self._begin = self._offset = 0
        self._records = self._records_before = 0

    def write_columns(self, columns: Columns) -> None:
        """Write rows that are in memory to the present segment.

        Raises `UserFault` if a key or a value cannot be pickled.
        """
        keys, values = columns
        if not isinstance(values, tuple):
            return self._write_lists(keys, values)
        begin = 0
        while begin < len(keys):
            end = begin + max(1, self._units // 2)
            self._put((keys[begin:end], values[begin:end]))
            begin = end
        return None

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Write rows as they come; the values of one key may be more than fit into memory. Raises as above."""
        keys: list[Any] = []
        lists: list[list[Any]] = []
        units = 0
        for key, some in self._cut(rows):
            keys.append(key)
            lists.append(some)
            units += 1 + len(some)
            if units >= self._units:
                self._put((keys, bared(lists)))
                keys, lists, units = [], [], 0
        if keys:
            self._put((keys, bared(lists)))

    def write_body(self, body: bytes, records: int) -> None:
        """Write a block that is made already, and holds so many records."""
        self._file.write(body)
        self._table += BLOCK.pack(len(body), block_sum(body))
        self._offset += len(body)
        self._records += records

    def end_segment(self) -> None:
        """End the segment of one partition; what comes now is the next one's."""
        self._file.write(self._table)
        self._offset += len(self._table)
        length, records = self._offset - self._begin, self._records - self._records_before
        blocks = len(self._table) // BLOCK.size
        self._index += ENTRY.pack(self._begin, length, records, blocks, chunk_digest(bytes(self._table)))
        self._table.clear()
        self._begin, self._records_before = self._offset, self._records

    def finish(self) -> Written:
        """Write the index and the footer."""
        self._file.write(self._index)
        self._file.write(FOOTER.pack(self._offset, len(self._index), MAGIC))
        size = self._offset + len(self._index) + FOOTER.size
        return Written(digest=chunk_digest(bytes(self._index)), records=self._records, size=size)

    def _cut(self, rows: Iterable[Row]) -> Iterator[tuple[Any, list[Any]]]:
        """Cut the values of a key where they alone would fill a block."""
        for key, values in rows:
            if isinstance(values, list) and len(values) < self._units:
                yield key, values
            else:
                rest = iter(values)
                while some := list(islice(rest, self._units)):
                    yield key, some

    def _write_lists(self, keys: list[Any], lists: list[Any]) -> None:
        """Cut between keys where that does, and within the values of a key that alone would fill a block."""
        ends = list(accumulate(len(values) + 1 for values in lists))
        begin = 0
        while begin < len(keys):
            before = ends[begin - 1] if begin else 0
            end = bisect_right(ends, before + self._units, begin)
            if end == begin:
                self.write_rows([(keys[begin], lists[begin])])
                end = begin + 1
            else:
                self._put((keys[begin:end], bared(lists[begin:end])))
            begin = end

    def _put(self, columns: Columns) -> None:
        """Write a block, or its halves if it is much larger than its like; learn how many units make a block."""
        body = encoded(columns)
        units = len(columns[0]) + count(columns[1])
        self._units = min(UNITS_MAX, max(1, self._aim * units // len(body)))
        if len(body) > 2 * self._aim and units > 2:
            del body
            for half in _halves(columns):
                self._put(half)
            return
        self.write_body(body, count(columns[1]))


def write_run(file: BinaryIO, segments: Iterable[Columns], block_bytes: int = BLOCK_BYTES) -> Written:
    """Write whole segments in order of their partitions; raises `UserFault` if something cannot be pickled."""
    writer = RunWriter(file, block_bytes)
    for columns in segments:
        writer.write_columns(columns)
        writer.end_segment()
    return writer.finish()


class RunReader:
    """Reads the blocks of an open run; what is wrong with the file is told as `InputUnreadable`."""

    def __init__(self, file: BinaryIO, digest: bytes = b"") -> None:
        """Read the index, which must have that digest if one is given."""
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        begin, length = index_range(self._read(self._size - FOOTER.size, FOOTER.size))
        self._index = self._read(begin, length)
        if digest and chunk_digest(self._index) != digest:
            raise InputUnreadable("it is not the run that was sealed")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def bodies(self, partition: int) -> Iterator[bytes]:
        """Give one partition's blocks as they lie there."""
        return sound_blocks(self._read, segment_of(self._index, partition))

    def blocks(self, partition: int) -> Iterator[Columns]:
        """Give one partition's blocks; raises `UserFault` if a value cannot be unpickled."""
        return map(decoded, self.bodies(partition))

    def _read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > self._size:
            raise InputUnreadable("it is cut short or damaged")
        try:
            body = os.pread(self._file.fileno(), length, offset)
        except OSError as error:
            raise InputUnreadable(str(error)) from error
        if len(body) != length:
            raise InputUnreadable("it was cut short while it was read")
        return body


def segment_bodies(path: str, partition: int, digest: bytes) -> Iterator[bytes]:
    """Give the blocks of one partition of the run that has that digest.

    Raises `InputUnreadable` if the file is missing, is damaged, or is another run.
    """
    if digest == NO_RECORDS:
        return
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - spares the import of pathlib
            yield from RunReader(file, digest).bodies(partition)
    except OSError as error:
        raise InputUnreadable(f"cannot read {path}: {error.strerror}") from error
    except InputUnreadable as error:
        raise InputUnreadable(f"cannot read partition {partition} of {path}: {error}") from error


def encoded(columns: Columns) -> bytes:
    """Pickle without the memo, which would tell one object met twice from two equal ones.

    Raises `UserFault` if a key or a value cannot be pickled.
    """
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = True
    with blaming_user():
        pickler.dump(columns)
    return buffer.getvalue()


def decoded(body: bytes) -> Columns:
    """Unpickle a block, or make columns of one of records; raises `UserFault` if a value cannot be unpickled."""
    if body.startswith(RECORD_KIND):
        from ..batches.records import columns_of_body  # late: only such blocks need numpy

        return columns_of_body(body)
    if body.startswith(TABLE_KIND):
        from ..batches import tables  # late: only such blocks need pyarrow

        return tables.columns_of_body(body)
    with blaming_user():
        columns: Columns = pickle.loads(body)
    return columns


def bared(lists: list[list[Any]]) -> list[Any] | tuple[Any, ...]:
    """Spare the lists where each has one value, as after most combiners: reading them would cost more than merging."""
    return tuple([value for (value,) in lists]) if set(map(len, lists)) == {1} else lists


def count(values: list[Any] | tuple[Any, ...]) -> int:
    """Count the records in a column of values."""
    return len(values) if isinstance(values, tuple) else sum(map(len, values))


def _halves(columns: Columns) -> tuple[Columns, Columns]:
    """Cut rows in two, or the values of a single row."""
    keys, values = columns
    if len(keys) > 1:
        middle = len(keys) // 2
        return (keys[:middle], values[:middle]), (keys[middle:], values[middle:])
    (only,) = values
    middle = len(only) // 2
    return (keys, [only[:middle]]), (keys, [only[middle:]])
