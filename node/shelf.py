"""Serve a peer's bytes: chunks with their checksums verified, and the runs and parts below the peer's directory."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..ring.errors import WorldError
from .storage.chunks import ChunkStore
from .transport.shelves import Stretch, read_stretch

CHUNK_REF: Final = re.compile(r"chunk/([0-9a-f]{64})")
FILE_REF: Final = re.compile(r"(runs|parts)/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})/([A-Za-z0-9_-][A-Za-z0-9._-]{0,127})")
"""No name begins with a dot, so none leads upwards."""


class PeerShelf:
    """What a peer's bulk server finds under `chunk/HEX`, `runs/JOB/NAME` and `parts/JOB/NAME`."""

    def __init__(self, directory: Path, chunks: ChunkStore) -> None:
        self._directory = directory.resolve()
        self._chunks = chunks

    def locate(self, ref: str) -> Stretch:
        """Tell where the bytes lie.

        Raises:
            Corrupt: the chunk is damaged.
            WorldError: nothing is here under that reference.
        """
        if (chunk := CHUNK_REF.fullmatch(ref)) is not None:
            place = self._chunks.locate(bytes.fromhex(chunk[1]))
            if place is None:
                raise WorldError(f"no {ref} is kept here")
            return Stretch(path=place.path, offset=place.offset, size=place.size)
        with self._opened(ref) as file:
            size = os.fstat(file).st_size
        return Stretch(path=str(self._directory / ref), offset=0, size=size)

    def read(self, ref: str, offset: int, length: int) -> bytes:
        """Read a range, shorter only at the end; of a chunk only what matches its checksums.

        Raises:
            Corrupt: the chunk is damaged there.
            WorldError: nothing is here under that reference, or the disk refuses.
        """
        if (chunk := CHUNK_REF.fullmatch(ref)) is not None:
            return self._chunks.read(bytes.fromhex(chunk[1]), offset, length)
        with self._opened(ref) as file:
            return read_stretch(file, Stretch(path=ref, offset=0, size=os.fstat(file).st_size), offset, length)

    @contextmanager
    def _opened(self, ref: str) -> Iterator[int]:
        """Open a file below the directory that no symbolic link leads to."""
        names = FILE_REF.fullmatch(ref)
        if names is None:
            raise WorldError(f"{ref!r} is nothing that a peer serves")
        try:
            file = _open_beneath(self._directory, names.groups())
        except OSError as error:
            raise WorldError(f"{ref} cannot be had here: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise WorldError(f"{ref} is no file")
            yield file
        except OSError as error:
            raise WorldError(f"{ref} cannot be read: {error.strerror}") from error
        finally:
            os.close(file)


def _open_beneath(directory: Path, names: Sequence[str]) -> int:
    """Open a file step by step, so that a name swapped for a link between two looks is refused as well."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
