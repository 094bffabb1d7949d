"""Store, read, list and remove files in the ring: what `client.fs` offers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ...node.wire.replies import KeyPut
from ...node.wire.requests import PutKey
from ...ring.errors import CallerError
from ...scheduling.jobs import ChunkRef, manifest_key
from ..connection import TRIES, Connection
from ..jobs.staging import check_free, staged_directory, staged_file
from ..progress import Progress, Silence
from .checking import CheckReport, FileChecker
from .chunks import ChunkReader
from .collecting import GRACE_S, PeerCollection, collect_chunks
from .paths import file_path, joined, means_directory, name_of, ring_path, shown
from .share import Share
from .tree import RingDirectory, RingFile, Tree
from .upload import CHUNK_BYTES, CHUNK_REPLICAS, Upload, Uploader

LocalPath = str | PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a listing tells of a file or directory: `path` begins with `ring:/`; a directory only implied has size 0."""

    path: str
    directory: bool
    size: int
    chunks: int = 0
    made_at: float = 0.0
    """Seconds since 1970 on the clock of whoever made it; 0 for a directory that is only implied."""
    job: str = ""


class RingFiles:
    """The files in the ring, by their paths `ring:/...`."""

    def __init__(self, connection: Connection, share: Share) -> None:
        self._connection = connection
        self._share = share
        self._tree = Tree(connection)
        self._reader = ChunkReader(connection)

    def put(
        self,
        local: LocalPath | Sequence[LocalPath],
        target: str,
        *,
        chunk_size: int = CHUNK_BYTES,
        replicas: int = CHUNK_REPLICAS,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> list[Entry]:
        """Store local files and directories under `target`, as `cp -r` would: into it if it is a directory.

        A target that ends with a slash is a directory, whether or not it is there yet. A file counts as stored when
        all `replicas` copies of its chunks are durable, or as many as there are live peers.

        Raises:
            CallerError: something local is missing, or a path in the ring is taken.
            WorldError: too few peers took a piece; the files stored before stay.
        """
        sources = [local] if isinstance(local, str | PathLike) else list(local)
        uploads = self._uploads([Path(source) for source in sources], target)
        uploader = Uploader(
            self._connection, self._share, chunk_size=chunk_size, replicas=replicas, overwrite=overwrite
        )
        return [_file_entry(file) for file in uploader.put(uploads, progress or Silence())]

    def get(self, source: str, local: LocalPath, *, overwrite: bool = False, progress: Progress | None = None) -> Path:
        """Fetch a file or a whole directory to a local path, which appears when all of it is there; give that path.

        A file goes into `local` if that is a directory.

        Raises:
            CallerError: the source does not exist, or the local path is taken.
            WorldError: a chunk can be had nowhere, or the disk refuses.
        """
        path, target, seen = ring_path(source), Path(local), progress or Silence()
        found = self._tree.get(path)
        if isinstance(found, RingFile):
            place = target / name_of(path) if target.is_dir() else target
            with staged_file(place, overwrite=overwrite) as hidden:
                self._write(found, hidden, seen)
            return place
        check_free(target, overwrite=overwrite)
        files = list(self._tree.walk(found))
        with staged_directory(target, overwrite=overwrite) as hidden:
            for file in files:
                place = hidden / (file.path.removeprefix(f"{path}/") if path else file.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                self._write(file, place, seen)
        return target

    def cat(self, source: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Read a file in pieces, from byte `begin` up to but without `end`; negative ones count from the file's end.

        A job's output directory reads as its parts, one after the other.

        Raises:
            CallerError: the source does not exist, or is a directory that is no job's output.
            WorldError: a chunk can be had nowhere.
        """
        path = ring_path(source)
        found = self._tree.get(path)
        if isinstance(found, RingDirectory) and not found.job:
            raise CallerError(f"{shown(path)} is a directory; list it with `murmur fs ls`")
        files: Iterable[RingFile] = (found,) if isinstance(found, RingFile) else found.members
        chunks = [chunk for file in files for chunk in file.chunks]
        first, last, _ = slice(begin, end).indices(sum(chunk.size for chunk in chunks))
        return self._reader.stream(chunks, first, last)

    def stream(self, chunks: Iterable[ChunkRef]) -> Iterator[bytes]:
        """Read the content of chunks, one after the other, each verified."""
        return self._reader.stream(chunks)

    def ls(self, source: str = "ring:/") -> list[Entry]:
        """List what lies directly in a directory, sorted by path; a file lists itself.

        Raises:
            CallerError: the source does not exist.
        """
        found = self._tree.get(ring_path(source))
        if isinstance(found, RingFile):
            return [_file_entry(found)]
        entries = {file.path: _file_entry(file) for file in found.members}
        children = dict(self._tree.children(found.path))
        for path in (path for path, implied in children.items() if implied):
            entries[path] = Entry(path=shown(path), directory=True, size=0)
        entries.update((path, entry) for path, entry in self._entries(p for p, sub in children.items() if not sub))
        return [entries[path] for path in sorted(entries)]

    def walk(self, source: str = "ring:/") -> Iterator[RingFile]:
        """Give every file at or below a path, with its chunks.

        Raises:
            CallerError: the source does not exist.
        """
        return self._tree.walk(self._tree.get(ring_path(source)))

    def stat(self, source: str) -> Entry:
        """Describe one file or directory.

        Raises:
            CallerError: the source does not exist.
        """
        found = self._tree.get(ring_path(source))
        return _file_entry(found) if isinstance(found, RingFile) else _directory_entry(found)

    def exists(self, source: str) -> bool:
        """Tell whether a path is that of a file or directory."""
        return self._tree.find(ring_path(source)) is not None

    def du(self, source: str = "ring:/") -> tuple[int, int]:
        """Count the files at or below a path, and add up their bytes, not counting copies.

        Raises:
            CallerError: the source does not exist.
        """
        sizes = [file.size for file in self.walk(source)]
        return len(sizes), sum(sizes)

    def check(
        self,
        source: str = "ring:/",
        *,
        replicas: int = CHUNK_REPLICAS,
        repair: bool = False,
        progress: Progress | None = None,
    ) -> CheckReport:
        """Have every live peer read its copies of the files at or below a path; with `repair` bring back missing ones.

        Raises:
            CallerError: the source does not exist.
            WorldError: no peer answers.
        """
        checker = FileChecker(self._connection, replicas)
        files = list(checker.check(self.walk(source), progress or Silence(), repair=repair))
        return CheckReport(files=files, silent=frozenset(checker.silent))

    def gc(
        self, *, grace_s: float = GRACE_S, dry_run: bool = False, progress: Progress | None = None
    ) -> list[PeerCollection]:
        """Have every live peer remove chunks that it found named by nobody `grace_s` ago, and that nobody names now.

        Raises:
            WorldError: it cannot be told which chunks are named, for a member does not answer; nothing was removed.
        """
        return collect_chunks(self._connection, grace_s=grace_s, dry_run=dry_run, progress=progress or Silence())

    def rm(self, source: str, *, recursive: bool = False) -> list[str]:
        """Remove a file, or with `recursive` a directory and all below it; give the paths removed.

        Raises:
            CallerError: the source does not exist, is a directory, or is part of a job's output.
            WorldError: too few peers acknowledged; removing again is harmless.
        """
        path = file_path(source)
        found = self._tree.get(path)
        if isinstance(found, RingDirectory):
            if not recursive:
                raise CallerError(f"{shown(path)} is a directory; remove it with --recursive")
            doomed = [path, *self._tree.paths_below(path)]
        else:
            doomed = [path]
        stored = zip(doomed, self._tree.stored(doomed), strict=True)
        present = [(name, here.context) for name, here in stored if here.manifest is not None]
        if not present and isinstance(found, RingFile):
            raise CallerError(f"{shown(path)} is part of a job's output; remove the directory as a whole")
        requests = [PutKey(key=manifest_key(name), value=None, context=context) for name, context in present]
        for _ in self._connection.ask_all(requests, KeyPut, tries=TRIES):
            pass
        return [shown(name) for name, _ in present]

    def _entries(self, paths: Iterable[str]) -> Iterator[tuple[str, Entry]]:
        names = list(paths)
        for path, found in zip(names, self._tree.opened(names), strict=True):
            if found is not None:  # else it was removed a moment ago
                yield path, _file_entry(found) if isinstance(found, RingFile) else _directory_entry(found)

    def _uploads(self, sources: Sequence[Path], target: str) -> list[Upload]:
        directory = means_directory(target) or len(sources) > 1
        root = ring_path(target)
        into = directory or isinstance(self._tree.find(root), RingDirectory)
        uploads: list[Upload] = []
        for source in sources:
            name = source.name or source.resolve().name
            path = joined(root, name) if into else root
            uploads += _uploads_of(source, path)
        taken: set[str] = set()
        for upload in uploads:
            if upload.path in taken:
                raise CallerError(f"two files would be stored as {shown(upload.path)}; put them one by one")
            taken.add(upload.path)
        return uploads

    def _write(self, file: RingFile, place: Path, progress: Progress) -> None:
        done = 0
        with place.open("wb") as stream:
            for piece in self._reader.stream(file.chunks):
                stream.write(piece)
                done += len(piece)
                progress.advance(shown(file.path), done, file.size)


def _uploads_of(source: Path, path: str) -> list[Upload]:
    """List a file, or every regular file of a directory in order; links to directories are not followed."""
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.is_file())
        return [
            Upload(local=file, path=file_path(shown(joined(path, file.relative_to(source).as_posix()))))
            for file in files
        ]
    if not source.is_file():
        raise CallerError(f"{source} " + ("is no regular file" if source.exists() else "does not exist"))
    return [Upload(local=source, path=file_path(shown(path)))]


def _file_entry(file: RingFile) -> Entry:
    return Entry(
        path=shown(file.path),
        directory=False,
        size=file.size,
        chunks=len(file.chunks),
        made_at=file.made_at,
        job=file.job,
    )


def _directory_entry(directory: RingDirectory) -> Entry:
    return Entry(
        path=shown(directory.path),
        directory=True,
        size=sum(file.size for file in directory.members),
        chunks=sum(len(file.chunks) for file in directory.members),
        made_at=directory.made_at,
        job=directory.job,
    )
