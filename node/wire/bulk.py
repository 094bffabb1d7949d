"""Spell the bulk protocol: ranges of bytes on request, so that the puller's pace is the credit."""

from typing import Annotated

from msgspec import Meta, Struct

from ...ring.terms import Name, Path

RANGE_BYTES_MAX = 1 << 20
"""Largest range in one reply: a pull keeps a few of them in flight."""


class Fetch(Struct, frozen=True, array_like=True, tag=True):
    """Ask for `length` bytes of what `ref` names, from `offset`; the bytes follow the reply as a frame of their own.

    References: `chunk/HEX`, `runs/JOB/NAME`, `parts/JOB/NAME` at a peer; `share/ID` at a client.
    """

    ref: Path
    offset: Annotated[int, Meta(ge=0, le=1 << 62)]
    length: Annotated[int, Meta(ge=0, le=RANGE_BYTES_MAX)]


class Locate(Struct, frozen=True, array_like=True, tag=True):
    """Ask for the size of what `ref` names, and for its path, in case the asker sees the same file system."""

    ref: Path


class CutChunk(Struct, frozen=True, array_like=True, tag=True):
    """Ask for the line borders nearest after each multiple of `split_size` within what `ref` names."""

    ref: Path
    split_size: Annotated[int, Meta(ge=1)]


BulkRequest = Fetch | Locate | CutChunk


class Fetched(Struct, frozen=True, array_like=True, tag=True):
    """The bytes follow; shorter than asked for only at the end of the file."""


class Located(Struct, frozen=True, array_like=True, tag=True):
    """The size in bytes, and where the bytes lie: `offset` in the file at `path` on `host`, empty if in no file."""

    size: int
    host: Name
    path: Path
    offset: int = 0


class ChunkCut(Struct, frozen=True, array_like=True, tag=True):
    """Positions after a newline, in order, each with the newlines before it: at most one for each `split_size`.

    0 is always the first; the end of the chunk is the last if a newline is there.
    """

    borders: Annotated[tuple[tuple[int, int], ...], Meta(max_length=100_000)]


class Unavailable(Struct, frozen=True, array_like=True, tag=True):
    """Nothing can be had under that reference; `corrupt` tells a damaged copy from an absent one."""

    reason: Annotated[str, Meta(max_length=1024)]
    corrupt: bool = False


BulkReply = Fetched | Located | ChunkCut | Unavailable
