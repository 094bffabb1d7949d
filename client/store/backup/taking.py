"""Copy all keys and files of a running cluster into a directory.

It is taken online, key by key: each key is as some moment during the backup had it, and not all the same moment. A
chunk never changes, so a file is whole as its manifest was read. A value that ends is kept with its end.
An unfinished backup is taken up again: chunks that are there and sound are not fetched anew. Renewing a finished one
leaves it as it is until the new one is whole.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from ....node.storage.durable import replace_durably
from ....node.wire.replies import KeyGot, KeysFound, PeersShown, RingShown
from ....node.wire.requests import DescribeRing, FindKeys, GetKey, ListPeers
from ....ring.errors import CallerError, WorldError
from ....ring.terms import RECORD_QUORUM, Quorum
from ....scheduling.jobs import ChunkRef
from ...connection import TRIES, Connection
from ...progress import Progress, Silence
from ..chunks import ChunkReader
from .layout import (
    CHUNKS,
    FILES,
    KEYS,
    MANIFEST,
    NOT_KEPT,
    VERSION,
    BackupManifest,
    KeptKey,
    Page,
    chunk_file,
    chunks_of,
    holds_chunk,
    read_page,
    write_manifest,
)
from .paging import Pager

KEYS_AT_ONCE = 256


class Backup:
    """Takes backups of one cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = ChunkReader(connection)

    def take(self, directory: Path, *, overwrite: bool = False, progress: Progress | None = None) -> BackupManifest:
        """Copy everything into a directory, and give its manifest; that is written last.

        Raises:
            CallerError: the directory holds a finished backup, or something else.
            WorldError: keys cannot be listed or read.
        """
        _make_ready(directory, overwrite=overwrite)
        started_at = time.time()
        told = progress or Silence()
        ring = self._connection.ask(DescribeRing(), RingShown)
        peers = self._connection.ask(ListPeers(), PeersShown).peers
        pages = self._write_pages(directory, ring.vnodes, told)
        keys = siblings = files = chunk_bytes = 0
        chunks: set[bytes] = set()
        lost: list[str] = []
        for page in pages:
            kept = read_page(directory, page)
            keys += len(kept)
            siblings += sum(len(each.values) - 1 for each in kept)
            files += sum(each.key.startswith(FILES) for each in kept)
            for chunk in chunks_of(kept):
                if chunk.digest not in chunks:
                    chunks.add(chunk.digest)
                    chunk_bytes += chunk.size
                    lost += [] if self._fetch(directory, chunk) else [chunk.digest.hex()]
                    told.advance("bytes of chunks", chunk_bytes, chunk_bytes)
        manifest = BackupManifest(
            version=VERSION,
            started_at=started_at,
            finished_at=time.time(),
            vnodes=ring.vnodes,
            replicas=ring.replicas,
            members=tuple(sorted(view.member.name for view in peers)),
            epoch=max((view.epoch for view in peers), default=0),
            keys=keys,
            siblings=siblings,
            files=files,
            chunks=len(chunks),
            chunk_bytes=chunk_bytes,
            pages=pages,
            lost=tuple(lost),
        )
        manifest = write_manifest(directory, manifest)
        _sweep(directory, {page.name for page in pages}, {digest.hex() for digest in chunks})
        return manifest

    def _write_pages(self, directory: Path, vnodes: int, progress: Progress) -> tuple[Page, ...]:
        pager = Pager(directory, vnodes)
        for done, kept in enumerate(self._all_keys(), 1):
            pager.add(kept)
            progress.advance("keys", done, done)
        return pager.finish()

    def _all_keys(self) -> Iterator[KeptKey]:
        after, more = b"", True
        while more:
            found = self._connection.ask(FindKeys(prefix=b"", after=after, limit=KEYS_AT_ONCE), KeysFound, tries=TRIES)
            yield from self._read([key for key in found.keys if not key.startswith(NOT_KEPT)])
            after, more = found.keys[-1] if found.keys else after, found.more and bool(found.keys)

    def _read(self, keys: list[bytes]) -> Iterator[KeptKey]:
        requests = (GetKey(key=key, quorum=quorum_of(key)) for key in keys)
        found: dict[int, dict[bytes, int]] = {}
        for number, got in self._connection.ask_all(requests, KeyGot, tries=TRIES):
            if got.left_out:
                raise WorldError(
                    f"{keys[number]!r} has more concurrent values than can be read: put one, and try again"
                )
            found[number] = _last_ends(got)
        for number, key in enumerate(keys):
            if ends := found[number]:  # else it was deleted a moment ago
                yield KeptKey(key=key, values=tuple(ends), ends=tuple(ends.values()) if any(ends.values()) else ())

    def _fetch(self, directory: Path, chunk: ChunkRef) -> bool:
        """Fetch a chunk unless it is there; False if no peer can give it."""
        if holds_chunk(directory, chunk):
            return True
        try:
            content = self._reader.read(chunk)
        except WorldError:
            return False
        replace_durably(chunk_file(directory, chunk.digest), content)
        return True


def _last_ends(got: KeyGot) -> dict[bytes, int]:
    """Give each different value with its end; of equal ones the end that comes last, and never comes after all."""
    ends: dict[bytes, int] = {}
    for value, end in zip(got.values, got.ends or (0,) * len(got.values), strict=True):
        before = ends.get(value, end)
        ends[value] = max(before, end) if before and end else 0
    return ends


def quorum_of(key: bytes) -> Quorum:
    """Tell how many copies a key has: files have as many as all records of the system."""
    return RECORD_QUORUM if key.startswith(FILES) else Quorum()


def _make_ready(directory: Path, *, overwrite: bool) -> None:
    """Take a directory for a backup: an empty one, or one with an unfinished backup."""
    directory.mkdir(parents=True, exist_ok=True)
    names = {path.name for path in directory.iterdir()}
    strange = sorted(names - {MANIFEST, KEYS, CHUNKS, f".{MANIFEST}.part"})
    if strange:
        raise CallerError(f"{directory} holds {strange[0]}, which is of no backup; give an empty directory")
    if MANIFEST in names and not overwrite:
        raise CallerError(f"{directory} holds a finished backup; give another directory, or renew it with --overwrite")


def _sweep(directory: Path, pages: set[str], chunks: set[str]) -> None:
    """Remove what no manifest speaks of any more: of the backup before this one, and of unfinished ones."""
    for page in (directory / KEYS).glob("*.page"):
        if page.name not in pages:
            page.unlink()
    for chunk in (directory / CHUNKS).glob("*/*"):
        if chunk.name not in chunks:
            chunk.unlink()
