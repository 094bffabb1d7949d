"""Bring a backup into a running cluster, by ordinary writes with new versions.

What a key holds already is respected: equal values are left, missing siblings are added, and where other values are
there the key is left alone, or with `overwrite` replaced. So a restore may be broken off and run again.
"""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....node.wire.replies import ChunkKept, KeyGot, KeyPut
from ....node.wire.requests import GetKey, OfferChunk, PutKey
from ....ring.errors import CallerError, Corrupt
from ....ring.facts import Context
from ....ring.terms import Quorum, Vnode
from ....scheduling.jobs import ChunkRef
from ...connection import TRIES, Connection
from ...progress import Progress, Silence
from ..share import Share
from ..upload import CHUNK_REPLICAS, FRESH_S, OFFERS_IN_FLIGHT
from .layout import BackupManifest, KeptKey, Page, chunk_file, chunks_of, holds_chunk, read_manifest, read_page
from .taking import KEYS_AT_ONCE, quorum_of

Puts = list[PutKey]


@dataclass(slots=True, kw_only=True)
class Restored:
    """What a restore has done so far.

    `left` are keys that hold something else and were left alone, `ended` those whose time to live is over by now.
    """

    keys: int = 0
    written: int = 0
    equal: int = 0
    left: int = 0
    ended: int = 0
    chunks: int = 0
    chunk_bytes: int = 0


class Restore:
    """Restores backups to one cluster."""

    def __init__(self, connection: Connection, share: Share, *, overwrite: bool = False) -> None:
        self._connection = connection
        self._share = share
        self._overwrite = overwrite
        self._offered: set[bytes] = set()

    def run(self, directory: Path, progress: Progress | None = None, *, vnodes: Collection[Vnode] = ()) -> Restored:
        """Bring everything back, page by page: the chunks of a page's files before the keys that name them.

        With `vnodes` only the keys that lay in those, by the numbers of the cluster that was backed up.

        Raises:
            CallerError: there is no finished backup, or it has no such vnode.
            Corrupt: a part of the backup is damaged; what came before it is restored.
            WorldError: too few peers took a chunk or a key.
        """
        manifest, restored = read_manifest(directory), Restored()
        told, lost = progress or Silence(), frozenset(map(bytes.fromhex, manifest.lost))
        pages = _pages_of(manifest, vnodes)
        total, fresh_since = sum(page.keys for page in pages), time.monotonic()
        for page in pages:
            kept, begun = read_page(directory, page), time.monotonic()
            if begun - fresh_since > FRESH_S:  # they might be collected, if no key was written that names them
                self._offered, fresh_since = set(), begun
            chunks = [chunk for chunk in chunks_of(kept) if chunk.digest not in lost]
            self._offer(directory, chunks, restored)
            for begin in range(0, len(kept), KEYS_AT_ONCE):
                self._write(kept[begin : begin + KEYS_AT_ONCE], restored)
                told.advance("keys", restored.keys, total)
            if time.monotonic() - begun > FRESH_S:
                self._offered -= {chunk.digest for chunk in chunks}
                self._offer(directory, chunks, restored)
        return restored

    def _offer(self, directory: Path, chunks: Iterable[ChunkRef], restored: Restored) -> None:
        """Have the homes of chunks pull them from here."""
        fresh = {chunk.digest: chunk for chunk in chunks if chunk.digest not in self._offered}
        for chunk in fresh.values():
            if not holds_chunk(directory, chunk):
                raise Corrupt(f"{chunk_file(directory, chunk.digest)} is missing or damaged: see `murmur ring verify`")
        quorum = Quorum(replicas=CHUNK_REPLICAS, writes_required=CHUNK_REPLICAS)
        with self._share.session() as session:
            offers = (
                OfferChunk(
                    digest=chunk.digest,
                    size=chunk.size,
                    source=session.source(chunk_file(directory, chunk.digest)),
                    quorum=quorum,
                )
                for chunk in fresh.values()
            )
            for _ in self._connection.ask_all(offers, ChunkKept, tries=TRIES, in_flight=OFFERS_IN_FLIGHT):
                restored.chunks += 1
        restored.chunk_bytes += sum(chunk.size for chunk in fresh.values())
        self._offered |= fresh.keys()

    def _write(self, kept: Sequence[KeptKey], restored: Restored) -> None:
        """Write some keys, the first value of each, then the second and so on: siblings must not meet their likes."""
        reads = (GetKey(key=each.key, quorum=quorum_of(each.key)) for each in kept)
        plans: list[Puts] = []
        for number, got in self._connection.ask_all(reads, KeyGot, tries=TRIES):
            plans.append(self._plan(kept[number], got.values, got.context, restored))
        for turn in range(max(map(len, plans), default=0)):
            puts = (plan[turn] for plan in plans if turn < len(plan))
            for _ in self._connection.ask_all(puts, KeyPut):
                pass
        restored.keys += len(kept)

    def _plan(self, kept: KeptKey, present: Sequence[bytes], context: Context, restored: Restored) -> Puts:
        """Decide what to write for one key."""
        alive = kept.alive_at(time.time_ns() // 1_000_000)
        if not alive:
            restored.ended += 1
            return []
        missing = [(value, end) for value, end in alive if value not in present]
        is_strange = not set(present) <= set(kept.values)
        if is_strange and not self._overwrite:
            restored.left += 1
            return []
        restored.written += bool(missing or is_strange)
        restored.equal += not (missing or is_strange)
        values = alive if is_strange else missing
        quorum = quorum_of(kept.key)
        first = context if is_strange or not present else {}
        return [
            PutKey(key=kept.key, value=value, context={} if turn else first, quorum=quorum, expires_at=end)
            for turn, (value, end) in enumerate(values)
        ]


def _pages_of(manifest: BackupManifest, vnodes: Collection[Vnode]) -> list[Page]:
    """Pick the pages of some vnodes, of all where none is named."""
    strange = [vnode for vnode in vnodes if not 0 <= vnode < manifest.vnodes]
    if strange:
        raise CallerError(f"there is no vnode {strange[0]}: the backup is of {manifest.vnodes}, counted from 0")
    return [page for page in manifest.pages if not vnodes or page.vnode in vnodes]
