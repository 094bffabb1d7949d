"""Read chunks of stored files from whichever peer has them, and believe none without checking its digest."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec.structs import replace

from ...node.transport.bulk_pull import cut_chunk, pull
from ...node.wire.replies import ChunkAt
from ...node.wire.requests import LocateChunk
from ...ring.digests import chunk_digest
from ...ring.errors import MurmurationError, RemoteError, WorldError
from ...ring.terms import Source
from ...scheduling.jobs import ChunkRef
from ...scheduling.splits import Border, Cut
from ..connection import TRIES, Connection


class ChunkReader:
    """Gives the bytes of chunks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sources(self, chunk: ChunkRef) -> tuple[Source, ...]:
        """List the places where a chunk may be had, best first."""
        return self._connection.ask(LocateChunk(digest=chunk.digest), ChunkAt, tries=TRIES).sources

    def read(self, chunk: ChunkRef) -> bytes:
        """Give a whole chunk, from the first place that has it undamaged.

        Raises:
            WorldError: no place has it; the message says what each of them answered.
        """
        refusals: list[str] = []
        for source in self.sources(chunk):
            try:
                content = b"".join(pull(source, chunk.size))
            except (MurmurationError, OSError) as error:
                refusals.append(str(error))
                continue
            if chunk_digest(content) == chunk.digest:
                return content
            refusals.append(f"the copy at {source.url} is damaged")
        reasons = "; ".join(refusals) or "no peer holds it"
        raise WorldError(f"chunk {chunk.digest.hex()[:16]} cannot be read: {reasons}")

    def part(self, chunk: ChunkRef, begin: int, end: int) -> bytes:
        """Give some bytes of a chunk, as the first place that has them undamaged says; the digest is not checked.

        Raises:
            WorldError: no place has them.
        """
        refusals: list[str] = []
        for source in self.sources(chunk):
            try:
                return b"".join(pull(replace(source, offset=source.offset + begin), end - begin))
            except (MurmurationError, OSError) as error:
                refusals.append(str(error))
        reasons = "; ".join(refusals) or "no peer holds it"
        raise WorldError(f"chunk {chunk.digest.hex()[:16]} cannot be read: {reasons}")

    def stream(self, chunks: Iterable[ChunkRef], begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Give the bytes from `begin` to `end` of a file, chunk by chunk; chunks outside are not read at all."""
        position = 0
        for chunk in chunks:
            first, last = max(0, begin - position), chunk.size if end is None else min(chunk.size, end - position)
            if first < last:
                content = self.read(chunk)
                yield content if last - first == chunk.size else content[first:last]
            position += chunk.size

    def cut(self, chunk: ChunkRef, split_size: int) -> Cut:
        """Have a holder of a chunk find the line borders near the multiples of `split_size` in it.

        Raises:
            WorldError: no place can cut it.
        """
        refusals: list[str] = []
        for source in self.sources(chunk):
            try:
                return _checked_cut(chunk, cut_chunk(source, split_size).borders)
            except (MurmurationError, OSError) as error:
                refusals.append(str(error))
        reasons = "; ".join(refusals) or "no peer holds it"
        raise WorldError(f"chunk {chunk.digest.hex()[:16]} cannot be cut: {reasons}")


def _checked_cut(chunk: ChunkRef, borders: Sequence[Border]) -> Cut:
    """Believe a holder's borders only if they begin at 0, rise, stay inside and count no more lines than there are.

    Raises:
        RemoteError: they do not.
    """
    rising = all(here[0] < there[0] and here[1] < there[1] for here, there in pairwise(borders))
    if not borders or borders[0] != (0, 0) or not rising:
        raise RemoteError("its borders are in no order")
    if borders[-1][0] > chunk.size or borders[-1][1] > chunk.newlines:
        raise RemoteError("its borders lie outside")
    return Cut(borders=tuple(borders), newlines=chunk.newlines, ends_line=borders[-1][0] == chunk.size)
