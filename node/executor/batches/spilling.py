"""Write records, or rows of tables, that do not fit into memory to a file without a name, and give them back."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, Generic, cast

from ..shuffle.memory import block_bytes
from ..shuffle.runs import RunReader, RunWriter
from .rows import R, RowKind


class RowSpills(Generic[R]):
    """A run of its own, whose segments are spills in the order in which they were added."""

    def __init__(self, kind: RowKind[R], folder: str, memory: int) -> None:
        """Let it lie in that folder's file system; `memory` is the attempt's budget in bytes."""
        self.segments = 0
        self._kind = kind
        self._block_bytes = block_bytes(memory)
        self._files = ExitStack()
        self._file = _nameless(self._files, folder)
        self._writer = RunWriter(self._file, self._block_bytes)
        self._reader: RunReader | None = None

    def add(self, pieces: Iterable[R]) -> None:
        """Write the next segment; raises `OSError` if the disk takes no more."""
        for body, records in self._kind.bodies(pieces, self._block_bytes):
            self._writer.write_body(body, records)
        self._writer.end_segment()
        self.segments += 1

    def rows(self, segment: int) -> Iterator[R]:
        """Give the rows of a segment, block by block; raises as `bodies`."""
        return map(self._kind.of_body, self.bodies(segment))

    def bodies(self, segment: int) -> Iterator[bytes]:
        """Give the blocks of a segment; from the first time on, nothing can be added.

        Raises `InputUnreadable` if the file has been damaged.
        """
        if self._reader is None:
            self._writer.finish()
            self._file.flush()
            self._reader = RunReader(self._file)
        return self._reader.bodies(segment)

    def close(self) -> None:
        """Give back the room that it takes."""
        self._files.close()


def _nameless(files: ExitStack, folder: str) -> BinaryIO:
    from tempfile import TemporaryFile  # late: most attempts never spill

    return cast("BinaryIO", files.enter_context(TemporaryFile(dir=folder)))
