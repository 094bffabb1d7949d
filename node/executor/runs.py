"""Keep a map attempt's output as one file, a *run*: a segment for each partition, then an index, then a footer.

    segment 0 | segment 1 | ... | index: offset, length, records, digest of each | footer: offset, length of the index

A segment holds two columns, keys and what was collected for each, pickled without a memo: so equal
content gives equal bytes, whichever objects happened to be one and the same. The digest of the index names the run, and
vouches through the segments' digests for every byte. `run_layout` tells where things lie, to peers as well; only
executors look into segments.
"""

import io
import os
import pickle
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

from ...ring.digests import chunk_digest
from .faults import InputUnreadable, blaming_user
from .outputs import Written
from .run_layout import ENTRY, FOOTER, MAGIC, index_range

Columns = tuple[list[Any], list[Any] | tuple[Any, ...]]
"""Keys, and for each the list of its values, or the state of a named aggregation; a tuple holds one value for each."""


def write_run(file: BinaryIO, segments: Iterable[tuple[Columns, int]]) -> Written:
    """Write the segments in order of their partitions, each given with its number of records.

    Raises `UserFault` if a key or a value cannot be pickled.
    """
    index = bytearray()
    offset = records = 0
    for columns, count in segments:
        body = encoded(columns)
        file.write(body)
        index += ENTRY.pack(offset, len(body), count, chunk_digest(body))
        offset += len(body)
        records += count
    file.write(index)
    file.write(FOOTER.pack(offset, len(index), MAGIC))
    return Written(digest=chunk_digest(bytes(index)), records=records, size=offset + len(index) + FOOTER.size)


def read_segment(path: str, partition: int, digest: bytes) -> Columns:
    """Read one partition of the run that has that digest.

    Raises `InputUnreadable` if the file is missing, is damaged, or is another run; `UserFault` if a value cannot be
    unpickled.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - spares the import of pathlib
            begin, length = index_range(_read_at(file, -FOOTER.size, FOOTER.size))
            index = _read_at(file, begin, length)
            if chunk_digest(index) != digest:
                raise InputUnreadable(f"{path} is not the run that was sealed")
            offset, size, _, segment_digest = ENTRY.unpack_from(index, partition * ENTRY.size)
            body = _read_at(file, offset, size)
    except (OSError, struct.error) as error:
        raise InputUnreadable(f"cannot read {path}: {error}") from error
    if chunk_digest(body) != segment_digest:
        raise InputUnreadable(f"partition {partition} of {path} is damaged")
    with blaming_user():
        columns: Columns = pickle.loads(body)
    return columns


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


def _read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Read exactly these bytes; a negative offset counts from the end."""
    size = os.fstat(file.fileno()).st_size
    begin = offset + size if offset < 0 else offset
    if begin < 0 or begin + length > size:
        raise InputUnreadable(f"{file.name} is cut short or damaged")
    file.seek(begin)
    body = file.read(length)
    if len(body) != length:
        raise InputUnreadable(f"{file.name} was cut short while it was read")
    return body
