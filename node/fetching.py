"""Bring the inputs of an attempt within reach of an executor: as ranges of files on this machine.

An executor never talks to a network. Bytes that lie on this host, in whatever peer's directory, are read where they
are; all else is pulled into a scratch directory of the attempt first. Everything here blocks, and runs in threads.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..ring.errors import Corrupt, MurmurationError, WorldError
from ..ring.terms import Source
from .effects import Piece, RunPlace
from .executor.tasks import Extent, RunSegment
from .storage.chunks import ChunkStore
from .transport.bulk_pull import locate, pull
from .transport.host import host_id
from .wire.bulk import RANGE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsFetched:
    """The runs that are within reach now, and the splits whose runs can be had nowhere."""

    segments: tuple[RunSegment, ...]
    missing: tuple[int, ...]


class Fetcher:
    """Finds or pulls the inputs of attempts."""

    def __init__(self, chunks: ChunkStore) -> None:
        self._chunks = chunks

    def pieces(self, pieces: Iterable[Piece], scratch: Path) -> tuple[Extent, ...]:
        """Give the pieces of a split as local ranges, in order.

        Raises:
            WorldError: a piece can be had nowhere; the message says what each source answered.
        """
        return tuple(self._piece(piece, scratch / f"piece-{number}") for number, piece in enumerate(pieces))

    def runs(self, places: Iterable[RunPlace], scratch: Path) -> RunsFetched:
        """Give the runs as local files; those out of reach are named, not raised, for they can be made again."""
        segments, missing = [], []
        for place in places:
            path = self._run(place, scratch / f"run-{place.split}")
            if path is None:
                missing.append(place.split)
            else:
                segments.append(RunSegment(split=place.split, path=path, digest=place.digest))
        return RunsFetched(segments=tuple(segments), missing=tuple(missing))

    def _piece(self, piece: Piece, scratch: Path) -> Extent:
        refusals = []
        try:
            if piece.digest and (own := self._own_chunk(piece)) is not None:
                return own
        except Corrupt as error:
            refusals.append(str(error))
        for source in piece.sources:
            try:
                return self._from_source(piece, source, scratch)
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

    def _from_source(self, piece: Piece, source: Source, scratch: Path) -> Extent:
        if source.host == host_id():
            path, offset = (source.path, source.offset) if source.path else _located(source)
            if path and _readable(path, offset + piece.offset + piece.length):
                return Extent(path=path, offset=offset + piece.offset, length=piece.length)
        _write(pull(_from(source, piece.offset), piece.length), scratch)
        return Extent(path=str(scratch), offset=0, length=piece.length)

    def _run(self, place: RunPlace, scratch: Path) -> str | None:
        for source in place.sources:
            if source.host == host_id() and _readable(source.path, 1):
                return source.path
        for source in place.sources:
            with contextlib.suppress(MurmurationError):  # the next source may do; none at all is reported as missing
                _write(pull(source, locate(source).size), scratch)
                return str(scratch)
        return None


def _from(source: Source, offset: int) -> Source:
    return Source(url=source.url, ref=source.ref, host=source.host, path=source.path, offset=source.offset + offset)


def _located(source: Source) -> tuple[str, int]:
    place = locate(source)
    return place.path, place.offset


def _readable(path: str, size: int) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.seek(0, 2) >= size
    except OSError:
        return False


def _write(pieces: Iterable[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
