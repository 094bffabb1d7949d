r"""Find what scripts from other machines name: input files, output directories and the classes of mappers.

The scripts were written for Windows and for other people's folders: `..\..\..\Data\pl.txt`, `C:\temp\out\`,
`..//..//pl.txt`. So an input is looked up by its base name, and an output is made below a directory of ours.
Everything here is a pure function over names; who calls it reads the disk.
"""

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from ...ring.errors import CallerError

_DRIVE: Final = re.compile(r"[A-Za-z]:")
_SCHEME: Final = re.compile(r"ring:|[A-Za-z][A-Za-z0-9+.-]+://")
_SEPARATORS: Final = re.compile(r"[\\/]+")
_TYPE_SEPARATORS: Final = re.compile(r"[.+]")  # C# writes a class inside a class as Outer+Inner


def is_url(written: str) -> bool:
    """Tell a file in the ring or behind a URL from a path; a drive letter is no scheme."""
    return _SCHEME.match(written) is not None


def path_parts(written: str) -> tuple[str, ...]:
    r"""Cut a path at slashes and backslashes, without drive, empty parts, `.` and `..`."""
    drive = _DRIVE.match(written)
    parts = _SEPARATORS.split(written[drive.end() :] if drive else written)
    return tuple(part for part in parts if part not in {"", ".", ".."})


def base_name(written: str) -> str:
    """Name the last part of a path; empty if it names none, as `..` does."""
    return next(reversed(path_parts(written)), "")


def find_file(written: str, listing: Iterable[str]) -> str | None:
    """Choose the file of a listing that a script means, by its base name; None if there is none.

    Exact spelling goes before another case (Windows folds it), then the more folders that agree from the right,
    then the shorter path.
    """
    wanted = path_parts(written)
    named = [path for path in listing if wanted and base_name(path).lower() == wanted[-1].lower()]
    return min(named, key=lambda path: (*_distance(path_parts(path), wanted), len(path), path), default=None)


def output_directory(written: str) -> str:
    """Bring an output directory to one spelling, so that equal strings are one directory; no slash at its end.

    An absolute path of POSIX and a URL stay where they are; all else becomes a path below the directory in which
    the puppet master makes outputs, `.` that directory itself. Nothing climbs out of it.

    Raises:
        CallerError: it is the root of the file system.
    """
    if is_url(written):
        return written.rstrip("/")
    if not written.startswith("/"):
        return "/".join(path_parts(written)) or "."
    directory = "/" + posixpath.normpath(written).lstrip("/")
    if directory == "/":
        raise CallerError("outputs cannot be made in the root directory; name a directory of their own")
    return directory


def find_mapper(written: str, names: Iterable[str]) -> str | None:
    """Choose the class that a script means by the last dotted part of its name; None if there is none.

    The assembly after a comma, as in `MapNoReduce.CharCount,LibMapper`, is left away. Exact spelling goes before
    another case, then the more dotted parts that agree from the right.
    """
    wanted = _type_parts(written)
    named = [name for name in names if wanted[-1] and _type_parts(name)[-1].lower() == wanted[-1].lower()]
    return min(named, key=lambda name: (*_distance(_type_parts(name), wanted), len(name), name), default=None)


def is_dll(library: str | None) -> bool:
    """Tell whether the library of a `SUBMIT` is one that cannot be opened here, so that the mapper's name must do."""
    return library is None or base_name(library).lower().endswith((".dll", ".exe"))


def _type_parts(name: str) -> tuple[str, ...]:
    return tuple(_TYPE_SEPARATORS.split(name.partition(",")[0].strip()))


def _distance(found: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[bool, int]:
    """Order by whether the last parts differ in case, then by how few parts agree from the right."""
    agreeing = 0
    for one, other in zip(reversed(found), reversed(wanted), strict=False):
        if one.lower() != other.lower():
            break
        agreeing += 1
    return found[-1] != wanted[-1], -agreeing
