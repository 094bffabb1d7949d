"""Note which line an attempt is at, in a mapped file: so it is there after any death of the process."""

import mmap
import struct

_NOTE = struct.Struct(">Q")


class LineNote:
    """The note of one attempt, in the process that makes it."""

    def __init__(self, path: str) -> None:
        """Make the file."""
        with open(path, "w+b") as file:  # noqa: PTH123 - spares the import of pathlib
            file.truncate(_NOTE.size)
            self._map = mmap.mmap(file.fileno(), _NOTE.size)

    def write(self, line: int) -> None:
        """Note a line, or 0 for none."""
        _NOTE.pack_into(self._map, 0, line)


def noted_line(path: str) -> int:
    """Read which line an attempt was at when its process ended; 0 if that is not known."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as its writer does
            return int(_NOTE.unpack(file.read(_NOTE.size))[0])
    except (OSError, struct.error):
        return 0
