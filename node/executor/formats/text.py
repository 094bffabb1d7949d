"""Read lines as records: as text, as bytes, as keys and values, or as JSON.

A line ends with a newline or a carriage return and a newline, and with nothing else. Where it is text it is decoded as
UTF-8; a byte order mark is not taken off.
"""

import json
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from ..faults.wording import BadRecord, fault
from ..tasks import MapTask
from .batch import Batch, Pairing, Pairs, numbered, zipped
from .blocks import line_blocks


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


def halves(line: str) -> tuple[str, str]:
    """Cut a line at its first tab."""
    key, _, value = line.partition("\t")
    return key, value


def _text_batches(task: MapTask, pairing_from: Callable[[int], Pairing]) -> Iterator[Batch]:
    """Give batches of decoded lines; `pairing_from` gets the number of a batch's first line."""
    number = task.first_line
    for block in line_blocks(task.extents):
        lines = lines_of(decoded(task, number, block))
        yield Batch(first_line=number, size=len(block), records=lines, pairing=pairing_from(number))
        number += len(lines)


def text(task: MapTask) -> Iterator[Batch]:
    """Give lines of text under their numbers."""
    return _text_batches(task, numbered)


def offset_text(task: MapTask) -> Iterator[Batch]:
    """Give lines of text under the place of their first byte."""
    number, offset = task.first_line, task.first_byte
    for block in line_blocks(task.extents):
        offsets = accumulate((len(line) + 1 for line in block.split(b"\n")), initial=offset)
        lines = lines_of(decoded(task, number, block))
        yield Batch(first_line=number, size=len(block), records=lines, pairing=zipped(offsets))
        number, offset = number + len(lines), offset + len(block)


def bytes_lines(task: MapTask) -> Iterator[Batch]:
    """Give lines as bytes, under their numbers."""
    number = task.first_line
    for block in line_blocks(task.extents):
        lines = byte_lines(block)
        yield Batch(first_line=number, size=len(block), records=lines, pairing=numbered(number))
        number += len(lines)


def key_value(task: MapTask) -> Iterator[Batch]:
    """Give what stands after the first tab of each line under what stands before it."""
    return _text_batches(task, lambda _: lambda walk: map(halves, walk))


def jsonl(task: MapTask) -> Iterator[Batch]:
    """Give what each line holds as JSON, under its number."""
    return _text_batches(task, lambda number: lambda walk: _parsed(walk, number))


def _parsed(walk: Iterator[str], first_line: int) -> Pairs:
    for number, line in enumerate(walk, first_line):
        yield number, json_value(line)


def json_value(line: str) -> Any:
    """Read a line of JSON; raises `BadRecord` where it is none."""
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadRecord(f"not JSON: {error}", "each line must be one JSON value; empty lines are not") from error
