"""Bring the inputs of an attempt within reach of an executor: as ranges of files on this machine.

An executor never talks to a network. This peer's own chunks, and files of others on this host that carry their own
proof (a run's digests) or belong to the client, are read where they lie; all else is pulled into a scratch directory of
the attempt first, from servers that check what they serve. Everything here blocks, and runs in threads.
"""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..ring.digests import chunk_digest
from ..ring.errors import Corrupt, MurmurationError, WorldError
from ..ring.terms import Source
from .effects import Piece, RunAttempt, RunPlace
from .executor.faults.wording import InputUnreadable
from .executor.shuffle.run_layout import FOOTER, index_range, segment_of, sound_blocks
from .executor.tasks import Extent, RunSegment, parted
from .storage.chunks import ChunkStore
from .transport.bulk_pull import locate, pull
from .transport.host import host_id
from .transport.passage import FREE, Passage
from .wire.bulk import RANGE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsFetched:
    """The runs that are within reach now, and the splits whose runs can be had nowhere."""

    segments: tuple[RunSegment, ...]
    missing: tuple[int, ...]


class Fetcher:
    """Finds or pulls the inputs of attempts."""

    def __init__(self, chunks: ChunkStore, passage: Passage = FREE) -> None:
        self._chunks = chunks
        self._passage = passage

    def split(self, run: RunAttempt, scratch: Path, sizes: dict[str, int]) -> tuple[tuple[Extent, ...], ...]:
        """Give what a map attempt reads as local ranges: its file's head, the split itself, and the file's tail.

        The `sizes` of files that were looked at before are taken from there, for all splits of one look.

        Raises:
            WorldError: a piece can be had nowhere; the message says what each source answered.
        """
        split = run.start.record.splits[run.start.task]
        head = run.start.record.files[split.file].head
        return parted(self.pieces(run.pieces, scratch, sizes), head, split.end - split.begin)

    def pieces(self, pieces: Iterable[Piece], scratch: Path, sizes: dict[str, int] | None = None) -> tuple[Extent, ...]:
        """Give the pieces of a split as local ranges, in order.

        The `sizes` of files that were looked at before are taken from there, for all splits of one look.

        Raises:
            WorldError: a piece can be had nowhere; the message says what each source answered.
        """
        sizes = {} if sizes is None else sizes
        return tuple(self._piece(piece, scratch / f"piece-{number}", sizes) for number, piece in enumerate(pieces))

    def runs(self, places: Iterable[RunPlace], partition: int, scratch: Path) -> RunsFetched:
        """Give one partition of the runs as local files; runs out of reach are named, for they can be made again."""
        segments, missing = [], []
        for place in places:
            path = self._run(place, partition, scratch / f"run-{place.split}")
            if path is None:
                missing.append(place.split)
            else:
                segments.append(RunSegment(split=place.split, path=path, digest=place.digest))
        return RunsFetched(segments=tuple(segments), missing=tuple(missing))

    def _piece(self, piece: Piece, scratch: Path, sizes: dict[str, int]) -> Extent:
        refusals = []
        try:
            if piece.digest and (own := self._own_chunk(piece)) is not None:
                return own
        except Corrupt as error:
            refusals.append(str(error))
        for source in piece.sources:
            try:
                return self._from_source(piece, source, scratch, sizes)
            except MurmurationError as error:
                refusals.append(str(error))
        raise WorldError("; ".join(refusals) or "no peer holds this part of the input")

    def _own_chunk(self, piece: Piece) -> Extent | None:
        """Find the piece in this peer's own chunks, every block of it checked."""
        place = self._chunks.locate(piece.digest)
        if place is None:
            return None
        for offset in range(piece.offset, piece.offset + piece.length, RANGE_BYTES_MAX):
            self._chunks.read(piece.digest, offset, min(RANGE_BYTES_MAX, piece.offset + piece.length - offset))
        return Extent(path=place.path, offset=place.offset + piece.offset, length=piece.length)

    def _from_source(self, piece: Piece, source: Source, scratch: Path, sizes: dict[str, int]) -> Extent:
        if self._is_here(source, source.offset + piece.offset + piece.length, sizes):
            return Extent(path=source.path, offset=source.offset + piece.offset, length=piece.length)
        _write(scratch, 0, pull(_from(source, piece.offset), piece.length, passage=self._passage))
        return Extent(path=str(scratch), offset=0, length=piece.length)

    def _run(self, place: RunPlace, partition: int, scratch: Path) -> str | None:
        """Find a run on this host, or pull what one partition needs of it; None if it can be had nowhere.

        The executor checks what it reads. But a run that was made again has several places, and the damaged one, read
        for ever, would have it made again for ever: so each must prove itself here.
        """
        was_lost = len(place.sources) > 1
        for source in place.sources:
            is_here = self._is_here(source, FOOTER.size, {})
            if is_here and not (was_lost and not is_sound(source.path, partition, place)):
                return source.path
        for source in place.sources:
            with contextlib.suppress(MurmurationError, InputUnreadable):  # another may do; if none does, it is reported
                self._pull_partition(source, partition, scratch)
                if is_sound(str(scratch), partition, place):
                    return str(scratch)
        return None

    def _pull_partition(self, source: Source, partition: int, target: Path) -> None:
        """Write a sparse copy of a run that holds its footer, its index and one segment, each where it was."""
        footer_at = locate(source, passage=self._passage).size - FOOTER.size
        footer = self._pull_range(source, footer_at, FOOTER.size, target)
        index_at, index_size = index_range(footer)
        index = self._pull_range(source, index_at, index_size, target)
        segment = segment_of(index, partition)
        _write(target, segment.offset, pull(_from(source, segment.offset), segment.length, passage=self._passage))

    def _pull_range(self, source: Source, offset: int, length: int, target: Path) -> bytes:
        content = b"".join(pull(_from(source, offset), length, passage=self._passage))
        _write(target, offset, [content])
        return content

    def _is_here(self, source: Source, size: int, sizes: dict[str, int]) -> bool:
        """Tell whether a file of at least that size may be read where it lies."""
        if source.host != host_id() or not self._passage.shows_files(source.url):
            return False
        if source.path not in sizes:
            sizes[source.path] = _size_of(source.path)
        return sizes[source.path] >= size


def is_sound(path: str, partition: int, place: RunPlace) -> bool:
    """Tell whether one partition of a run, or of a sparse copy of it, is what its digest says."""
    try:
        with Path(path).open("rb") as file:
            file.seek(-FOOTER.size, os.SEEK_END)
            index = _read_range(file, *index_range(file.read()))
            if chunk_digest(index) != place.digest:
                return False
            for _ in sound_blocks(partial(_read_range, file), segment_of(index, partition)):
                pass
    except (OSError, OverflowError, MemoryError, ValueError, InputUnreadable):
        return False
    return True


def _read_range(file: BinaryIO, begin: int, length: int) -> bytes:
    file.seek(begin)
    return file.read(length)


def _from(source: Source, offset: int) -> Source:
    return Source(url=source.url, ref=source.ref, host=source.host, path=source.path, offset=source.offset + offset)


def _size_of(path: str) -> int:
    """Tell how long a file is that can be read; -1 of another."""
    try:
        with Path(path).open("rb") as file:
            return file.seek(0, os.SEEK_END)
    except OSError:
        return -1


def _write(path: Path, offset: int, pieces: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.seek(offset)
        for piece in pieces:
            file.write(piece)
