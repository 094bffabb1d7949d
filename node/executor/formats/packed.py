"""Read msgpack: one object after the other, whose ends only a reader from the beginning knows.

So a file is not cut: it is one split, and is read as a stream.
"""

from collections.abc import Iterator
from typing import Any

from msgpack import Unpacker
from msgpack.exceptions import BufferFull, FormatError, StackError

from ..faults.wording import UserFault, fault
from ..tasks import MapTask
from .batch import Batch, numbered
from .blocks import record_blocks
from .uncut import check_uncut

OBJECT_BYTES_MAX = 1 << 30

NIL = b"\xc0"
"""One object by itself; after an object that is cut short it would become a part of that."""

BROKEN = "what follows cannot be found, for no object says where the next begins: write the file anew from there"


def packed_batches(task: MapTask) -> Iterator[Batch]:
    """Give objects under their numbers in the file, from 1."""
    number = 1
    for size, objects in packed_objects(task):
        yield Batch(first_line=number, size=size, records=objects, pairing=numbered(number))
        number += len(objects)


def packed_objects(task: MapTask) -> Iterator[tuple[int, list[Any]]]:
    """Give some objects at a time, after the bytes that they take; raises `UserFault` where the file is broken."""
    check_uncut(task, "msgpack")
    unpacker = Unpacker(strict_map_key=False, max_buffer_size=OBJECT_BYTES_MAX)
    number = size = 0
    for block in record_blocks(task.extents, 1):
        objects = _fed(task, unpacker, block, number)
        number += len(objects)
        size += len(block)
        if objects:
            yield size, objects
            size = 0
    if _fed(task, unpacker, NIL, number) != [None]:
        raise _broken(task, unpacker.tell(), number, "the last object is cut short")


def _fed(task: MapTask, unpacker: Unpacker, block: bytes, number: int) -> list[Any]:
    unpacker.feed(block)
    try:
        return list(unpacker)
    except (FormatError, StackError, BufferFull, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise _broken(task, unpacker.tell(), number, reason) from error


def _broken(task: MapTask, offset: int, records: int, reason: str) -> UserFault:
    message = f"not msgpack, after {records} objects or more, at byte {offset}: {reason}"
    return fault("BadRecord", message, hint=BROKEN, file=task.file, line=records + 1)
