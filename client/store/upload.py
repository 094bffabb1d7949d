"""Cut local files into chunks at record borders and have peers replicate them, then name them by manifests.

The peers pull the chunks from this client; only then is the manifest written, so a file is in the ring whole or not
at all. Many files go through in batches, so that a thousand small ones cost a few round trips, not thousands.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from ...node.wire.replies import ChunkKept, KeyPut
from ...node.wire.requests import OfferChunk, PutKey
from ...ring.digests import chunk_digest
from ...ring.errors import CallerError, WorldError
from ...ring.facts import Context
from ...ring.terms import CHUNK_BYTES_MAX, RECORD_QUORUM, VALUE_BYTES_MAX, Quorum
from ...scheduling.jobs import ChunkRef, Manifest, StoredFile, manifest_key
from ..connection import TRIES, Connection
from ..progress import Progress
from .paths import ancestors_of, shown
from .share import Share, ShareSession
from .tree import RingFile, Tree

CHUNK_BYTES = 32 << 20
"""Default chunk: large enough that a seek costs nothing, small enough that a home takes seconds to copy it."""

CHUNK_REPLICAS = 3

OFFERS_IN_FLIGHT = 4
"""Chunks on their way at once: keeps disks and network busy while one is made durable."""

FILES_AT_ONCE = 64

FRESH_S = 900.0
"""Chunks that were stored longer ago than that when they are named are stored once more: peers might have been about
to collect them. It is a small part of any sane grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One local file and the path in the ring that it is to have."""

    local: Path
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChunk:
    """A piece of a local file that becomes a chunk."""

    upload: Upload
    file_size: int
    offset: int
    ref: ChunkRef


class Uploader:
    """Brings local files into the ring."""

    def __init__(
        self,
        connection: Connection,
        share: Share,
        *,
        chunk_size: int = CHUNK_BYTES,
        replicas: int = CHUNK_REPLICAS,
        overwrite: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < chunk_size <= CHUNK_BYTES_MAX:
            raise CallerError(f"a chunk size of {chunk_size} bytes is not between 1 and {CHUNK_BYTES_MAX}")
        self._connection = connection
        self._tree = Tree(connection)
        self._share = share
        self._chunk_size = chunk_size
        self._quorum = Quorum(replicas=replicas, writes_required=replicas)
        self._overwrite = overwrite
        self._clock = clock
        self._directories: set[str] = set()

    def put(self, uploads: Iterable[Upload], progress: Progress) -> Iterator[RingFile]:
        """Store files and give each once it is durable.

        Raises:
            CallerError: a path is taken, or a file cannot be read.
            WorldError: too few peers took a chunk or a manifest; the files given so far are stored.
        """
        remaining = iter(uploads)
        while batch := list(islice(remaining, FILES_AT_ONCE)):
            contexts = self._contexts(batch)
            chunks: dict[str, list[ChunkRef]] = {upload.path: [] for upload in batch}
            with self._share.session() as session:
                begun = self._clock()
                offered = self._offer(session, batch, chunks, progress)
                files = list(self._name(batch, chunks, contexts))
                if self._clock() - begun > FRESH_S:
                    self._offer_again(session, offered)
            yield from files

    def _contexts(self, batch: Sequence[Upload]) -> list[Context]:
        """Read what the new manifests will replace, and refuse paths that are taken."""
        contexts = []
        for upload, stored in zip(batch, self._tree.stored([upload.path for upload in batch]), strict=True):
            if stored.manifest is not None and not self._overwrite:
                raise CallerError(f"{shown(upload.path)} exists; use --overwrite or another path")
            if stored.manifest is not None and stored.manifest.directory:
                raise CallerError(f"{shown(upload.path)} is a directory; put the file under another path")
            contexts.append(stored.context)
        self._check_above(batch)
        return contexts

    def _check_above(self, batch: Sequence[Upload]) -> None:
        """Refuse to put anything below a file, or into a directory that a job committed as a whole."""
        above = {directory for upload in batch for directory in ancestors_of(upload.path)} - self._directories
        paths = sorted(above)
        for path, stored in zip(paths, self._tree.stored(paths), strict=True):
            if stored.manifest is not None:
                what = "the output of a job" if stored.manifest.directory else "a file"
                raise CallerError(f"{shown(path)} is {what}: nothing can be put below it; use another path")
        self._directories |= above

    def _offer(
        self, session: ShareSession, batch: Sequence[Upload], chunks: dict[str, list[ChunkRef]], progress: Progress
    ) -> list[LocalChunk]:
        offered: list[LocalChunk] = []
        done = dict.fromkeys((upload.path for upload in batch), 0)

        def offers() -> Iterator[OfferChunk]:
            for upload in batch:
                for chunk in cut_file(upload, self._chunk_size):
                    offered.append(chunk)
                    chunks[upload.path].append(chunk.ref)
                    yield self._offer_of(session, chunk)

        kept = self._connection.ask_all(offers(), ChunkKept, tries=TRIES, in_flight=OFFERS_IN_FLIGHT)
        for number, _ in kept:
            chunk = offered[number]
            done[chunk.upload.path] += chunk.ref.size
            progress.advance(str(chunk.upload.local), done[chunk.upload.path], chunk.file_size)
        return offered

    def _offer_again(self, session: ShareSession, chunks: Iterable[LocalChunk]) -> None:
        """Have chunks kept once more now that they are named: what peers still have is not pulled again."""
        offers = (self._offer_of(session, chunk) for chunk in chunks)
        for _ in self._connection.ask_all(offers, ChunkKept, tries=TRIES, in_flight=OFFERS_IN_FLIGHT):
            pass

    def _offer_of(self, session: ShareSession, chunk: LocalChunk) -> OfferChunk:
        source = session.source(chunk.upload.local, chunk.offset)
        return OfferChunk(digest=chunk.ref.digest, size=chunk.ref.size, source=source, quorum=self._quorum)

    def _name(
        self, batch: Sequence[Upload], chunks: dict[str, list[ChunkRef]], contexts: Sequence[Context]
    ) -> Iterator[RingFile]:
        files = []
        requests = []
        for upload, context in zip(batch, contexts, strict=True):
            refs = tuple(chunks[upload.path])
            file = RingFile(path=upload.path, size=sum(ref.size for ref in refs), chunks=refs, made_at=time.time())
            files.append(file)
            key, value = manifest_key(upload.path), encoded_manifest(file)
            requests.append(PutKey(key=key, value=value, context=context, quorum=RECORD_QUORUM))
        for number, _ in self._connection.ask_all(requests, KeyPut, tries=TRIES):
            yield files[number]


def encoded_manifest(file: RingFile) -> bytes:
    """Spell the manifest of one file as the ring stores it.

    Raises:
        CallerError: the file has more chunks than one manifest holds.
    """
    stored = StoredFile(name="", size=file.size, chunks=file.chunks)
    value = msgspec.msgpack.encode(Manifest(files=(stored,), directory=False, made_at=file.made_at, job=file.job))
    if len(value) > VALUE_BYTES_MAX:
        raise CallerError(f"{shown(file.path)} would have {len(file.chunks)} chunks; use a larger --chunk-size")
    return value


def cut_file(upload: Upload, chunk_size: int) -> Iterator[LocalChunk]:
    """Cut a file into chunks of at most `chunk_size` bytes, each after a newline, or hard where a line is longer.

    Raises:
        CallerError: the file cannot be read.
        WorldError: the file grows shorter meanwhile.
    """
    try:
        with upload.local.open("rb") as file:
            yield from _cut(upload, file, os.fstat(file.fileno()).st_size, chunk_size)
    except OSError as error:
        raise CallerError(f"{upload.local}: {error.strerror or error}") from error


def _cut(upload: Upload, file: BinaryIO, size: int, chunk_size: int) -> Iterator[LocalChunk]:
    """Read and not map, for a mapped file that somebody cuts short ends this process."""
    begin = 0
    while begin < size:
        file.seek(begin)
        piece = file.read(min(chunk_size, size - begin))
        if begin + len(piece) < min(begin + chunk_size, size):
            raise WorldError(f"{upload.local} grew shorter while it was read; put it again")
        border = piece.rfind(b"\n") + 1 if begin + len(piece) < size else len(piece)
        open_line = border == 0
        piece = piece if open_line else piece[:border]
        ref = ChunkRef(digest=chunk_digest(piece), size=len(piece), newlines=piece.count(b"\n"), open_line=open_line)
        yield LocalChunk(upload=upload, file_size=size, offset=begin, ref=ref)
        begin += len(piece)
