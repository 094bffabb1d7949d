"""Write files and directories beside their place, and move them there when they are whole: all at once, or not at all.

The rename is the commit. What was written is on the disk before it, and the name itself after it; a failure or an
interrupt leaves nothing but what was there before. What a killed process has left half written, the next one that
writes to the same place removes: the lock on it ended with its process.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...ring.errors import CallerError, WorldError

MARK = ".murmur-"
"""In the names of directories for what is half written: hidden, beside their place, so on the same file system."""

ASIDE = ".before-murmur-"
"""In the name of what is just being replaced: should the process be killed at that moment, the user still has it."""


def check_free(target: Path, *, overwrite: bool, option: str = "another path") -> None:
    """Refuse a place that is taken; an empty directory is free.

    Raises:
        CallerError: something is there, and `overwrite` does not allow to replace it.
    """
    try:
        taken = target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir())))
    except OSError as error:
        raise CallerError(f"{target}: {error.strerror or error}") from error
    if taken and not overwrite:
        raise CallerError(f"{target} exists; use --overwrite or {option}")


@contextlib.contextmanager
def staged_directory(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a hidden directory to fill; it takes its place at the end of the block, unless an error ends it.

    Raises:
        CallerError: the place is taken.
        WorldError: the disk refuses.
    """
    check_free(target, overwrite=overwrite)
    with _disk_errors(target), _hidden_directory(target) as hidden:
        yield hidden
        _sync_tree(hidden)
        _take_place(hidden, target, overwrite=overwrite)


@contextlib.contextmanager
def staged_file(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a hidden path to write a file to; it takes its place at the end of the block, unless an error ends it.

    Raises:
        CallerError: the place is taken.
        WorldError: the disk refuses.
    """
    check_free(target, overwrite=overwrite)
    if target.is_dir():
        raise CallerError(f"{target} is a directory; name the file in it")
    with _disk_errors(target), _hidden_directory(target) as directory:
        hidden = directory / "content"
        yield hidden
        _sync(hidden)
        hidden.replace(target)
        _sync(target.parent)


@contextlib.contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(f"{target} cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _hidden_directory(target: Path) -> Iterator[Path]:
    """Give a locked directory that is gone at the end, unless it was renamed; those of killed processes go first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    hidden, lock = _make_locked(target)
    try:
        yield hidden
    finally:
        os.close(lock)
        shutil.rmtree(hidden, ignore_errors=True)


def _make_locked(target: Path) -> tuple[Path, int]:
    """Make a directory and lock it; another process may sweep it away in the moment between, so look again."""
    while True:
        hidden = _beside(target, MARK)
        hidden.mkdir()
        lock = os.open(hidden, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if hidden.is_dir():
            return hidden, lock
        os.close(lock)


def _sweep(target: Path) -> None:
    """Remove what was half written for this place by processes that are gone."""
    beginning = _beside(target, MARK, "").name
    for path in target.parent.iterdir():
        if path.name.startswith(beginning) and path.is_dir() and not path.is_symlink():
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            except BlockingIOError:
                continue  # its process lives
            finally:
                os.close(lock)


def _beside(target: Path, mark: str, end: str | None = None) -> Path:
    return target.parent / f".{target.name[:200]}{mark}{secrets.token_hex(4) if end is None else end}"


def _take_place(hidden: Path, target: Path, *, overwrite: bool) -> None:
    """Rename over a free place, or move aside what is there and put it back if the second rename fails."""
    try:
        hidden.rename(target)
    except OSError:
        if not overwrite or not os.path.lexists(target):
            raise
        _exchange(hidden, target)
    _sync(target.parent)


def _exchange(hidden: Path, target: Path) -> None:
    aside = _beside(target, ASIDE)
    target.rename(aside)
    try:
        hidden.rename(target)
    except OSError:
        aside.rename(target)
        raise
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


def _sync_tree(directory: Path) -> None:
    for folder, _, names in os.walk(directory):
        for name in names:
            _sync(Path(folder, name))
        _sync(Path(folder))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
