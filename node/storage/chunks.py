"""Keep chunks: immutable files named by their content, each with an index row that says how to check it.

    AA/HEX       the bytes of a chunk; AA are the first two digits
    index/       rows: digest -> size and the checksums of its 64 KiB blocks
    incoming/    what is being written; emptied at every start

A chunk's file is durable before its row commits, so a crash leaves at most a file without a row, swept at the next
start. A row without a sound file is a damaged chunk, not an absent one: whoever asks learns that it must be mended.
"""

import contextlib
import os
import secrets
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ...ring.digests import ChunkHasher
from ...ring.errors import Corrupt, RemoteError, WorldError
from ...ring.terms import CHUNK_BYTES_MAX
from .checksums import BLOCK_BYTES, SUM_BYTES, BlockSummer, block_sums
from .durable import sync_folder, write_fully
from .rows import Rows

INDEX: Final = "index"
INCOMING: Final = "incoming"
_SIZE = struct.Struct(">Q")
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlace:
    """Where the bytes of a chunk lie."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An index row: the chunk's size in bytes and the checksums of its blocks, 8 bytes each."""

    size: int
    sums: bytes


class ChunkStore:
    """The chunks of one peer. Every method blocks, and may be called from any thread."""

    def __init__(self, directory: Path) -> None:
        """Open the store, and sweep what a crash has left half-done.

        Raises:
            WorldError: the disk refused.
        """
        self._directory = directory
        self._writing = threading.Lock()
        self._damaged: dict[bytes, None] = {}
        self._index = Rows(directory / INDEX)
        try:
            (directory / INCOMING).mkdir(exist_ok=True)
            self._size_bytes = self._sweep()
        except OSError as error:
            raise self._refused(error) from error

    def has(self, digest: bytes) -> bool:
        """Tell whether the chunk is kept here; a damaged one counts, for it is not absent."""
        return self._index.has(digest)

    def adopt(self, digest: bytes, size: int, pieces: Iterable[bytes]) -> None:
        """Make a chunk durable here, unless a sound copy is: then the pieces are not even asked for.

        Raises:
            RemoteError: the pieces are not the chunk of that name and size; nothing of them is kept.
            WorldError: the disk refused, or the pieces could not be had; nothing is kept.
        """
        if size > CHUNK_BYTES_MAX:
            raise RemoteError(f"refused a chunk of {size} bytes; the limit is {CHUNK_BYTES_MAX}")
        if self._is_sound(digest):
            return
        arriving = self._directory / INCOMING / secrets.token_hex(16)
        try:
            sums = self._receive(arriving, digest, size, pieces)
            self._commit(arriving, digest, _Entry(size=size, sums=sums))
        except OSError as error:
            raise self._refused(error) from error
        finally:
            arriving.unlink(missing_ok=True)

    def remove(self, digest: bytes) -> None:
        """Give up a chunk, if it is kept: first its row, so that a crash leaves a file that the next start sweeps.

        Raises:
            WorldError: the disk refused.
        """
        size = self.size_of(digest)
        with self._writing:
            if not self._index.has(digest):
                return
            with self._index.transaction():
                self._index.delete(digest)
            self._size_bytes -= size
            self._damaged.pop(digest, None)
            try:
                self._path(digest).unlink(missing_ok=True)
            except OSError as error:
                raise self._refused(error) from error

    def locate(self, digest: bytes) -> ChunkPlace | None:
        """Tell where a chunk lies, or None if it is not kept here; its bytes are not checked.

        Raises:
            Corrupt: the chunk should be here, but its file is gone or of another size.
        """
        with self._noting_damage(digest):
            entry = self._entry(digest)
            if entry is None:
                return None
            path = self._path(digest)
            if not path.is_file() or path.stat().st_size != entry.size:
                raise _corrupt(digest, "its file is gone or of another size")
            return ChunkPlace(path=str(path), offset=0, size=entry.size)

    def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """Read a range of a chunk, shorter only at its end, after checking every block that the range touches.

        Raises:
            Corrupt: one of those blocks is damaged.
            WorldError: the chunk is not kept here.
        """
        with self._noting_damage(digest):
            return self._read_checked(digest, offset, length)

    def _read_checked(self, digest: bytes, offset: int, length: int) -> bytes:
        entry = self._entry(digest)
        if entry is None:
            raise WorldError(f"no chunk {digest.hex()} is kept here")
        end = min(offset + length, entry.size)
        if offset >= end:
            return b""
        first, last = offset // BLOCK_BYTES, -(-end // BLOCK_BYTES)
        begin = first * BLOCK_BYTES
        blocks = self._read_file(digest, begin, min(last * BLOCK_BYTES, entry.size) - begin)
        if block_sums(blocks) != entry.sums[first * SUM_BYTES : last * SUM_BYTES]:
            raise _corrupt(digest, f"its bytes from {begin} to {begin + len(blocks)} do not match their checksums")
        return blocks[offset - begin : end - begin]

    def verify(self, digest: bytes) -> None:
        """Read a whole chunk and check it.

        Raises:
            Corrupt: it is damaged.
            WorldError: it is not kept here.
        """
        entry = self._entry(digest)
        for offset in range(0, entry.size if entry else 1, _READ_BYTES):
            self.read(digest, offset, _READ_BYTES)

    def digests(self, after: bytes, limit: int) -> list[bytes]:
        """List the chunks that should be here after `after`, in order, at most `limit`.

        Raises:
            WorldError: the disk refused.
        """
        return [digest for digest, _ in self._index.scan(b"", after, limit)] if limit else []

    def size_of(self, digest: bytes) -> int:
        """Tell how large a chunk is by its row, else by its file; 0 where neither tells."""
        with contextlib.suppress(Corrupt):
            entry = self._entry(digest)
            if entry is not None:
                return entry.size
        with contextlib.suppress(OSError):
            return self._path(digest).stat().st_size
        return 0

    def reindex(self, digest: bytes) -> None:
        """Make a chunk's row anew from its file, for the file is sound if it has the chunk's name.

        Raises:
            RemoteError: the file is not that chunk.
            WorldError: the file is gone, or the disk refused.
        """
        try:
            with self._path(digest).open("rb") as file:
                self.adopt(digest, os.fstat(file.fileno()).st_size, iter(partial(file.read, _READ_BYTES), b""))
        except OSError as error:
            raise self._refused(error) from error

    def take_damaged(self) -> list[bytes]:
        """Give the chunks that readers have found damaged since this was last asked, and not mended meanwhile."""
        damaged, self._damaged = self._damaged, {}
        return list(damaged)

    def size_bytes(self) -> int:
        """Count the bytes of all chunks kept here."""
        return self._size_bytes

    def close(self) -> None:
        """Close this thread's connection to the index; those of other threads end with them."""
        self._index.close()

    @contextlib.contextmanager
    def _noting_damage(self, digest: bytes) -> Iterator[None]:
        """Remember a chunk that a reader finds damaged, for it is to be mended."""
        try:
            yield
        except Corrupt:
            self._damaged[digest] = None
            raise

    def _is_sound(self, digest: bytes) -> bool:
        if not self.has(digest):
            return False
        try:
            self.verify(digest)
        except WorldError:
            return False
        return True

    def _receive(self, path: Path, digest: bytes, size: int, pieces: Iterable[bytes]) -> bytes:
        """Write the pieces and wait for the disk; gives the checksums of their blocks."""
        hasher, summer = ChunkHasher(), BlockSummer()
        with path.open("xb", buffering=0) as file:
            for piece in pieces:
                hasher.update(piece)
                if hasher.size > size:
                    break
                summer.update(piece)
                write_fully(file.fileno(), piece)
            if (hasher.size, hasher.digest()) != (size, digest):
                raise RemoteError(f"refused chunk {digest.hex()}: {hasher.size} of {size} bytes came, or other bytes")
            os.fdatasync(file.fileno())
        return summer.sums()

    def _commit(self, arriving: Path, digest: bytes, entry: _Entry) -> None:
        """Give a durable file its name and then its row; if the row cannot be written, the file goes as well."""
        path = self._path(digest)
        path.parent.mkdir(exist_ok=True)
        with self._writing:
            is_new = not self._index.has(digest)
            arriving.replace(path)
            sync_folder(path.parent)
            sync_folder(self._directory)
            try:
                self._note(digest, _SIZE.pack(entry.size) + entry.sums)
            except WorldError:
                path.unlink()
                raise
            self._size_bytes += entry.size if is_new else 0
            self._damaged.pop(digest, None)

    def _note(self, digest: bytes, row: bytes) -> None:
        """Write an index row, unless it is there: readers may be at it, and a chunk never changes."""
        try:
            known = self._index.get(digest)
        except Corrupt:
            known = None
        if known != row:
            with self._index.transaction():
                self._index.put(digest, row)

    def _entry(self, digest: bytes) -> _Entry | None:
        row = self._index.get(digest)
        return None if row is None else _Entry(size=_SIZE.unpack_from(row)[0], sums=row[_SIZE.size :])

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self._directory / name[:2] / name

    def _read_file(self, digest: bytes, offset: int, length: int) -> bytes:
        try:
            with self._path(digest).open("rb", buffering=0) as file:
                found = os.pread(file.fileno(), length, offset)
        except FileNotFoundError as error:
            raise _corrupt(digest, "its file is gone") from error
        except OSError as error:
            raise self._refused(error) from error
        if len(found) != length:
            raise _corrupt(digest, "its file is too short")
        return found

    def _sweep(self) -> int:
        """Remove what no row names, and count the bytes of what is kept."""
        for path in (self._directory / INCOMING).iterdir():
            path.unlink()
        kept = {digest.hex() for digest in self._index.each_key()}
        size = 0
        for path in self._directory.glob("[0-9a-f][0-9a-f]/*"):
            if path.name in kept:
                size += path.stat().st_size
            else:
                path.unlink()
        return size

    def _refused(self, error: OSError) -> WorldError:
        return WorldError(f"the disk refused in {self._directory}: {error.strerror}")


def _corrupt(digest: bytes, reason: str) -> Corrupt:
    return Corrupt(f"corrupt chunk {digest.hex()}: {reason}; mend it from a replica")
