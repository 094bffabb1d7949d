"""Name what a bulk server serves from, and keep the shelf of a client: files of its own, each under a drawn name."""

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...ring.errors import CallerError, WorldError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """`size` bytes of the file at `path`, from `offset`; an empty path means that they lie in no file."""

    path: str
    offset: int
    size: int


class Shelf(Protocol):
    """Where a bulk server finds what a reference names; called from the server's thread."""

    def locate(self, ref: str) -> Stretch:
        """Tell where the bytes lie.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here.
        """

    def read(self, ref: str, offset: int, length: int) -> bytes:
        """Read a range, shorter only at the end.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here, or cannot be read.
        """


class SharedFiles:
    """The shelf of a client: `share/ID` names a registered file, and nothing else can be had."""

    def __init__(self) -> None:
        self._files: dict[str, Stretch] = {}
        self._lock = threading.Lock()

    def register(self, path: Path, offset: int = 0, size: int | None = None) -> str:
        """Serve a file, or `size` bytes of it from `offset`; gives the reference, which nobody can guess.

        Raises:
            CallerError: there is no such file, or it is shorter.
        """
        try:
            there = path.stat().st_size
        except OSError as error:
            raise CallerError(f"{path} cannot be shared: {error.strerror}") from error
        wanted = there - offset if size is None else size
        if not path.is_file() or not 0 <= offset <= offset + wanted <= there:
            raise CallerError(f"{path} cannot be shared: it is no file of {offset + wanted} bytes")
        ref = "share/" + secrets.token_hex(16)
        with self._lock:
            self._files[ref] = Stretch(path=str(path.resolve()), offset=offset, size=wanted)
        return ref

    def withdraw(self, ref: str) -> None:
        """Serve a reference no longer."""
        with self._lock:
            self._files.pop(ref, None)

    def locate(self, ref: str) -> Stretch:
        """Tell where a shared file lies.

        Raises:
            WorldError: nothing is shared under that reference.
        """
        with self._lock:
            stretch = self._files.get(ref)
        if stretch is None:
            raise WorldError(f"nothing is shared as {ref!r}")
        return stretch

    def read(self, ref: str, offset: int, length: int) -> bytes:
        """Read a range of a shared file, shorter only at its end.

        Raises:
            WorldError: nothing is shared under that reference, or the disk refuses.
        """
        stretch = self.locate(ref)
        try:
            with Path(stretch.path).open("rb", buffering=0) as file:
                return read_stretch(file.fileno(), stretch, offset, length)
        except OSError as error:
            raise WorldError(f"{stretch.path} cannot be read: {error.strerror}") from error


def read_stretch(descriptor: int, stretch: Stretch, offset: int, length: int) -> bytes:
    """Read a range of a stretch from its open file, shorter only at its end."""
    return os.pread(descriptor, max(0, min(length, stretch.size - offset)), stretch.offset + offset)
