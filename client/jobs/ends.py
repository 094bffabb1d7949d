"""Look at the beginning or the end of input files, where their format says there how all the rest is to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ...node.executor.faults.wording import UserFault
from ...ring.errors import CallerError
from ...scheduling.splits import Border
from ..store.chunks import ChunkReader
from .inputs import Input, LocalInput, RingInput

FIRST_LOOK_BYTES = 16 << 10
"""Most files tell what they hold within so many bytes."""

Look = Callable[[int, int], bytes]
"""Gives the bytes between two positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The bytes at a file's ends that each of its splits comes with, and where the blocks between them begin.

    A block is a position and the records before it.
    """

    head: int = 0
    tail: int = 0
    blocks: tuple[Border, ...] = ()
    records: int = 0


def ends_of(item: Input, input_format: str, reader: ChunkReader) -> Ends:
    """Look at the ends of a file, of which most formats know nothing.

    Raises:
        CallerError: it is not what the format promises.
        WorldError: it cannot be read.
    """
    match input_format:
        case "csv":
            read = _csv_ends
        case "parquet":
            read = _parquet_ends
        case _:
            return Ends()
    try:
        return read(item, lambda begin, end: _bytes_of(item, begin, end, reader))
    except UserFault as fault:
        raise CallerError(f"{item.name}: {fault}; {fault.error.hint}".rstrip("; ")) from fault


def _csv_ends(item: Input, look: Look) -> Ends:
    from ...node.executor.formats.csv_records import HEAD_BYTES_MAX, names_in  # late: few jobs need it

    head = b""
    for room in (FIRST_LOOK_BYTES, HEAD_BYTES_MAX + 1):
        head = look(0, min(room, item.size))
        if b"\n" in head:
            head = head[: head.find(b"\n") + 1]
            break
    names_in(head, item.name)
    return Ends(head=len(head))


def _parquet_ends(item: Input, look: Look) -> Ends:
    from ...node.executor.formats.footer import ENDING_BYTES, row_groups, tail_bytes

    tail = tail_bytes(look(max(0, item.size - ENDING_BYTES), item.size), item.size, item.name)
    groups = row_groups(look(item.size - tail, item.size), item.name)
    before = accumulate((group.rows for group in groups), initial=0)
    blocks = tuple((group.begin, rows) for group, rows in zip(groups, before, strict=False))
    in_order = all(here.end <= there.begin for here, there in pairwise(groups))
    return Ends(tail=tail, blocks=blocks if in_order else (), records=sum(group.rows for group in groups))


def _bytes_of(item: Input, begin: int, end: int, reader: ChunkReader) -> bytes:
    match item:
        case LocalInput():
            try:
                with item.path.open("rb") as file:
                    file.seek(begin)
                    return file.read(end - begin)
            except OSError as error:
                raise CallerError(f"input {item.name}: {error.strerror or error}") from error
        case RingInput():
            pieces, position = [], 0
            for chunk in item.file.chunks:
                first, last = max(begin - position, 0), min(end - position, chunk.size)
                if first < last:
                    pieces.append(reader.part(chunk, first, last))
                position += chunk.size
            return b"".join(pieces)
