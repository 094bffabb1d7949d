"""Hold records of one length as rows of bytes, and deal, sort and write them without making objects of them.

It imports numpy: import it where records are at hand, and not before.
"""

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..formats.formats import Encode
from ..formats.outputs import PartWriter
from ..formats.pair_parts import FixedLength
from .layout import RECORD_KIND, Layout
from .rows import RowKind

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[Any]
"""Numbers of rows, or of partitions."""

HEADER = struct.Struct(">cIII")

PREFIX_BYTES = 8
"""What of a key is compared as one number; the few keys that are equal so far are compared whole."""

WRITE_BYTES = 1 << 20

NEWLINE = 10


class Records:
    """Rows of bytes, with a layout that says what of them is key and value."""

    __slots__ = ("layout", "rows")

    def __init__(self, layout: Layout, rows: Bytes) -> None:
        self.layout = layout
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Count the bytes."""
        return self.rows.nbytes

    def part(self, begin: int, end: int) -> "Records":
        """Give some adjoining rows."""
        return Records(self.layout, self.rows[begin:end])

    def taken(self, places: Places) -> "Records":
        """Give the rows at these places, in that order."""
        return Records(self.layout, self.rows.take(places, axis=0))

    def key(self, place: int) -> bytes:
        """Give the key of one row."""
        return self.rows[place, : self.layout.key_bytes].tobytes()

    def keys(self) -> list[bytes]:
        """Make an object of each key, for those who need that."""
        return self._cut(0, self.layout.key_bytes)

    def values(self) -> list[bytes]:
        """Make an object of each value."""
        return self._cut(0, self.layout.value_bytes)

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk through the records one by one."""
        return zip(self.keys(), self.values(), strict=True)

    def dealt(self, numbers: Places, partitions: int) -> list["Records"]:
        """Deal the rows out by the numbers of their partitions; within one they keep their order."""
        ordered = self.taken(numbers.astype(np.uint16).argsort(kind="stable"))
        ends = np.bincount(numbers, minlength=partitions).cumsum().tolist()
        return [ordered.part(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]

    def ranges(self, cuts: Sequence[bytes]) -> Places:
        """Give for each key how many of the ascending cuts, none longer than a key, are not above it."""
        numbers = np.zeros(len(self), np.intp)
        if cuts:
            words, limits = self._prefixes(), _words_of(cuts)
            numbers = np.searchsorted(limits, words, side="right")
            unclear = np.flatnonzero(limits.take(numbers - 1, mode="clip") == words)
            whole = _whole(self.rows[unclear, : self.layout.key_bytes])
            numbers[unclear] = np.searchsorted(np.array(cuts, whole.dtype), whole, side="right")
        return numbers

    def order(self) -> Places:
        """Give the places of the rows in the order of their keys; equal keys keep theirs."""
        words = self._prefixes()
        order = words.argsort()
        ranked = words[order]
        same = ranked[1:] == ranked[:-1]
        if same.any():
            alike = np.zeros(len(order), np.bool_)
            alike[1:] |= same
            alike[:-1] |= same
            some = np.sort(order[alike])
            order[alike] = some[_whole(self.rows[some, : self.layout.key_bytes]).argsort(kind="stable")]
        return order

    def sorted(self) -> "Records":
        """Give all rows in the order of their keys."""
        return self.taken(self.order())

    def before(self, key: bytes, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is not below this one."""
        return bisect_left(range(len(self)), key, begin, key=self.key)

    def up_to(self, key: bytes, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is above this one."""
        return bisect_right(range(len(self)), key, begin, key=self.key)

    def _prefixes(self) -> Places:
        length = min(PREFIX_BYTES, self.layout.key_bytes)
        heads = np.zeros((len(self), PREFIX_BYTES), np.uint8)
        heads[:, :length] = self.rows[:, :length]
        return heads.view(">u8").ravel().astype(np.uint64)

    def _cut(self, begin: int, end: int) -> list[bytes]:
        content, length = self.rows[:, begin:end].tobytes(), end - begin
        if not length:
            return [b""] * len(self)
        return [content[at : at + length] for at in range(0, len(content), length)]


def records_of(layout: Layout, content: bytes | bytearray | memoryview) -> Records:
    """See bytes as rows; they must be a whole number of them."""
    return Records(layout, np.frombuffer(content, np.uint8).reshape(-1, layout.width))


def records_of_lines(block: bytes) -> Records | None:
    """See lines as rows, each under itself; None unless all are of one length and end with a newline alone."""
    width = block.find(b"\n") + 1
    if width < 2 or len(block) % width or b"\r" in block:
        return None
    rows = np.frombuffer(block, np.uint8).reshape(-1, width)
    ends = rows == NEWLINE
    if not ends[:, -1].all() or int(np.count_nonzero(ends)) != len(rows):
        return None
    return Records(Layout(width, width - 1, 1), rows)


def records_of_array(given: npt.NDArray[Any], key_bytes: int | None) -> Records | None:
    """See an array of byte strings as rows, with so many bytes for key, or all; None for any other array."""
    if given.dtype.kind not in "SV" or given.ndim != 1 or given.dtype.fields is not None or not given.dtype.itemsize:
        return None
    width = given.dtype.itemsize
    rows = np.ascontiguousarray(given).view(np.uint8).reshape(-1, width)
    return Records(Layout(width, min(key_bytes or width, width)), rows)


def joined(parts: Sequence[Records]) -> Records:
    """Put records of one layout, of which there is at least one part, into one array."""
    return Records(parts[0].layout, np.concatenate([part.rows for part in parts]))


def bodies_of(pieces: Iterable[Records], block_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Make blocks of about so many bytes of records, which may differ in layout; gives each with its records."""
    held: list[Records] = []
    room = 0
    for piece in pieces:
        for some in _small(piece, block_bytes):
            if held and (room < some.rows.nbytes or held[0].layout != some.layout):
                yield _body(held)
                held = []
            room = (room if held else block_bytes) - some.rows.nbytes
            held.append(some)
    if held:
        yield _body(held)


def records_of_body(body: bytes) -> Records:
    """See a block of a run as records again."""
    _, width, key_bytes, ending = HEADER.unpack_from(body)
    return records_of(Layout(width, key_bytes, ending), memoryview(body)[HEADER.size :])


RECORDS = RowKind(bodies=bodies_of, of_body=records_of_body, joined=joined)


def columns_of_body(body: bytes) -> tuple[list[bytes], tuple[bytes, ...]]:
    """Make the columns of a block of pairs: each value under its key."""
    records = records_of_body(body)
    return records.keys(), tuple(records.values())


def _small(piece: Records, block_bytes: int) -> Iterator[Records]:
    rows = max(1, block_bytes // piece.layout.width)
    return (piece.part(begin, begin + rows) for begin in range(0, len(piece), rows))


def _body(held: list[Records]) -> tuple[bytes, int]:
    header = HEADER.pack(RECORD_KIND, *held[0].layout)
    return b"".join((header, *(some.rows.data for some in held))), sum(map(len, held))


def _words_of(keys: Iterable[bytes]) -> Places:
    heads = b"".join([key[:PREFIX_BYTES].ljust(PREFIX_BYTES, b"\0") for key in keys])
    return np.frombuffer(heads, ">u8").astype(np.uint64)


def _whole(keys: Bytes) -> Places:
    """See keys as strings of one length: numpy compares these byte by byte, and zeros at the end are none the less."""
    return np.ascontiguousarray(keys).view(f"S{keys.shape[1]}").ravel()


def write_to(part: PartWriter, records: Records, encode: Encode) -> None:
    """Write the values as `fixed` or `values` does: with nothing between them, or as lines.

    Raises `UserFault` for values of another length than those before, if there is nothing between them.
    """
    lines = not isinstance(encode, FixedLength)
    if isinstance(encode, FixedLength) and len(records):
        encode.check(records.layout.value_bytes)
    step = max(1, WRITE_BYTES // records.layout.width)
    for begin in range(0, len(records), step):
        some = records.part(begin, begin + step)
        rows = _as_lines(some) if lines else some.rows[:, : some.layout.value_bytes]
        part.write_block(rows.tobytes(), int(np.count_nonzero(rows == NEWLINE)), len(rows))


def _as_lines(records: Records) -> Bytes:
    if records.layout.ending:
        return records.rows
    lines = np.full((len(records), records.layout.width + 1), NEWLINE, np.uint8)
    lines[:, :-1] = records.rows
    return lines
