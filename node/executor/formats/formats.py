"""Turn bytes into records and pairs into bytes: the input and output formats by name.

A line ends with a newline or a carriage return and a newline, and with nothing else. In the text formats it is
decoded as UTF-8; a byte order mark is not taken off.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import accumulate, chain
from operator import length_hint
from typing import Any, TypeVar

from ..arrow import arrow
from ..batches.layout import FIXED, TABLES, WRITES_TABLES, fixed_layout
from ..faults.wording import BadRecord, fault
from ..tasks import MapTask
from .blocks import line_blocks, record_blocks, whole

Pairs = Iterator[tuple[Any, Any]]
Pairing = Callable[[Iterator[Any]], Pairs]
Encode = Callable[[list[tuple[Any, Any]]], bytes]
ReadLine = Callable[[int, bytes], tuple[Any, Any] | None]
"""Makes a record of a line, given its number: None where it is none, as the first line of CSV."""

Format = TypeVar("Format")


class Batch:
    """Some records in a row, and how far the walk through them has come: known at no cost to the walk itself."""

    __slots__ = ("_pairing", "_records", "_walk", "first_line", "size")

    def __init__(self, *, first_line: int, size: int, records: list[Any], pairing: Pairing) -> None:
        self.first_line = first_line
        self.size = size
        self._records = records
        self._pairing = pairing
        self._walk = iter(records)

    def __len__(self) -> int:
        return len(self._records)

    def pairs(self) -> Pairs:
        """Walk through the records as pairs of key and value."""
        return self._pairing(self._walk)

    @property
    def count(self) -> int:
        """Count the records."""
        return len(self._records)

    @property
    def taken(self) -> int:
        """Count the records that the walk has taken: a list's iterator knows what is left."""
        return len(self._records) - length_hint(self._walk)

    @property
    def line(self) -> int:
        """Give the number of the line that was taken last."""
        return self.first_line + max(self.taken - 1, 0)

    @property
    def record(self) -> Any:
        """Give the record that was taken last."""
        return self._records[max(self.taken - 1, 0)] if self._records else ""


def input_format(name: str) -> Callable[[MapTask], Iterator[Batch]]:
    """Find an input format; raises `UserFault` if there is none of that name."""
    fixed = fixed_layout(name)
    if fixed is not None:
        return partial(_fixed, *fixed)
    if name in {"parquet", "arrow"}:
        arrow()
    return _known("input", name, _INPUTS, TABLES)


def line_format(name: str, task: MapTask) -> ReadLine | None:
    """Find what makes records of a split's lines, one by one; None for formats that need to see more than a line.

    What it gives may raise whatever it is that keeps a line from being a record.
    """
    if name == "csv":
        from .csv_records import csv_line

        return csv_line(task)
    return _OF_LINES.get(name)


def output_format(name: str) -> Encode:
    """Find an output format, for one part; raises `UserFault` if there is none of that name."""
    if name in WRITES_TABLES:
        from .table_parts import table_part  # late: few jobs need it

        return table_part(name)
    return FixedLength() if name == FIXED else _known("output", name, _OUTPUTS, WRITES_TABLES)


def _known(kind: str, name: str, table: dict[str, Format], others: Collection[str]) -> Format:
    found = table.get(name)
    if found is None:
        names = ", ".join(sorted({*table, *others, FIXED}))
        raise fault("UnknownFormat", f"there is no {kind} format {name!r}; there are {names}")
    return found


def lines_of(text: str) -> list[str]:
    """Split at newlines, and at nothing else that `str.splitlines` takes for one."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def byte_lines(block: bytes) -> list[bytes]:
    """Split at newlines, without what ends the lines."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    lines = block.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def decoded(task: MapTask, first_line: int, block: bytes) -> str:
    """Decode lines of a split's file; raises `UserFault` that names the line that is not UTF-8."""
    try:
        return str(block, "utf-8")
    except UnicodeDecodeError as error:
        begin = block.rfind(b"\n", 0, error.start) + 1
        end = block.find(b"\n", error.start)
        raise fault(
            "UnicodeDecodeError",
            f"bytes {block[error.start : error.end + 4].hex(' ')} are not UTF-8 ({error.reason})",
            hint="--input-format bytes-lines gives each line as bytes, to decode as you see fit",
            file=task.file,
            line=first_line + block.count(b"\n", 0, error.start),
            record=block[begin : end if end >= 0 else len(block)],
        ) from error


def _text_batches(task: MapTask, pairing_from: Callable[[int], Pairing]) -> Iterator[Batch]:
    """Give batches of decoded lines; `pairing_from` gets the number of a batch's first line."""
    number = task.first_line
    for block in line_blocks(task.extents):
        lines = lines_of(decoded(task, number, block))
        yield Batch(first_line=number, size=len(block), records=lines, pairing=pairing_from(number))
        number += len(lines)


def _text(task: MapTask) -> Iterator[Batch]:
    return _text_batches(task, numbered)


def _offset_text(task: MapTask) -> Iterator[Batch]:
    number, offset = task.first_line, task.first_byte
    for block in line_blocks(task.extents):
        offsets = accumulate((len(line) + 1 for line in block.split(b"\n")), initial=offset)
        lines = lines_of(decoded(task, number, block))
        yield Batch(first_line=number, size=len(block), records=lines, pairing=_zipped(offsets))
        number, offset = number + len(lines), offset + len(block)


