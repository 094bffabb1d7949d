"""Write files and directories beside their place, and move them there when they are whole: all at once, or not at all.

The rename is the commit. What was written is on the disk before it, and the name itself after it; a failure or an
interrupt leaves nothing but what was there before.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..ring.errors import CallerError, WorldError

MARK = ".murmur-"
"""In the names of things half written, which are hidden and lie beside their place, so on the same file system."""


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
    hidden = _hidden(target)
    try:
        with _disk_errors(target):
            hidden.mkdir(parents=True)
            yield hidden
            _sync_tree(hidden)
            _take_place(hidden, target, overwrite=overwrite)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


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
    hidden = _hidden(target)
    try:
        with _disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield hidden
            _sync(hidden)
            hidden.replace(target)
            _sync(target.parent)
    finally:
        hidden.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorldError(f"{target} cannot be written: {error.strerror or error}") from error


def _hidden(target: Path) -> Path:
    return target.parent / f".{target.name[:200]}{MARK}{secrets.token_hex(4)}"


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
    aside = _hidden(target)
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
