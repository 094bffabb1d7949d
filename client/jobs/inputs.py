"""Find the files that INPUT words mean: plain paths, globs and directories of this machine, and paths in the ring."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...ring.errors import CallerError
from ..store.files import RingFiles
from ..store.paths import is_ring_path, name_of
from ..store.tree import RingFile

HIDDEN = (".", "_")
"""Files in directories whose names begin so are no input, as in Hadoop: half-written things, logs, `_SUCCESS`."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInput:
    """A file of this machine; `name` is what its user calls it."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RingInput:
    """A file in the ring."""

    name: str
    file: RingFile

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.file.size


Input = LocalInput | RingInput


def find_inputs(words: Sequence[str], files: RingFiles) -> list[Input]:
    """List the files that the words mean, in the order of the words, and within one in the order of their names.

    A directory means all files in it and below it, but for hidden ones.

    Raises:
        CallerError: a word means nothing, or something that is no input.
    """
    if not words:
        raise CallerError("no input is given; name a file, a glob, a directory or ring:/PATH")
    found = [item for word in words for item in _find(word, files)]
    for item in found:
        if item.name.endswith(COMPRESSED):
            raise CallerError(f"{item.name} is compressed and cannot be cut into lines; decompress it first")
    return found


def _find(word: str, files: RingFiles) -> Iterator[Input]:
    if is_ring_path(word):
        yield from _find_in_ring(word, files)
    elif "://" in word:
        yield from _find_url(word)
    else:
        yield from _find_here(word)


def _find_in_ring(word: str, files: RingFiles) -> Iterator[Input]:
    if glob.has_magic(word) and not files.exists(word):
        raise CallerError(f"{word} does not exist; globs are for local files, in the ring name a directory")
    found = [file for file in files.walk(word) if not name_of(file.path).startswith(HIDDEN)]
    if not found:
        raise CallerError(f"{word} is a directory without files")
    for file in found:
        yield RingInput(name=f"ring:/{file.path}", file=file)


def _find_url(word: str) -> Iterator[Input]:
    parts = urlsplit(word)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise CallerError(f"{word} cannot be read as input; give a local path, file:///PATH or ring:/PATH")
    yield from _find_here(unquote(parts.path))


def _find_here(word: str) -> Iterator[Input]:
    path = Path(word).expanduser()
    if path.is_dir():
        yield from _find_in_directory(path)
    elif path.exists() or not glob.has_magic(word):
        yield _local(path)
    else:
        names = sorted(name for name in glob.iglob(str(path), recursive=True) if not Path(name).is_dir())  # noqa: PTH207  # takes absolute patterns
        if not names:
            raise CallerError(f"no file matches {word!r}")
        for name in names:
            yield _local(Path(name))


def _find_in_directory(directory: Path) -> Iterator[Input]:
    names = sorted(
        path
        for path in directory.rglob("*")
        if path.is_file() and not any(part.startswith(HIDDEN) for part in path.relative_to(directory).parts)
    )
    if not names:
        raise CallerError(f"{directory} is a directory without files")
    for path in names:
        yield _local(path)


def _local(path: Path) -> LocalInput:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CallerError(f"input {path}: {error.strerror or error}") from error
    if not path.is_file():
        raise CallerError(f"input {path} is no regular file; store it in one first")
    return LocalInput(name=str(path), path=path.absolute(), size=size)