def _zipped(keys: Iterable[Any]) -> Pairing:
    return lambda walk: zip(keys, walk)  # noqa: B905 - keys may go on: only the walk's end counts


def _bytes_lines(task: MapTask) -> Iterator[Batch]:
    number = task.first_line
    for block in line_blocks(task.extents):
        lines = byte_lines(block)
        yield Batch(first_line=number, size=len(block), records=lines, pairing=numbered(number))
        number += len(lines)


def numbered(number: int) -> Pairing:
    """Let the keys of records be their numbers, from this one on."""
    return lambda walk: enumerate(walk, number)


def _key_value(task: MapTask) -> Iterator[Batch]:
    return _text_batches(task, lambda _: lambda walk: map(halves, walk))


def _jsonl(task: MapTask) -> Iterator[Batch]:
    return _text_batches(task, lambda number: lambda walk: _parsed(walk, number))


def _parsed(walk: Iterator[str], first_line: int) -> Pairs:
    for number, line in enumerate(walk, first_line):
        yield number, _json_value(line)


def _json_value(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadRecord(f"not JSON: {error}", "each line must be one JSON value; empty lines are not") from error


def _csv(task: MapTask) -> Iterator[Batch]:
    from .csv_records import csv_batches  # late: few jobs need it

    return csv_batches(task)


def _parquet(task: MapTask) -> Iterator[Batch]:
    from .parquet import parquet_batches

    return parquet_batches(task)


def _arrow(task: MapTask) -> Iterator[Batch]:
    from .arrow_files import arrow_batches

    return arrow_batches(task)


def _msgpack(task: MapTask) -> Iterator[Batch]:
    from .packed import packed_batches

    return packed_batches(task)


def halves(line: str) -> tuple[str, str]:
    """Cut a line at its first tab."""
    key, _, value = line.partition("\t")
    return key, value


def _fixed(width: int, key_bytes: int | None, task: MapTask) -> Iterator[Batch]:
    number = task.first_line
    for block in record_blocks(task.extents, width):
        records = [block[begin : begin + width] for begin in range(0, len(block), width)]
        pairing = numbered(number) if key_bytes is None else _under_first_bytes(key_bytes)
        yield Batch(first_line=number, size=len(block), records=records, pairing=pairing)
        number += len(records)


def _under_first_bytes(key_bytes: int) -> Pairing:
    return lambda walk: ((record[:key_bytes], record) for record in walk)


def _whole_file(task: MapTask) -> Iterator[Batch]:
    if task.first_byte:
        raise fault(
            "InputTooLarge",
            f"{task.file} was cut into splits, but whole-file takes a file as one record",
            hint="give a --split-size larger than the largest file",
            file=task.file,
        )
    content = whole(task.extents)
    yield Batch(first_line=1, size=len(content), records=[content], pairing=_zipped([task.file]))


def _tabbed(pairs: list[tuple[Any, Any]]) -> bytes:
    if bytes in set(map(type, chain.from_iterable(pairs))):
        return b"".join(b"%b\t%b\n" % (_raw(key), _raw(value)) for key, value in pairs)
    return "".join([f"{key}\t{value}\n" for key, value in pairs]).encode("utf-8", "surrogatepass")


def _values(pairs: list[tuple[Any, Any]]) -> bytes:
    return b"".join([_raw(value) + b"\n" for _, value in pairs])


def _raw(thing: Any) -> bytes:
    return thing if type(thing) is bytes else str(thing).encode("utf-8", "surrogatepass")


class FixedLength:
    """Writes values of bytes, all of one length, with nothing between them."""

    def __init__(self) -> None:
        self._length: int | None = None

    def __call__(self, pairs: list[tuple[Any, Any]]) -> bytes:
        """Join the values of these pairs; raises `UserFault` for one that is not as those before."""
        values = [value for _, value in pairs]
        for value in values:
            if not isinstance(value, bytes):
                raise fault("BadOutput", f"the format fixed writes bytes, and not {value!r:.100}", record=value)
            self.check(len(value))
        return b"".join(values)

    def check(self, length: int) -> None:
        """Raise `UserFault` for values of another length than those before."""
        if self._length is None:
            self._length = length
        elif length != self._length:
            lengths = f"{self._length} and {length} bytes"
            raise fault("BadOutput", f"the format fixed writes values of one length, and these have {lengths}")


def _json_lines(pairs: list[tuple[Any, Any]]) -> bytes:
    return "".join(
        [json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n" for key, value in pairs]
    ).encode("utf-8", "surrogatepass")


_INPUTS: dict[str, Callable[[MapTask], Iterator[Batch]]] = {
    "text": _text,
    "offset-text": _offset_text,
    "bytes-lines": _bytes_lines,
    "key-value": _key_value,
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
    "msgpack": _msgpack,
    "whole-file": _whole_file,
}

_OUTPUTS: dict[str, Encode] = {
    "text": _tabbed,
    "values": _values,
    "jsonl": _json_lines,
}

_OF_LINES: dict[str, ReadLine] = {
    "text": lambda number, line: (number, str(line, "utf-8")),
    "bytes-lines": lambda number, line: (number, line),
    "key-value": lambda _, line: halves(str(line, "utf-8")),
    "jsonl": lambda number, line: (number, _json_value(str(line, "utf-8"))),
}
