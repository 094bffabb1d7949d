"""Read off the footer of a Parquet file where its row groups lie, by ourselves: the library aborts on damaged ones.

It is a struct of Thrift's compact protocol. So that the client need not fear a file, no more is believed of it than
that it is bytes; an executor, which may die of it, reads it with the library as well.
"""

import struct
from dataclasses import dataclass
from typing import Any

from ..faults.wording import fault

MAGIC = b"PAR1"
ENDING_BYTES = 8
"""The length of the footer in four bytes, and the magic word."""

FOOTER_BYTES_MAX = 256 << 20
DEPTH_MAX = 16
"""A footer nests half as deep."""

REWRITE = "see whether another reader opens the file; pyarrow.parquet.write_table writes one that can be read here"

STOP, TRUE, FALSE, BYTE, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12

ROW_GROUPS = 4
COLUMNS, BYTES, ROWS = 1, 2, 3
FILE_PATH, META_DATA = 1, 3
COMPRESSED, DATA_PAGE, DICTIONARY_PAGE = 7, 9, 11
"""Numbers of fields: of the file, a row group, a column in it, and what is told of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """Where a row group lies in its file, its rows, and the bytes that they take when they are read."""

    begin: int
    end: int
    rows: int
    bytes: int


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
    """Give the row groups, in the order of the footer; raises `UserFault` if it is damaged."""
    try:
        groups = _Compact(tail).struct(0).get(ROW_GROUPS, [])
        return [_group(group) for group in groups]
    except (ValueError, TypeError, LookupError, AttributeError, struct.error) as error:
        raise fault("BadParquet", f"the footer of {file} is damaged: {error}", hint=REWRITE, file=file) from error


def _group(group: dict[int, Any]) -> RowGroup:
    begins, ends = [], []
    for column in group[COLUMNS]:
        if column.get(FILE_PATH):
            raise ValueError("it keeps columns in other files")
        about = column[META_DATA]
        begins.append(min(filter(None, (about.get(DICTIONARY_PAGE), about[DATA_PAGE])), default=0))
        ends.append(begins[-1] + about[COMPRESSED])
    found = RowGroup(begin=min(begins, default=0), end=max(ends, default=0), rows=group[ROWS], bytes=group[BYTES])
    if min(found.begin, found.end - found.begin, found.rows, found.bytes) < 0:
        raise ValueError("a row group has less than nothing")
    return found


class _Compact:
    """Reads Thrift's compact protocol: structs as dicts of what stands under the numbers of their fields."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        """Read a struct; raises `ValueError` or `LookupError` for what is none."""
        if depth > DEPTH_MAX:
            raise ValueError("it nests too deep")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != STOP:
            kind, step = head & 15, head >> 4
            number = number + step if step else self._number()
            fields[number] = kind == TRUE if kind in {TRUE, FALSE} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind <= BYTE:
            return self._byte()
        if kind <= I64:
            return self._number()
        if kind == DOUBLE:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in {LIST, SET}:
            return self._list(depth)
        if kind == MAP:
            return self._map(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise ValueError(f"there is no type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        self._check(count)
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> dict[Any, Any]:
        count = self._varint()
        self._check(count)
        kinds = self._byte() if count else 0
        return {self._value(kinds >> 4, depth + 1): self._value(kinds & 15, depth + 1) for _ in range(count)}

    def _check(self, count: int) -> None:
        if count > len(self._content) - self._at:
            raise ValueError("it is cut short")

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, length: int) -> bytes:
        self._check(length)
        self._at += length
        return self._content[self._at - length : self._at]

    def _number(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

    def _varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
            if shift > 63:
                raise ValueError("a number is too long")
