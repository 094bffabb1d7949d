"""Read Parquet: a split has the row groups that begin in it, and comes with the footer, which tells where these lie."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from ..arrow import arrow
from ..faults.wording import UserFault, fault
from ..tasks import MapTask
from . import blocks
from .blocks import whole
from .formats import Batch, numbered
from .split_file import SplitFile

MAGIC = b"PAR1"
ENDING_BYTES = 8
"""The length of the footer in four bytes, and the magic word."""

FOOTER_BYTES_MAX = 256 << 20
BUFFER_BYTES = 1 << 20
"""What is read of a column at a time: row groups may be larger than memory."""

REWRITE = "see whether another reader opens the file; pyarrow.parquet.write_table writes one that can be read here"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Where a row group lies in its file, and how many rows it has."""

    begin: int
    end: int
    rows: int


def tail_bytes(ending: bytes, size: int, file: str) -> int:
    """Tell from the last 8 bytes of a file how many bytes its footer takes, with these.

    Raises `UserFault` if it is no Parquet file.
    """
    length = int.from_bytes(ending[:4], "little") + ENDING_BYTES
    if len(ending) != ENDING_BYTES or ending[4:] != MAGIC or length > min(size - len(MAGIC), FOOTER_BYTES_MAX):
        raise fault(
            "BadParquet", f"{file} ends with {ending!r}, and not as a Parquet file does", hint=REWRITE, file=file
        )
    return length


def row_groups(tail: bytes, file: str) -> list[RowGroup]:
    """Read off a footer where the row groups lie; raises `UserFault` if it is damaged."""
    with _blaming(file):
        metadata = _metadata(tail)
        return [_group(metadata.row_group(number), file) for number in range(metadata.num_row_groups)]


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
        for table in _tables(task, file, tail, mine):
            yield line, size * len(table) // rows, table
            line += len(table)


def _tables(task: MapTask, file: SplitFile, tail: bytes, mine: Sequence[int]) -> Iterator[Any]:
    pa = arrow()
    line = task.first_line
    with _blaming(task.file, line):
        metadata = _metadata(tail)
        reader = pa.parquet.ParquetFile(pa.PythonFile(file, mode="r"), metadata=metadata, buffer_size=BUFFER_BYTES)
    for number in mine:
        group = metadata.row_group(number)
        at_once = max(1, blocks.BLOCK_BYTES * group.num_rows // max(1, group.total_byte_size))
        batches = reader.iter_batches(batch_size=at_once, row_groups=[number], use_threads=False)
        while True:
            with _blaming(task.file, line):
                batch = next(batches, None)
                if batch is not None:
                    batch.validate()
            if batch is None:
                break
            line += len(batch)
            yield pa.Table.from_batches([batch]).replace_schema_metadata(None)


def _metadata(tail: bytes) -> Any:
    pa = arrow()
    return pa.parquet.read_metadata(pa.BufferReader(MAGIC + tail))


def _group(group: Any, file: str) -> RowGroup:
    columns = [group.column(number) for number in range(group.num_columns)]
    if any(column.file_path for column in columns):
        raise fault("BadParquet", f"{file} keeps columns in other files", hint=REWRITE, file=file)
    begins = [
        min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset) for column in columns
    ]
    ends = [begin + column.total_compressed_size for begin, column in zip(begins, columns, strict=True)]
    return RowGroup(begin=min(begins, default=0), end=max(ends, default=0), rows=group.num_rows)


@contextmanager
def _blaming(file: str, line: int = 0) -> Iterator[None]:
    """Make a fault of what the library says of a file: its OSErrors mean damage, for we read the bytes."""
    try:
        yield
    except UserFault:
        raise
    except (arrow().ArrowException, OSError, ValueError) as error:
        raise fault("BadParquet", f"{file} cannot be read: {error}", hint=REWRITE, file=file, line=line) from error
