"""Write files that are whole and on the disk, or not there at all."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and wait for the disk to have it, its folders included.

    Raises:
        OSError: the disk refused, or the file exists; a file begun here is removed again.
    """
    folder = path.parent
    changed = [folder]
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        changed += [folder.parent, folder.parent.parent]
    with path.open("xb", buffering=0) as file:
        try:
            write_fully(file.fileno(), content)
            os.fdatasync(file.fileno())
        except BaseException:
            path.unlink()
            raise
    for each in changed:
        sync_folder(each)


def replace_durably(path: Path, content: bytes) -> None:
    """Put a file in the place of another: a crash leaves the old one or the new one.

    Raises:
        OSError: the disk refused; the old file stays.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # of a start that was killed half-way
    write_durably(fresh, content)
    fresh.replace(path)
    sync_folder(path.parent)


def write_fully(descriptor: int, content: bytes | memoryview) -> None:
    """Write all of the content: a write of the system may take less than it is given, on a full disk above all."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Wait for the disk to have the names in this folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
