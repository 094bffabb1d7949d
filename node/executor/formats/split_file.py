"""Let a library that reads files see a split as a piece of one: at its own place, with nothing around it."""

import io
import os
from collections.abc import Sequence
from contextlib import ExitStack

from ..faults.wording import InputUnreadable, fault
from ..tasks import Extent, MapTask


class SplitFile(io.RawIOBase):
    """The bytes of a split, at the positions that they have in the file."""

    def __init__(self, task: MapTask) -> None:
        self._task = task
        self._ends = list(_ends(task.extents, task.first_byte))
        self._at = 0
        self._files = ExitStack()
        self._opened: dict[str, int] = {}

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read at any place."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position; the file ends where the split does."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        self._at = begin + offset
        return self._at

    def tell(self) -> int:
        """Give the position."""
        return self._at

    def read(self, length: int = -1) -> bytes:
        """Give so many bytes, fewer only where the split ends.

        Raises `InputUnreadable` if the disk gives them not, `UserFault` if they are not in this split.
        """
        end = self._ends[-1] if self._ends else 0
        last = end if length < 0 else min(end, self._at + length)
        if self._at < self._task.first_byte and self._at < last:
            raise fault("InputChanged", f"byte {self._at} is not in this split", file=self._task.file)
        pieces = []
        for extent, stop in zip(self._task.extents, self._ends, strict=True):
            begin = stop - extent.length
            if self._at < stop and begin < last:
                piece = self._piece(extent, self._at - begin, min(stop, last) - self._at)
                self._at += len(piece)
                pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the files that the bytes lie in."""
        self._files.close()
        super().close()

    def _piece(self, extent: Extent, offset: int, length: int) -> bytes:
        try:
            if extent.path not in self._opened:
                self._opened[extent.path] = os.open(extent.path, os.O_RDONLY)
                self._files.callback(os.close, self._opened[extent.path])
            piece = os.pread(self._opened[extent.path], length, extent.offset + offset)
        except OSError as error:
            raise InputUnreadable(f"cannot read {extent.path}: {error.strerror}") from error
        if len(piece) < length:
            raise fault(
                "InputChanged",
                f"{extent.path} is shorter than when the job was submitted",
                hint="leave input files alone while a job reads them; submit the job again",
                file=extent.path,
            )
        return piece


def _ends(extents: Sequence[Extent], position: int) -> Sequence[int]:
    ends = []
    for extent in extents:
        position += extent.length
        ends.append(position)
    return ends
