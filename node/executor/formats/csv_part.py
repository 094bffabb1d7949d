"""Write parts of comma-separated values: a line with the names of the columns, and one for each row.

A field is quoted where it must be, and only there; None is nothing. It is our own spelling, for that of the library
differs between versions of Python, and equal rows must give equal bytes.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..arrow import arrow
from .columns import check_names, rows_of

SPECIAL = '[",\r\n]'
"""What makes a field be quoted."""

_special = re.compile(SPECIAL)


class CsvPart:
    """Writes one part."""

    def __init__(self) -> None:
        self._names: list[Any] = []

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Write pairs."""
        rows = rows_of(pairs)
        head = self._begin(list(rows[0])) if rows else ""
        for row in rows:
            if len(row) != len(self._names) or not all(map(row.__contains__, self._names)):
                check_names(row, self._names)
        return head.encode() + _lines([row.get(name) for name in self._names] for row in rows)

    def table(self, table: Any) -> bytes:
        """Write rows of a table."""
        if not len(table):
            return b""
        head = self._begin(table.column_names)
        check_names(table.column_names, self._names)
        for name in self._names:
            if name not in table.column_names:
                table = table.append_column(name, arrow().nulls(len(table)))
        table = table.select(self._names)
        lines = _lines_at_once(table)
        return head.encode() + (_lines(zip(*map(_objects, table.columns), strict=True)) if lines is None else lines)

    def end(self) -> bytes:
        """Write no more."""
        return b""

    def _begin(self, names: list[Any]) -> str:
        if self._names:
            return ""
        self._names = names
        return _line(names)


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    return "".join(map(_line, rows)).encode("utf-8", "surrogateescape")


def _line(fields: Sequence[Any]) -> str:
    line = ",".join(map(_field, fields))
    return f"{line}\n" if line else '""\n'


def _field(value: Any) -> str:
    text = value if type(value) is str else _text(value)
    return '"' + text.replace('"', '""') + '"' if _special.search(text) else text


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _objects(column: Any) -> list[Any]:
    return list(column.to_pylist())


def _lines_at_once(table: Any) -> bytes | None:
    """Write rows of text and numbers without making objects of them; None where that cannot be done."""
    pa = arrow()
    if len(table.columns) < 2 or any(
        pa.types.is_binary(kind) or pa.types.is_nested(kind) for kind in table.schema.types
    ):
        return None
    fields = [_fields(column) for column in table.columns]
    join = pa.compute.binary_join_element_wise
    lines = join(join(*fields, ","), "\n", "")
    if isinstance(lines, pa.ChunkedArray):
        lines = lines.combine_chunks()
    return b"".join(map(_content, lines.chunks if isinstance(lines, pa.ChunkedArray) else [lines]))


def _may_be_bytes(kind: Any) -> bool:
    types = arrow().types
    return any(test(kind) for test in (types.is_binary, types.is_large_binary, types.is_dictionary, types.is_nested))


def _fields(column: Any) -> Any:
    """Spell a column as `_field` does its values."""
    pa = arrow()
    compute, text = pa.compute, pa.string()
    if pa.types.is_string(column.type) or pa.types.is_integer(column.type):
        fields = column.cast(text)
    else:
        fields = pa.chunked_array([pa.array(map(_text, column.to_pylist()), text)])
    fields = compute.fill_null(fields, "")
    special = compute.match_substring_regex(fields, SPECIAL)
    if not compute.any(special).as_py():
        return fields
    quoted = compute.binary_join_element_wise('"', compute.replace_substring(fields, '"', '""'), '"', "")
    return compute.if_else(special, quoted, fields)


def _content(texts: Any) -> bytes:
    """Give the bytes of an array of text, one after the other as they lie there."""
    _, offsets, content = texts.buffers()
    begin, end = (
        int.from_bytes(offsets[4 * at : 4 * at + 4], "little") for at in (texts.offset, texts.offset + len(texts))
    )
    return bytes(content[begin:end]) if end > begin else b""
