"""Read rows back from a part of a job's output in one of the formats of tables."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from msgpack import Unpacker

from ...node.executor.arrow import arrow
from ...node.executor.faults.wording import UserFault
from ...node.executor.formats.csv_records import FIELD_BYTES_MAX
from ...ring.errors import CallerError

Row = dict[Any, Any]

ROWS_AT_ONCE = 4096


def csv_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Read the rows of comma-separated values under the names in the first line; all values are text."""
    csv.field_size_limit(FIELD_BYTES_MAX)
    return iter(csv.DictReader(_lines(pieces), strict=True))


def packed_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Read rows of msgpack, as the pieces come."""
    unpacker = Unpacker(strict_map_key=False, max_buffer_size=0)
    for piece in pieces:
        unpacker.feed(piece)
        yield from unpacker


def parquet_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Read rows of Parquet, once the whole part is here; raises `CallerError` without pyarrow."""
    return _rows_of(pieces, lambda pa, source: pa.parquet.read_table(source))


def arrow_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Read rows of an Arrow file, once the whole part is here; raises `CallerError` without pyarrow."""
    return _rows_of(pieces, lambda pa, source: pa.ipc.open_file(source).read_all())


def _rows_of(pieces: Iterable[bytes], read: Any) -> Iterator[Row]:
    try:
        pa = arrow()
    except UserFault as fault:
        raise CallerError(f"{fault}; {fault.error.hint}") from fault
    if content := b"".join(pieces):  # a part without rows may be empty
        for batch in read(pa, pa.BufferReader(content)).to_batches(max_chunksize=ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Give lines with their newlines, for a quoted field may hold some."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (f"{str(line, 'utf-8', 'surrogateescape')}\n" for line in lines)
    if rest:
        yield str(rest, "utf-8", "surrogateescape")
