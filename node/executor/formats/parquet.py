"""Read Parquet: a split has the row groups that begin in it, and comes with the footer, which tells where these lie."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from ..arrow import arrow, plain_table
from ..faults.wording import UserFault, fault
from ..tasks import MapTask
from . import blocks
from .batch import Batch, numbered
from .blocks import whole
from .footer import MAGIC, REWRITE, RowGroup, row_groups
from .split_file import SplitFile

ROWS_MAX = 1 << 20
"""Rows that come at a time, however small a file says they are."""

BUFFER_BYTES = 1 << 20
"""What is read of a column at a time: row groups may be larger than memory."""


def parquet_batches(task: MapTask) -> Iterator[Batch]:
    """Give rows as dicts, under their numbers in the file."""
    for number, size, table in parquet_tables(task):
        with _blaming(task.file, number):
            rows = table.to_pylist()
        yield Batch(first_line=number, size=size, records=rows, pairing=numbered(number))


def parquet_tables(task: MapTask) -> Iterator[tuple[int, int, Any]]:
    """Give tables of about 1 MiB, each after the number of its first row and its share of the split's bytes."""
    size = sum(extent.length for extent in task.extents)
    tail = whole(task.tail)
    groups = row_groups(tail, task.file)
    mine = [number for number, group in enumerate(groups) if 0 <= group.begin - task.first_byte < size]
    rows = sum(groups[number].rows for number in mine) or 1
    line = task.first_line
    with closing(SplitFile(task)) as file:
        for table in _tables(task, file, tail, {number: groups[number] for number in mine}):
            yield line, size * len(table) // rows, table
            line += len(table)


def _tables(task: MapTask, file: SplitFile, tail: bytes, mine: Mapping[int, RowGroup]) -> Iterator[Any]:
    pa = arrow()
    line = task.first_line
    with _blaming(task.file, line):
        metadata = _metadata(tail)
        reader = pa.parquet.ParquetFile(pa.PythonFile(file, mode="r"), metadata=metadata, buffer_size=BUFFER_BYTES)
    for number, group in mine.items():
        at_once = min(max(1, blocks.BLOCK_BYTES * group.rows // max(1, group.bytes)), ROWS_MAX)
        batches = reader.iter_batches(batch_size=at_once, row_groups=[number], use_threads=False)
        while True:
            with _blaming(task.file, line):
                batch = next(batches, None)
                if batch is None:
                    break
                batch.validate()
                table = plain_table(batch)
            line += len(table)
            yield table


def _metadata(tail: bytes) -> Any:
    pa = arrow()
    return pa.parquet.read_metadata(pa.BufferReader(MAGIC + tail))


@contextmanager
def _blaming(file: str, line: int = 0) -> Iterator[None]:
    """Make a fault of what the library says of a file: its OSErrors mean damage, for we read the bytes."""
    try:
        yield
    except UserFault:
        raise
    except (arrow().ArrowException, OSError, ValueError) as error:
        raise fault("BadParquet", f"{file} cannot be read: {error}", hint=REWRITE, file=file, line=line) from error
