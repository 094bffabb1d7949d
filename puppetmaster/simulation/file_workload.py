"""Play the client of files: upload, replace and remove some, of few contents, so that chunks are soon wanted again.

A client that took long between storing the chunks of a file and naming them stores them once more, as the real one
does; only then it counts the file as stored.
"""

import random
from dataclasses import dataclass, field
from itertools import count

import msgspec

from ...node.wire.replies import ChunkKept, KeyPut
from ...node.wire.requests import OfferChunk, PutKey
from ...ring.digests import chunk_digest
from ...ring.facts import Context
from ...ring.terms import RECORD_QUORUM, Quorum, Source
from ...scheduling.jobs import ChunkRef, Manifest, StoredFile, manifest_key
from .cluster import CLIENT_URL, Cluster

CONTENTS = 4
"""So many chunks are in one file after the other; some files have one of their own beside it."""
OWN_SHARE = 0.5
PATIENCE_S = 4.0
FRESH_S = 2.0
"""After longer than that the chunks are stored once more: a part of the grace, as for real."""
DAWDLES_S = 2.2
"""A client takes up to so long between the chunks and their name."""
DYING_SHARE = 0.2
"""Such a share of the uploads is broken off when the chunks are stored."""
REMOVED_SHARE, REPLACED_SHARE = 0.5, 0.15
UNDER_WAY_MAX = 3
CHUNK_QUORUM = Quorum(replicas=3, writes_required=3)
MANIFEST_QUORUMS = (RECORD_QUORUM, Quorum())
"""Some manifests have three copies only, so that not every peer has one."""


@dataclass(slots=True, kw_only=True, eq=False)
class Upload:
    """One file on its way into the ring, or in it."""

    path: str
    digests: tuple[bytes, ...]
    quorum: Quorum
    replaces: "Upload | None" = None
    context: Context = field(default_factory=dict)
    offered_at: float = 0.0
    asked_at: float = 0.0
    names_at: float = 0.0
    waiting: dict[str, bytes] = field(default_factory=dict)
    """Chunks that are not acknowledged yet, by their requests."""
    holders: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    """Who has acknowledged each chunk when it was stored last."""
    named_by: str = ""
    """The request that writes the manifest."""
    is_named: bool = False
    stored_at: float = 0.0
    """When the client was told that all of it is durable; 0 while it was not."""
    is_doomed: bool = False
    """Whether it is removed or replaced, or was broken off."""


class FileWorkload:
    """Files that come and go."""

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        self._cluster = cluster
        self._rng = rng
        self._numbers = count()
        self.sizes: dict[bytes, int] = {}
        """The chunks of all files, by digest."""
        self._shared = [self._content(b"shared") for _ in range(CONTENTS)]
        self.uploads: list[Upload] = []

    @property
    def stored(self) -> list[Upload]:
        """List the files that were acknowledged and that nobody has begun to remove or to replace."""
        return [upload for upload in self.uploads if upload.stored_at and not upload.is_doomed]

    def step(self) -> None:
        """Take in replies, go on with what is under way, and begin something."""
        self.go_on()
        if sum(not (upload.stored_at or upload.is_doomed) for upload in self.uploads) >= UNDER_WAY_MAX:
            return
        stored, chance = self.stored, self._rng.random()
        if stored and chance < REMOVED_SHARE:
            self._remove(self._rng.choice(stored))
        else:
            replaced = self._rng.choice(stored) if stored and chance < REMOVED_SHARE + REPLACED_SHARE else None
            self._begin(replaced)

    def go_on(self) -> None:
        """Take in replies, and go on with what is under way."""
        for upload in self.uploads:
            if not (upload.is_doomed or upload.stored_at):
                self._take(upload)
                self._go_on_with(upload)

    def _go_on_with(self, upload: Upload) -> None:
        now = self._cluster.timeline.now
        is_waiting = bool(upload.waiting) or (bool(upload.named_by) and not upload.is_named)
        if is_waiting and now - upload.asked_at > PATIENCE_S:
            upload.is_doomed = True
        elif not (is_waiting or upload.named_by or upload.is_doomed) and now >= upload.names_at:
            self._name(upload)

    def _begin(self, replaced: Upload | None) -> None:
        own = [self._content(b"own")] if self._rng.random() < OWN_SHARE else []
        upload = Upload(
            path=f"file-{next(self._numbers)}" if replaced is None else replaced.path,
            digests=(self._rng.choice(self._shared), *own),
            quorum=self._rng.choice(MANIFEST_QUORUMS) if replaced is None else replaced.quorum,
            replaces=replaced,
        )
        self.uploads.append(upload)
        self._offer(upload)
        upload.names_at = upload.offered_at + self._rng.random() * DAWDLES_S

    def _offer(self, upload: Upload) -> None:
        upload.offered_at = upload.asked_at = self._cluster.timeline.now
        for digest in upload.digests:
            source = Source(url=CLIENT_URL, ref=f"files/{digest.hex()}")
            offer = OfferChunk(digest=digest, size=self.sizes[digest], source=source, quorum=CHUNK_QUORUM)
            upload.waiting[self._cluster.ask(self._anybody(), offer)] = digest

    def _take(self, upload: Upload) -> None:
        replies, now = self._cluster.replies, self._cluster.timeline.now
        for request in sorted(upload.waiting.keys() & replies.keys()):
            reply, digest = replies.pop(request), upload.waiting.pop(request)
            upload.is_doomed |= not isinstance(reply, ChunkKept)
            if isinstance(reply, ChunkKept):
                upload.holders[digest] = reply.holders
        if upload.named_by in replies:
            reply = replies.pop(upload.named_by)
            if not isinstance(reply, KeyPut):
                upload.is_doomed = True
                return
            upload.is_named, upload.context = True, reply.context
            if now - upload.offered_at > FRESH_S:
                self._offer(upload)
                self._cluster.witness.note("chunks stored once more")
        if upload.is_named and not upload.waiting and not upload.is_doomed:
            upload.stored_at = now

    def _name(self, upload: Upload) -> None:
        if self._rng.random() < DYING_SHARE:
            upload.is_doomed = True
            self._cluster.witness.note("upload broken off")
            return
        chunks = tuple(ChunkRef(digest, self.sizes[digest], 1) for digest in upload.digests)
        file = StoredFile(name="", size=sum(chunk.size for chunk in chunks), chunks=chunks)
        context: Context = {}
        if upload.replaces is not None:
            upload.replaces.is_doomed, context = True, upload.replaces.context
        manifest = msgspec.msgpack.encode(Manifest(files=(file,), directory=False, made_at=1.0))
        upload.named_by = self._write(upload, manifest, context)
        upload.asked_at = self._cluster.timeline.now

    def _remove(self, upload: Upload) -> None:
        upload.is_doomed = True
        self._write(upload, None, upload.context)

    def _write(self, upload: Upload, value: bytes | None, context: Context) -> str:
        put = PutKey(key=manifest_key(upload.path), value=value, context=context, quorum=upload.quorum)
        return self._cluster.ask(self._anybody(), put)

    def _content(self, kind: bytes) -> bytes:
        """Make up a chunk that a peer can pull from the client, and give its digest."""
        content = b"%s %d\n" % (kind, next(self._numbers))
        digest = chunk_digest(content)
        self._cluster.texts[f"files/{digest.hex()}"] = content
        self.sizes[digest] = len(content)
        return digest

    def _anybody(self) -> str:
        return self._rng.choice(sorted(self._cluster.disks))
