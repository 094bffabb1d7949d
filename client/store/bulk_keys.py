"""Spell keys and values as lines of a file, and read them back: what `murmur kv load` and `kv dump` move."""

import base64
import csv
import json
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from ...ring.errors import CallerError
from .kv import KeyValues, Pair

Spelling = Callable[[BinaryIO], Iterator[tuple[int, Pair]]]


class Lines:
    """The pairs in a file, and which line comes next once so many of them are stored; a `Progress`."""

    def __init__(self, stream: BinaryIO, *, is_csv: bool, first_line: int = 1) -> None:
        self._read: Spelling = read_csv if is_csv else read_jsonl
        self._stream = stream
        self._first_line = first_line
        self._waiting: deque[int] = deque()
        self.stored = 0

    @property
    def next_line(self) -> int:
        """The first line whose pair may not be stored."""
        return self._waiting[0] if self._waiting else self._first_line

    def pairs(self) -> Iterator[Pair]:
        """Read the pairs, from the line on with which to begin.

        Raises:
            CallerError: a line is no pair.
        """
        for number, pair in self._read(self._stream):
            if number >= self._first_line:
                self._waiting.append(number)
                yield pair

    def advance(self, name: str, done: int, total: int) -> None:  # noqa: ARG002 -- a `Progress` is told more
        """Take note that so many pairs are stored."""
        for _ in range(done - self.stored):
            self._first_line = self._waiting.popleft() + 1
        self.stored = done


def read_jsonl(stream: BinaryIO) -> Iterator[tuple[int, Pair]]:
    """Read objects with `key` and `value`, one on each line, with the number of the line from 1.

    Raises:
        CallerError: a line is none; the message names it.
    """
    for number, line in enumerate(stream, 1):
        if line.strip():
            yield number, _pair_of(number, line)


def read_csv(stream: BinaryIO) -> Iterator[tuple[int, Pair]]:
    """Read rows of key and value, with the number of the line where each begins; a heading `key,value` is skipped.

    Raises:
        CallerError: a row has other than two columns; the message names its line.
    """
    rows = csv.reader((line.removeprefix(BOM_UTF8).decode() for line in stream), strict=True)
    begin = 1
    try:
        for row in rows:
            if row and not (begin == 1 and row == ["key", "value"]):
                if len(row) != 2:
                    raise CallerError(f"line {begin} has {len(row)} columns; write key,value")
                yield begin, (row[0].encode(), row[1].encode())
            begin = rows.line_num + 1
    except (csv.Error, UnicodeDecodeError) as error:
        raise CallerError(f"line {begin} is no CSV: {error}") from error


def line_of(found: KeyValues) -> dict[str, Any]:
    """Spell what a key holds as the object of one line; a key with concurrent values has `values` in place of one."""
    values = [spelt(value) for value in found.values]
    return (
        {"key": spelt(found.key), "value": values[0]}
        if len(values) == 1
        else {"key": spelt(found.key), "values": values}
    )


def spelt(content: bytes) -> str | dict[str, str]:
    """Spell bytes as text, or as `{"base64": ...}` where they are none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _pair_of(number: int, line: bytes) -> Pair:
    try:
        record = json.loads(line)
        if isinstance(record, dict) and len(record.get("values", ())) > 1:
            raise CallerError(f"line {number} has concurrent values: leave one of them, as `value`")
        return _bytes_of(record["key"]), _bytes_of(record["value"])
    except (ValueError, KeyError, TypeError) as error:
        raise CallerError(
            f'line {number} is no pair; write {{"key": "k", "value": "v"}}, or {{"base64": ...}} for bytes'
        ) from error


def _bytes_of(word: object) -> bytes:
    match word:
        case str():
            return word.encode()
        case {"base64": str(coded)}:
            return base64.b64decode(coded, validate=True)
        case _:
            raise TypeError(f"{type(word).__name__} is neither text nor base64")
