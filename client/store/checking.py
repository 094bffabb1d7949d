"""Check the copies of stored files where they lie, and bring back those that are missing or damaged.

Each live peer reads its own copies and says what it has; nothing is believed that was not read. A chunk with at least
one sound copy is repaired by offering it to its homes from there, as if it were stored anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from ...node.wire.replies import ChunkKept, ChunksChecked, CopyState, PeersShown
from ...node.wire.requests import CheckChunks, ListPeers, OfferChunk
from ...ring.errors import MurmurationError, WorldError
from ...ring.facts import Liveness
from ...ring.terms import Member, Quorum, Source
from ...scheduling.jobs import ChunkRef
from ..connection import TRIES, Connection
from ..progress import Progress
from .paths import shown
from .tree import RingFile

FILES_AT_ONCE = 64
CHUNKS_AT_ONCE = 32
"""Chunks that one question is about: a peer reads a gigabyte at most before it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHealth:
    """What was found of one file; `copies` are the sound ones of its worst chunk.

    `missing` and `damaged` count copies; `lost` counts chunks without any sound copy at a peer that answers.
    """

    path: str
    size: int
    chunks: int
    copies: int
    wanted: int
    missing: int
    damaged: int
    lost: int
    repaired: int
    holders: dict[str, tuple[str, ...]]
    """The names of the peers with a sound copy, by the digest of the chunk."""

    @property
    def is_sound(self) -> bool:
        """Tell whether every chunk has all its copies, and none is damaged."""
        return not (self.missing or self.damaged or self.lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check has found, and which peers did not tell what they have."""

    files: list[FileHealth]
    silent: frozenset[str]


@dataclass(slots=True)
class _Copies:
    sound: list[Member] = field(default_factory=list)
    damaged: int = 0
    repaired: int = 0


class FileChecker:
    """Asks the live peers what they have of files."""

    def __init__(self, connection: Connection, replicas: int) -> None:
        """Find out who lives.

        Raises:
            WorldError: no peer answers.
        """
        self._connection = connection
        shown_peers = connection.ask(ListPeers(), PeersShown).peers
        self._members = tuple(view.member for view in shown_peers if view.liveness is Liveness.ALIVE)
        self._wanted = min(replicas, len(self._members))
        self.silent: set[str] = set()
        """Names of the peers that did not tell what they have."""

    def check(self, files: Iterable[RingFile], progress: Progress, *, repair: bool) -> Iterator[FileHealth]:
        """Give what was found of each file, and with `repair` what is there afterwards."""
        remaining = iter(files)
        while batch := list(islice(remaining, FILES_AT_ONCE)):
            chunks = {chunk.digest: chunk for file in batch for chunk in file.chunks}
            copies = self._copies(list(chunks.values()), progress)
            if repair:
                copies |= self._repaired(
                    [chunk for chunk in chunks.values() if self._is_ill(copies[chunk.digest])], copies
                )
            yield from (self._health(file, copies) for file in batch)

    def _copies(self, chunks: Sequence[ChunkRef], progress: Progress) -> dict[bytes, _Copies]:
        copies = {chunk.digest: _Copies() for chunk in chunks}
        total, done = sum(chunk.size for chunk in chunks), 0
        for begin in range(0, len(chunks), CHUNKS_AT_ONCE):
            page = chunks[begin : begin + CHUNKS_AT_ONCE]
            self._ask_all(page, copies)
            done += sum(chunk.size for chunk in page)
            progress.advance("checked", done, total)
        return copies

    def _ask_all(self, page: Sequence[ChunkRef], copies: dict[bytes, _Copies]) -> None:
        """Ask all live peers at once, each over a connection of its own."""
        digests = tuple(chunk.digest for chunk in page)
        with ThreadPoolExecutor(len(self._members)) as threads:
            answers = threads.map(lambda member: _states(member, digests), self._members)
        for member, states in zip(self._members, answers, strict=True):
            if states is None:
                self.silent.add(member.name)
                continue
            for digest, state in zip(digests, states, strict=True):
                if state is CopyState.SOUND:
                    copies[digest].sound.append(member)
                copies[digest].damaged += state is CopyState.DAMAGED

    def _is_ill(self, found: _Copies) -> bool:
        return bool(found.sound) and (len(found.sound) < self._wanted or found.damaged > 0)

    def _repaired(self, chunks: Sequence[ChunkRef], before: dict[bytes, _Copies]) -> dict[bytes, _Copies]:
        """Have chunks copied from where they are sound, and look again."""
        for chunk in chunks:
            self._offer(chunk, before[chunk.digest].sound)
        after = {chunk.digest: _Copies() for chunk in chunks}
        for begin in range(0, len(chunks), CHUNKS_AT_ONCE):
            self._ask_all(chunks[begin : begin + CHUNKS_AT_ONCE], after)
        for digest, found in after.items():
            found.repaired = max(0, len(found.sound) - len(before[digest].sound))
        return after

    def _offer(self, chunk: ChunkRef, holders: Sequence[Member]) -> None:
        quorum = Quorum(replicas=self._wanted, writes_required=self._wanted)
        for holder in holders:
            source = Source(url=holder.bulk_url, ref="chunk/" + chunk.digest.hex(), host=holder.host)
            offer = OfferChunk(digest=chunk.digest, size=chunk.size, source=source, quorum=quorum)
            try:
                self._connection.ask(offer, ChunkKept, tries=TRIES)
            except WorldError:
                continue  # the next holder may do; if none does, the second look tells
            return

    def _health(self, file: RingFile, copies: dict[bytes, _Copies]) -> FileHealth:
        found = [copies[chunk.digest] for chunk in file.chunks]
        return FileHealth(
            path=shown(file.path),
            size=file.size,
            chunks=len(found),
            copies=min((len(each.sound) for each in found), default=self._wanted),
            wanted=self._wanted,
            missing=sum(max(0, self._wanted - len(each.sound) - each.damaged) for each in found),
            damaged=sum(each.damaged for each in found),
            lost=sum(not each.sound for each in found),
            repaired=sum(each.repaired for each in found),
            holders={
                chunk.digest.hex(): tuple(member.name for member in copies[chunk.digest].sound) for chunk in file.chunks
            },
        )


def _states(member: Member, digests: tuple[bytes, ...]) -> tuple[CopyState, ...] | None:
    """Ask one peer about its own copies; None if it does not tell."""
    try:
        with Connection((member.url,)) as connection:
            states = connection.ask(CheckChunks(digests=digests), ChunksChecked).states
    except MurmurationError:
        return None
    return states if len(states) == len(digests) else None
