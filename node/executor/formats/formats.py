"""Find the input and output formats by name: what turns bytes into records, and pairs into bytes."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, TypeVar

from ..arrow import arrow
from ..batches.layout import FIXED, TABLES, WRITES_TABLES, fixed_layout
from ..faults.wording import fault
from ..tasks import MapTask
from .batch import Batch, Pairing, numbered, zipped
from .blocks import record_blocks, whole
from .pair_parts import FixedLength, json_lines, tabbed, values_alone
from .text import bytes_lines, halves, json_value, jsonl, key_value, offset_text, text

Encode = Callable[[list[tuple[Any, Any]]], bytes]
ReadLine = Callable[[int, bytes], tuple[Any, Any] | None]
"""Makes a record of a line, given its number: None where it is none, as the first line of CSV."""

Format = TypeVar("Format")


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
    yield Batch(first_line=1, size=len(content), records=[content], pairing=zipped([task.file]))


_INPUTS: dict[str, Callable[[MapTask], Iterator[Batch]]] = {
    "text": text,
    "offset-text": offset_text,
    "bytes-lines": bytes_lines,
    "key-value": key_value,
    "jsonl": jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
    "msgpack": _msgpack,
    "whole-file": _whole_file,
}

_OUTPUTS: dict[str, Encode] = {
    "text": tabbed,
    "values": values_alone,
    "jsonl": json_lines,
}

_OF_LINES: dict[str, ReadLine] = {
    "text": lambda number, line: (number, str(line, "utf-8")),
    "bytes-lines": lambda number, line: (number, line),
    "key-value": lambda _, line: halves(str(line, "utf-8")),
    "jsonl": lambda number, line: (number, json_value(str(line, "utf-8"))),
}
