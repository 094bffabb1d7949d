"""Write what does not fit into memory to sorted spills, and give it back merged.

A spill is a run whose rows are sorted by key, in a file without a name: it is gone with the process, whatever ends
that. When there are as many spills as a merge can have in memory at once, they are merged to one spill of the next
level; the order in which things came is kept throughout.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any, BinaryIO, cast

from ....scheduling.ordering import sorted_by_key
from .memory import block_bytes
from .merging import Group, merged
from .runs import Columns, RunReader, RunWriter, decoded

FAN_IN = 32
"""Spills in one merge: each holds a block in memory, and an open file."""

LARGE_SHARE = 1 / 16
"""What the values of one key may take of the budget before they are given one by one."""

Shorten = Callable[[Iterator[Group]], Iterator[Group]]
"""Makes the values of each key fewer, as a combiner does."""


class Spills:
    """The spills of one attempt, each with the same partitions."""

    def __init__(self, folder: str, memory: int, shorten: Shorten = iter) -> None:
        """Let them lie in that folder's file system; `memory` is the attempt's budget in bytes."""
        self._folder = folder
        self._memory = memory
        self._shorten = shorten
        self._levels: list[list[RunReader]] = []
        self._partitions = 0
        self._bytes_all = self._bytes_read = 0
        self._files = ExitStack()

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._levels)

    @property
    def fraction(self) -> float:
        """Tell what part of the spills has been read back."""
        return self._bytes_read / (self._bytes_all or 1)

    def add(self, segments: Iterable[Columns]) -> None:
        """Spill what came after all that was spilled before: sorted columns for each partition.

        Raises `OSError` if the disk takes no more, `UserFault` if something cannot be pickled.
        """
        file = self._file()
        writer = RunWriter(file, block_bytes(self._memory))
        self._partitions = 0
        for columns in segments:
            writer.write_columns(columns)
            writer.end_segment()
            self._partitions += 1
        self._bytes_all += writer.finish().size
        self._stack(_readable(file), 0)

    def merged(self, partition: int) -> Iterator[Group]:
        """Give a partition's keys in order, each once, with its values in the order in which they came.

        Raises `InputUnreadable` if a spill has been damaged, `UserFault` if user code does not shorten.
        """
        return self._merge(list(chain.from_iterable(reversed(self._levels))), partition)

    def close(self) -> None:
        """Give back the room that they take."""
        self._files.close()

    def _merge(self, spills: list[RunReader], partition: int) -> Iterator[Group]:
        blocks = [self._blocks(spill, partition) for spill in spills]
        return self._shorten(merged(blocks, int(self._memory * LARGE_SHARE)))

    def _blocks(self, spill: RunReader, partition: int) -> Iterator[Columns]:
        for body in spill.bodies(partition):
            self._bytes_read += len(body)
            yield decoded(body)

    def _stack(self, spill: RunReader, level: int) -> None:
        """Put a spill on its level, and merge a level that is full to one spill of the next."""
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(spill)
        if len(self._levels[level]) == FAN_IN:
            full, self._levels[level] = self._levels[level], []
            self._stack(self._joined(full), level + 1)

    def _joined(self, spills: list[RunReader]) -> RunReader:
        file = self._file()
        writer = RunWriter(file, block_bytes(self._memory))
        for partition in range(self._partitions):
            writer.write_rows(self._merge(spills, partition))
            writer.end_segment()
        self._bytes_all += writer.finish().size
        for spill in spills:
            spill.close()
        return _readable(file)

    def _file(self) -> BinaryIO:
        from tempfile import TemporaryFile  # late: most attempts never spill

        return cast("BinaryIO", self._files.enter_context(TemporaryFile(dir=self._folder)))


def sorted_columns(keys: Iterable[Any], values: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Sort keys, each with what was collected for it; raises `TypeError` for a key without a place in the order."""
    rows = sorted_by_key(zip(keys, values, strict=True))
    return [key for key, _ in rows], [value for _, value in rows]


def _readable(file: BinaryIO) -> RunReader:
    file.flush()
    return RunReader(file)
