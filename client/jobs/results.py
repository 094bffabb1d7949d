"""Read pairs back from the output of a job, part by part, while it is still coming."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ...ring.errors import CallerError

Pair = tuple[Any, Any]
Row = dict[Any, Any]


def read_pairs(pieces: Iterable[bytes], output_format: str) -> Iterator[Pair]:
    """Turn a part into pairs: `text` at the first tab of each line, `jsonl` from its objects.

    Of `values`, which has no keys, the keys are None, and so they are of rows whose columns are not just `key` and
    `value`: the values are the rows, as dicts. Text that is not UTF-8 keeps its bytes as surrogates.

    Raises:
        CallerError: output in this format cannot be read back as pairs, or not without pyarrow.
    """
    match output_format:
        case "text":
            return (_at_tab(line) for line in read_lines(pieces))
        case "values":
            return ((None, line) for line in read_lines(pieces))
        case "jsonl":
            return (_of_json(line) for line in read_lines(pieces))
        case "csv" | "msgpack" | "parquet" | "arrow":
            return map(_of_row, _rows(pieces, output_format))
        case _:
            raise CallerError(f"output in the format {output_format!r} cannot be read as pairs; read its files")


def _rows(pieces: Iterable[bytes], output_format: str) -> Iterator[Row]:
    from . import rows  # late: few jobs need it

    read = {"csv": rows.csv_rows, "msgpack": rows.packed_rows, "parquet": rows.parquet_rows, "arrow": rows.arrow_rows}
    return read[output_format](pieces)


def read_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Turn pieces of text, cut anywhere, into lines without their newlines."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from map(_text, lines)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _at_tab(line: str) -> Pair:
    key, _, value = line.partition("\t")
    return key, value


def _of_row(row: Row) -> Pair:
    return (row["key"], row["value"]) if row.keys() == {"key", "value"} else (None, row)


def _of_json(line: str) -> Pair:
    pair = json.loads(line)
    return pair["key"], pair["value"]
