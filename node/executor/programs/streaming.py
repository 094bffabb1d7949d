"""Make a mapper, a combiner and a reducer of commands, by the convention of Hadoop Streaming.

A command reads lines and writes lines. The key of a line is what stands before its first tab, or before its Nth; of a
line with fewer tabs, the whole line. A pair is a line under its key: so each line stays as it was written, byte for
byte, and a job gives what `mapper | LC_ALL=C sort | reducer` gives. Lines with the same key stay in the order of the
input.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from ....scheduling.ordering import sorted_by_key
from ....scheduling.partitioners import partition_of
from .commands import Command, ShippedFile
from .program_api import Context, Mapper, Reducer
from .reporting import StderrReport

TAB = b"\t"

COMBINE_BYTES = 32 << 20
"""How much a mapper's lines may take before its combiner makes them fewer."""

INPUT_FORMAT = "bytes-lines"
OUTPUT_FORMAT = "values"
"""Lines come in and go out as they are: the value of a pair is the whole line."""

Line = tuple[bytes, bytes]
"""A line under its key."""


class Streaming(Struct, frozen=True, array_like=True):
    """The body of a program of commands; an empty command passes its lines on.

    `key_fields` is the number of fields that make the key, `partition_fields` of how many of these the partition is
    made: 0 means all. Without `reducer` and `sorts` there is no reduce phase.
    """

    mapper: str = ""
    reducer: str = ""
    combiner: str = ""
    sorts: bool = False
    key_fields: int = 1
    partition_fields: int = 0
    files: tuple[ShippedFile, ...] = ()


def parts_of_commands(body: bytes) -> dict[str, Any]:
    """Give the parts of a program, by the names that a program's file would use."""
    streaming = msgspec.msgpack.decode(body, type=Streaming)
    parts: dict[str, Any] = {
        "mapper": type("CommandMapper", (StreamMapper,), {"streaming": streaming}),
        "input_format": INPUT_FORMAT,
        "output_format": OUTPUT_FORMAT,
    }
    if streaming.reducer:
        parts["reducer"] = type("CommandReducer", (StreamReducer,), {"streaming": streaming})
    if streaming.partition_fields:
        parts["partitioner"] = lambda key, n: partition_of(key_of(key, streaming.partition_fields), n)
    return parts


def key_of(line: bytes, fields: int) -> bytes:
    """Give the first fields of a line, with the tabs between them, or the whole line if it has no more."""
    if fields == 1:
        return line.partition(TAB)[0]
    parts = line.split(TAB, fields)
    return TAB.join(parts[:fields])


class StreamMapper(Mapper):
    """Has a command turn lines into lines, and another one make them fewer."""

    streaming: ClassVar[Streaming]

    def setup(self) -> None:
        """Start the command."""
        self._command = started("mapper", self.streaming, self.context) if self.streaming.mapper else None
        self._combining = _Combining(self.streaming, self.context) if self.streaming.combiner else None

    def map(self, key: Any, value: bytes) -> Iterable[Line]:  # noqa: ARG002 - line numbers are not streamed
        """Hand over a line, and pass on those that have come."""
        lines = [value] if self._command is None else self._command.feed(value)
        return self._passed(lines)

    def cleanup(self) -> Iterator[Line]:
        """End the command, and pass on the rest."""
        if self._command is not None:
            for line in self._command.finish():
                yield from self._passed((line,))
        if self._combining is not None:
            yield from self._combining.combined()

    def _passed(self, lines: Iterable[bytes]) -> Iterable[Line]:
        fields = self.streaming.key_fields
        pairs = [(key_of(line, fields), line) for line in lines]
        return pairs if self._combining is None else self._combining.taken(pairs)


class _Combining:
    """Gathers a mapper's lines, and gives them sorted to the combiner, each time to a new one."""

    def __init__(self, streaming: Streaming, context: Context) -> None:
        self._streaming = streaming
        self._context = context
        self._groups: dict[bytes, list[bytes]] = {}
        self._size = 0

    def taken(self, pairs: list[Line]) -> Iterator[Line]:
        """Gather lines, and combine once they are many: where, must not depend on how the lines happened to come."""
        for key, line in pairs:
            self._groups.setdefault(key, []).append(line)
            self._size += len(line)
            if self._size > COMBINE_BYTES:
                yield from self.combined()

    def combined(self) -> Iterator[Line]:
        """Give what the combiner makes of the lines gathered, if there are any."""
        if not self._groups:
            return
        groups, self._groups, self._size = self._groups, {}, 0
        command = started("combiner", self._streaming, self._context)
        for _, lines in sorted_by_key(groups.items()):
            for line in lines:
                yield from self._keyed(command.feed(line))
        yield from self._keyed(command.finish())

    def _keyed(self, lines: Iterable[bytes]) -> Iterator[Line]:
        return ((key_of(line, self._streaming.key_fields), line) for line in lines)


class StreamReducer(Reducer):
    """Has one command see all lines of a partition, in the order of their keys."""

    streaming: ClassVar[Streaming]

    def setup(self) -> None:
        """Start the command."""
        self._command = started("reducer", self.streaming, self.context)

    def reduce(self, key: bytes, values: Iterable[bytes]) -> list[Line]:
        """Hand over the lines of a key, and pass on those that have come."""
        return [(key, line) for value in values for line in self._command.feed(value)]

    def cleanup(self) -> Iterator[Line]:
        """End the command, and pass on the rest."""
        return ((b"", line) for line in self._command.finish())


def started(role: str, streaming: Streaming, context: Context) -> Command:
    """Start the command that has this role in the attempt."""
    variables = variables_of(context, is_map=role != "reducer")
    text: str = getattr(streaming, role)
    return Command(role, text, files=streaming.files, variables=variables, report=StderrReport(context))


def variables_of(context: Context, *, is_map: bool) -> dict[str, str]:
    """Tell a command of its attempt by Hadoop's names; of a parameter's name, letters and digits stay, the rest is `_`.

    A parameter cannot take the place of one of those names.
    """
    params = {re.sub(r"\W", "_", name, flags=re.ASCII): value for name, value in context.params.items()}
    return params | {
        "mapreduce_job_id": context.job_id,
        "mapreduce_task_attempt_id": context.attempt,
        "mapreduce_task_partition": str(context.split),
        "mapreduce_task_ismap": str(is_map).lower(),
        "mapreduce_map_input_file": context.file,
        "map_input_file": context.file,
    }
