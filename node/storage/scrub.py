"""Check chunks on the disk in turn, whole ones until enough is read, and name those that are damaged."""

from ...ring.errors import Corrupt, MurmurationError, WorldError
from ...ring.events import ChunksScrubbed, DamagedChunk
from ..wire.replies import CopyState
from .chunks import ChunkStore

PAGE_CHUNKS = 256
"""Chunks that one step looks at, at most."""


def scrub_chunks(chunks: ChunkStore, ticket: int, after: bytes, bytes_max: int) -> ChunksScrubbed:
    """Check the chunks after `after` until `bytes_max` are read; those found damaged by readers come along.

    A chunk whose index row alone is damaged is mended here, for its name tells whether its file is sound.

    Raises:
        WorldError: the disk refused.
    """
    damaged = dict.fromkeys(chunks.take_damaged())
    read = 0
    for digest in chunks.digests(after, PAGE_CHUNKS if bytes_max else 0):
        if read >= bytes_max:
            return _scrubbed(chunks, ticket, damaged, after, read)
        after = digest
        read += max(1, chunks.size_of(digest))
        if not _is_sound(chunks, digest):
            damaged[digest] = None
    is_end = not bytes_max or not chunks.digests(after, 1)
    return _scrubbed(chunks, ticket, damaged, None if is_end else after, read)


def copy_states(chunks: ChunkStore, digests: tuple[bytes, ...]) -> tuple[CopyState, ...]:
    """Read the copies of some chunks, and tell of each what is here; one that the disk does not give is damaged."""
    return tuple(_state(chunks, digest) for digest in digests)


def _state(chunks: ChunkStore, digest: bytes) -> CopyState:
    try:
        if not chunks.has(digest):
            return CopyState.ABSENT
        chunks.verify(digest)
    except WorldError:
        return CopyState.DAMAGED
    return CopyState.SOUND


def _is_sound(chunks: ChunkStore, digest: bytes) -> bool:
    try:
        chunks.verify(digest)
    except Corrupt:
        try:
            chunks.reindex(digest)
        except MurmurationError:
            return False
    return True


def _scrubbed(
    chunks: ChunkStore, ticket: int, damaged: dict[bytes, None], after: bytes | None, read: int
) -> ChunksScrubbed:
    found = tuple(DamagedChunk(digest=digest, size=chunks.size_of(digest)) for digest in damaged)
    return ChunksScrubbed(ticket=ticket, damaged=found, after=after, bytes_read=read)
