"""Read comma-separated values: each line is a record, whose fields have the names in the first line of the file.

Fields may be quoted as in RFC 4180, but for one thing: a file is cut at newlines, so a field cannot hold any, and one
that does is refused. Values are text. Empty lines are no records.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..faults.wording import BadRecord, UserFault, fault
from ..tasks import MapTask
from .batch import Batch, Pairing, Pairs
from .blocks import line_blocks, whole
from .text import decoded, lines_of

FIELD_BYTES_MAX = 1 << 30
"""A field may be as long as a line may."""

HEAD_BYTES_MAX = 1 << 20
"""The first line of a file is read before the job begins, and again for each split."""

ONE_LINE = (
    "a quoted field goes on in the next line, where a file may be cut: take the newlines out of the fields, "
    "or write the file as jsonl or parquet, which keep them"
)
COLUMNS = "each line must have the fields that the first line of the file names; fields with commas are to be quoted"
QUOTING = 'a field that holds a comma or a quote stands in quotes, with each quote in it doubled: "a ""b"""'

csv.field_size_limit(FIELD_BYTES_MAX)

Row = tuple[int, list[str]]
"""The number of a line, and its fields."""


def names_in(head: bytes, file: str) -> list[str]:
    """Read the names of the columns off the first line of a file; none if that is empty.

    Raises `UserFault` if they cannot be names.
    """
    try:
        text = str(head, "utf-8-sig")
        lines = lines_of(text)
        names = next(csv.reader(lines, strict=True), [])
    except UnicodeDecodeError as error:
        raise _bad_head(file, head, f"is not UTF-8 ({error.reason})", "write the file in UTF-8") from error
    except csv.Error as error:
        raise _bad_head(file, head, f"cannot be read: {error}", ONE_LINE) from error
    if len(head) > HEAD_BYTES_MAX:
        raise _bad_head(file, head, f"is longer than {HEAD_BYTES_MAX} bytes", COLUMNS)
    if lines and not names:
        raise _bad_head(file, head, "is empty", "it must name the columns")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _bad_head(file, head, f"names two columns {twice!r}", "give each a name of its own")
    return names


def _bad_head(file: str, head: bytes, what: str, hint: str) -> UserFault:
    return fault("BadHeader", f"the first line {what}", hint=hint, file=file, line=1, record=head)


def names_of(task: MapTask) -> list[str]:
    """Read the names of the columns of a split's file; raises as `names_in`."""
    return names_in(whole(task.head), task.file)


def csv_blocks(task: MapTask) -> Iterator[tuple[int, bytes]]:
    """Give blocks of whole lines, each after the number of its first line; the line with the names is left out."""
    number = task.first_line
    header = task.first_byte == 0
    for block in line_blocks(task.extents):
        begin = (block.find(b"\n") + 1 or len(block)) if header else 0
        yield number + header, block[begin:]
        number += block.count(b"\n")
        header = False


def csv_batches(task: MapTask) -> Iterator[Batch]:
    """Give records as dicts, under the numbers of their lines."""
    names = names_of(task)
    for number, block in csv_blocks(task):
        lines = lines_of(decoded(task, number, block))
        yield Batch(first_line=number, size=len(block), records=lines, pairing=_dicts(task.file, names, number))


def csv_line(task: MapTask) -> Callable[[int, bytes], tuple[Any, Any] | None]:
    """Give what makes a record of one line, given its number: None of the first one, and of an empty one."""
    names = names_of(task)

    def read(number: int, line: bytes) -> tuple[Any, Any] | None:
        if number == 1:
            return None
        for at, fields in rows_in(task.file, names, iter([str(line, "utf-8")]), number):
            return at, dict(zip(names, fields, strict=True))
        return None

    return read


def rows_in(file: str, names: Sequence[str], lines: Iterator[str], first_line: int) -> Iterator[Row]:
    """Take lines apart, one after the other.

    Raises `BadRecord` for the line that was taken last, `UserFault` for another one.
    """
    reader = csv.reader(lines, strict=True)
    number = first_line - 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _unlike(file, number + 1, reader.line_num - (number + 1 - first_line), str(error)) from error
        number += 1
        if reader.line_num != number - first_line + 1:
            raise _unlike(file, number, 2, "")
        if len(fields) == len(names):
            yield number, fields
        elif fields:
            raise BadRecord(f"this line has {len(fields)} fields, and the first line names {len(names)}", COLUMNS)


def _unlike(file: str, line: int, lines: int, reason: str) -> UserFault | BadRecord:
    if lines == 1 and "unexpected end" not in reason:
        return BadRecord(f"not CSV: {reason}", QUOTING)
    return fault("BadRecord", "not CSV: a quoted field does not end on its line", hint=ONE_LINE, file=file, line=line)


def _dicts(file: str, names: Sequence[str], first_line: int) -> Pairing:
    def pairs(walk: Iterator[str]) -> Pairs:
        for number, fields in rows_in(file, names, walk, first_line):
            yield number, dict(zip(names, fields, strict=True))

    return pairs
