"""Say what a backup looks like on disk: pages of keys, chunks by their names, and a manifest that makes it whole.

manifest.json            counts, and the digests of every page and of itself; without it a backup is not finished
keys/VVVV-NNN-HEX.page   keys of vnode VVVV in order with all their values; HEX is the beginning of the page's digest
chunks/AA/HEX            the content of stored files, each chunk under its digest, whose first two digits are AA

The manifest is written last. All other names follow from contents, so nothing that an older manifest speaks of is ever
written over: whether a backup is renewed or not, one manifest or the other is true.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ....node.storage.durable import replace_durably
from ....ring.digests import chunk_digest
from ....ring.errors import CallerError, Corrupt
from ....ring.terms import Vnode
from ....scheduling.jobs import ChunkRef, Manifest, job_key, manifest_key

MANIFEST: Final = "manifest.json"
KEYS: Final = "keys"
CHUNKS: Final = "chunks"
VERSION: Final = 1

NOT_KEPT: Final = (job_key(""), b"seal/", b"chunk/")
"""Keys of jobs are not kept: a job ends with its cluster, and what it has written is files."""
FILES: Final = manifest_key("")


PageName = Annotated[str, Meta(pattern=r"^[0-9]{4,9}-[0-9]{3,9}-[0-9a-f]{16}\.page$")]
DigestName = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]


class KeptKey(Struct, frozen=True, array_like=True):
    """A key and all its concurrent values.

    `ends` tells of each value when it ends, in milliseconds since 1970, with 0 for never; it is empty where none does.
    """

    key: bytes
    values: tuple[bytes, ...]
    ends: tuple[int, ...] = ()

    def alive_at(self, now_ms: int) -> list[tuple[bytes, int]]:
        """List the values that have not ended by then, each with its end."""
        ends = self.ends or (0,) * len(self.values)
        return [(value, end) for value, end in zip(self.values, ends, strict=True) if not end or end > now_ms]


class Page(Struct, frozen=True):
    """A file of keys of one vnode: its name, how many it holds, its size and the hexadecimal digest of its content."""

    name: PageName
    vnode: Count
    keys: Count
    bytes: Count
    digest: DigestName


class BackupManifest(Struct, frozen=True):
    """What a finished backup holds; `siblings` are the values beyond the first of their key.

    `lost` are chunks that no peer could give. `digest` is that of the manifest with an empty `digest`.
    The ring's own numbers (`vnodes`, `replicas`, `members`, and the highest `epoch` of a member's standing) tell which
    cluster it was; a backup can be restored to any.
    """

    version: int
    started_at: float
    finished_at: float
    vnodes: int
    replicas: int
    members: tuple[str, ...]
    epoch: int
    keys: int
    siblings: int
    files: int
    chunks: int
    chunk_bytes: int
    pages: tuple[Page, ...]
    lost: Annotated[tuple[DigestName, ...], Meta(max_length=1_000_000)] = ()
    digest: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""


def write_page(directory: Path, vnode: Vnode, number: int, kept: list[KeptKey]) -> Page:
    """Write a page of keys of one vnode; `number` tells it from the vnode's other pages."""
    content = msgspec.msgpack.encode(kept)
    digest = chunk_digest(content).hex()
    name = f"{vnode:04d}-{number:03d}-{digest[:16]}.page"
    replace_durably(directory / KEYS / name, content)
    return Page(name=name, vnode=vnode, keys=len(kept), bytes=len(content), digest=digest)


def write_manifest(directory: Path, manifest: BackupManifest) -> BackupManifest:
    """Make a backup whole; gives the manifest as it was written."""
    sealed = msgspec.structs.replace(manifest, digest=_digest_of(manifest))
    replace_durably(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(sealed)))
    return sealed


def _digest_of(manifest: BackupManifest) -> str:
    return chunk_digest(msgspec.json.encode(msgspec.structs.replace(manifest, digest=""))).hex()


def read_manifest(directory: Path) -> BackupManifest:
    """Read what a backup holds.

    Raises:
        CallerError: there is no finished backup, or one of another version.
    """
    file = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=BackupManifest)
    except FileNotFoundError as error:
        raise CallerError(f"{directory} holds no finished backup: there is no {MANIFEST}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CallerError(f"{file} is no manifest of a backup: {error}") from error
    if manifest.version != VERSION:
        raise CallerError(f"{file} is of version {manifest.version}; this program reads version {VERSION}")
    if manifest.digest != _digest_of(manifest) or sum(page.keys for page in manifest.pages) != manifest.keys:
        raise CallerError(f"{file} is damaged: what it says does not match its digest")
    return manifest


def read_page(directory: Path, page: Page) -> list[KeptKey]:
    """Read a page of keys.

    Raises:
        Corrupt: it is not what the manifest says.
    """
    file = directory / KEYS / page.name
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise Corrupt(f"{file} is gone: this backup cannot be restored whole") from error
    if chunk_digest(content).hex() != page.digest:
        raise Corrupt(f"{file} is damaged: its digest does not match the manifest")
    try:
        kept = msgspec.msgpack.decode(content, type=list[KeptKey])
    except msgspec.MsgspecError as error:
        raise Corrupt(f"{file} is no page of keys: {error}") from error
    if len(kept) != page.keys:
        raise Corrupt(f"{file} holds {len(kept)} keys, and the manifest says {page.keys}")
    return kept


def chunk_file(directory: Path, digest: bytes) -> Path:
    """Name the file of a chunk."""
    name = digest.hex()
    return directory / CHUNKS / name[:2] / name


def holds_chunk(directory: Path, chunk: ChunkRef) -> bool:
    """Tell whether a chunk is there and sound."""
    file = chunk_file(directory, chunk.digest)
    try:
        return file.stat().st_size == chunk.size and chunk_digest(file.read_bytes()) == chunk.digest
    except FileNotFoundError:
        return False


def chunks_of(kept: Iterable[KeptKey]) -> Iterator[ChunkRef]:
    """List the chunks of the files among some keys; one may come several times.

    Raises:
        Corrupt: a value under a file's key is no manifest.
    """
    for each in kept:
        if each.key.startswith(FILES):
            for value in each.values:
                yield from _chunks_of(each.key, value)


def _chunks_of(key: bytes, value: bytes) -> Iterator[ChunkRef]:
    try:
        manifest = msgspec.msgpack.decode(value, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"the value of {key!r} is no manifest of a file: {error}") from error
    for file in manifest.files:
        yield from file.chunks
