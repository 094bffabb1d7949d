"""Read a split for `map_batch` as Arrow tables: of each format the rows that `map` would see as dicts."""

import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from ..arrow import arrow
from ..faults.wording import BadRecord, BadTable, fault, fault_of
from ..formats.arrow_files import arrow_tables
from ..formats.blocks import line_blocks
from ..formats.columns import table_of, texts_of
from ..formats.csv_records import csv_blocks, names_of, rows_in
from ..formats.packed import packed_objects
from ..formats.parquet import parquet_tables
from ..formats.text import decoded, lines_of
from ..tasks import MapTask
from .bulk import Bulk

ROWS = "each record must be an object, to be a row: write map(key, value), which sees any value"
PLAIN_JSON = msgspec.json.Decoder()


def csv_tables(task: MapTask) -> Iterator[Bulk]:
    """Give tables of text: what it means is for the program to say, for a part of a file does not tell."""
    names = names_of(task)
    for number, block in csv_blocks(task):
        table = _plain(names, block) if block else None
        if table is None:
            table = _quoted(task, names, number, block)
        if len(table):
            yield Bulk(first_line=number, size=len(block), content=table)


def _plain(names: list[str], block: bytes) -> Any:
    """Take lines apart that hold neither quotes nor empty lines, all at once; None where one of them is not plain."""
    if b'"' in block or b"\r" in block or b"\n\n" in block or block.startswith(b"\n"):
        return None
    pa = arrow()
    try:
        table = pa.csv.read_csv(
            io.BytesIO(block),
            pa.csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            pa.csv.ParseOptions(quote_char=False),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=[]),
        )
    except pa.ArrowException:
        return None
    return table.combine_chunks() if len(table) == block.count(b"\n") + (not block.endswith(b"\n")) else None


def _quoted(task: MapTask, names: list[str], number: int, block: bytes) -> Any:
    """Take lines apart one by one, as for `map`, and blame the one that cannot be."""
    taken = 0

    def walk() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += 1
            yield line

    lines = lines_of(decoded(task, number, block))
    try:
        rows = [fields for _, fields in rows_in(task.file, names, walk(), number)]
    except BadRecord as error:
        at = taken - 1
        raise fault(
            "BadRecord", str(error), hint=error.hint, file=task.file, line=number + at, record=lines[at]
        ) from error
    return texts_of(names, zip(*rows, strict=True) if rows else [[] for _ in names])


def json_tables(task: MapTask) -> Iterator[Bulk]:
    """Give tables of objects, of which each is a line."""
    number = task.first_line
    for block in line_blocks(task.extents):
        rows = json_rows(task, number, block)
        yield Bulk(first_line=number, size=len(block), content=_table(task, number, rows))
        number += len(rows)


def json_rows(task: MapTask, number: int, block: bytes) -> list[dict[str, Any]]:
    """Read lines, the first of which has that number; raises `UserFault` for the one that is no object."""
    lines = lines_of(decoded(task, number, block))
    try:
        values = PLAIN_JSON.decode_lines(block)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        values = []
    if len(values) != len(lines):
        values = [_json_value(task, at, line) for at, line in enumerate(lines, number)]
    if set(map(type, values)) - {dict}:
        at = next(at for at, value in enumerate(values) if type(value) is not dict)
        raise fault("BadRecord", "not an object", hint=ROWS, file=task.file, line=number + at, record=lines[at])
    return values


def _json_value(task: MapTask, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise fault("BadRecord", f"not JSON: {error}", file=task.file, line=number, record=line) from error


def _table(task: MapTask, number: int, rows: list[dict[str, Any]]) -> Any:
    try:
        return table_of(rows)
    except BadTable as wrong:
        raise fault_of(wrong, file=task.file, line=number) from wrong


def packed_tables(task: MapTask) -> Iterator[Bulk]:
    """Give tables of msgpack objects."""
    number = 1
    for size, objects in packed_objects(task):
        for at, value in enumerate(objects, number):
            if type(value) is not dict:
                raise fault("BadRecord", "not a map", hint=ROWS, file=task.file, line=at, record=value)
        yield Bulk(first_line=number, size=size, content=_table(task, number, objects))
        number += len(objects)


def _as_they_come(tables: Callable[[MapTask], Iterator[tuple[int, int, Any]]], task: MapTask) -> Iterator[Bulk]:
    return (Bulk(first_line=number, size=size, content=table) for number, size, table in tables(task))


READERS: dict[str, Callable[[MapTask], Iterator[Bulk]]] = {
    "csv": csv_tables,
    "jsonl": json_tables,
    "msgpack": packed_tables,
    "parquet": partial(_as_they_come, parquet_tables),
    "arrow": partial(_as_they_come, arrow_tables),
}
"""What reads each of the formats that `map_batch` sees as tables."""
