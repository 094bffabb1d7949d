"""Find files and directories in the ring by their paths: manifests under `fs/PATH`, and the members inside them.

A path is that of a file, of a directory that a job committed as one manifest, of a member of such a directory, or of a
directory that exists only because something lies below it. Concurrent writers may leave several manifests under one
path: the newest counts, and of equally new ones the greater bytes, so that every client sees the same one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from ...node.wire.replies import KeyGot, KeysFound
from ...node.wire.requests import FindKeys, GetKey
from ...ring.errors import CallerError, RemoteError
from ...ring.facts import Context
from ...ring.terms import RECORD_QUORUM
from ...scheduling.jobs import ChunkRef, Manifest, StoredFile, manifest_key
from ..connection import TRIES, Connection
from .paths import joined, name_of, parent_of, shown

ROOT_KEY = manifest_key("")
PAGE = 1000
_MANIFEST = msgspec.msgpack.Decoder(Manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingFile:
    """A file in the ring; `job` names the job that made it, if one did."""

    path: str
    size: int
    chunks: tuple[ChunkRef, ...]
    made_at: float
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingDirectory:
    """A directory in the ring; `members` are the files that one manifest holds, none if it is only implied."""

    path: str
    members: tuple[RingFile, ...] = ()
    made_at: float = 0.0
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What lies under the key of a path: the manifest that counts, and the context that a writer must hand back."""

    manifest: Manifest | None
    context: Context


class Tree:
    """Looks up paths."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def stored(self, paths: Sequence[str]) -> list[Stored]:
        """Read what lies under each of these paths, in their order.

        Raises:
            RemoteError: the ring holds something else there than a manifest.
        """
        found: dict[int, Stored] = {}
        requests = (GetKey(key=manifest_key(path), quorum=RECORD_QUORUM) for path in paths)
        for number, got in self._connection.ask_all(requests, KeyGot, tries=TRIES):
            found[number] = Stored(manifest=newest_manifest(paths[number], got.values), context=got.context)
        return [found[number] for number in range(len(paths))]

    def opened(self, paths: Sequence[str]) -> list[RingFile | RingDirectory | None]:
        """Read what the manifests under these paths describe; None where there is none."""
        return [
            None if here.manifest is None else _opened(path, here.manifest)
            for path, here in zip(paths, self.stored(paths), strict=True)
        ]

    def find(self, path: str) -> RingFile | RingDirectory | None:
        """Find what a path means, if anything; the root is always a directory."""
        if not path:
            return RingDirectory(path="")
        here = self.opened((path,))[0]
        if here is not None:
            return here
        member = self._member(path)
        if member is not None:
            return member
        return RingDirectory(path=path) if self.has_below(path) else None

    def get(self, path: str) -> RingFile | RingDirectory:
        """Find what a path means.

        Raises:
            CallerError: nothing is there.
        """
        found = self.find(path)
        if found is None:
            raise CallerError(f"{shown(path)} does not exist; see what does with `murmur fs ls`")
        return found

    def has_below(self, path: str) -> bool:
        """Tell whether anything of its own lies below a path."""
        return bool(self._page(_below(path), after=b"", limit=1).keys)

    def paths_below(self, path: str) -> Iterator[str]:
        """List the paths of all manifests below a directory, in order."""
        after, more = b"", True
        while more:
            page = self._page(_below(path), after)
            yield from map(_path_of, page.keys)
            after, more = page.keys[-1] if page.keys else after, page.more and bool(page.keys)

    def children(self, path: str) -> Iterator[tuple[str, bool]]:
        """List what lies directly in a directory by its own manifest, or by what lies below; tell which are implied."""
        prefix, after, more = _below(path), b"", True
        while more:
            page = self._page(prefix, after)
            for key in page.keys:
                if key <= after:
                    continue  # in a subdirectory that is listed already
                name, slash, _ = key[len(prefix) :].partition(b"/")
                yield joined(path, name.decode()), bool(slash)
                after = prefix + name + b"/\xff" if slash else key  # no UTF-8 sorts after that byte
            more = page.more and bool(page.keys)

    def walk(self, found: RingFile | RingDirectory) -> Iterator[RingFile]:
        """List every file of a directory and of those below it; a file is itself."""
        if isinstance(found, RingFile):
            yield found
            return
        yield from found.members
        batch: list[str] = []
        for path in self.paths_below(found.path):
            batch.append(path)
            if len(batch) == PAGE:
                yield from self._files_of(batch)
                batch = []
        yield from self._files_of(batch)

    def _files_of(self, paths: Sequence[str]) -> Iterator[RingFile]:
        for found in self.opened(paths):
            if found is not None:
                yield from found.members if isinstance(found, RingDirectory) else (found,)

    def _member(self, path: str) -> RingFile | None:
        parent = parent_of(path)
        manifest = self.stored((parent,))[0].manifest if parent else None
        if manifest is None or not manifest.directory:
            return None
        return next((file for file in _members(parent, manifest) if name_of(file.path) == name_of(path)), None)

    def _page(self, prefix: bytes, after: bytes, limit: int = PAGE) -> KeysFound:
        page = FindKeys(prefix=prefix, after=after, limit=limit, quorum=RECORD_QUORUM)
        return self._connection.ask(page, KeysFound, tries=TRIES)


def newest_manifest(path: str, values: Iterable[bytes]) -> Manifest | None:
    """Choose the manifest that counts among concurrent ones: the newest, then the one of greater bytes.

    Raises:
        RemoteError: a value is no manifest.
    """
    try:
        known = [(_MANIFEST.decode(value), value) for value in values]
    except msgspec.MsgspecError as error:
        raise RemoteError(f"the ring holds no file at {shown(path)} but something else: {error}") from error
    return max(known, key=lambda pair: (pair[0].made_at, pair[1]))[0] if known else None


def _opened(path: str, manifest: Manifest) -> RingFile | RingDirectory:
    if manifest.directory:
        return RingDirectory(path=path, members=_members(path, manifest), made_at=manifest.made_at, job=manifest.job)
    if len(manifest.files) != 1:
        raise RemoteError(f"the manifest of {shown(path)} should hold one file, not {len(manifest.files)}")
    return _file(path, manifest.files[0], manifest)


def _members(path: str, manifest: Manifest) -> tuple[RingFile, ...]:
    return tuple(_file(joined(path, file.name), file, manifest) for file in manifest.files)


def _file(path: str, file: StoredFile, manifest: Manifest) -> RingFile:
    return RingFile(path=path, size=file.size, chunks=file.chunks, made_at=manifest.made_at, job=manifest.job)


def _below(path: str) -> bytes:
    return ROOT_KEY + path.encode() + b"/" if path else ROOT_KEY


def _path_of(key: bytes) -> str:
    return key.removeprefix(ROOT_KEY).decode()
