"""Tell paths in the ring from local ones, and bring each to the one spelling under which it is stored."""

from ...ring.errors import CallerError

RING_SCHEME = "ring:"

PATH_BYTES_MAX = 2048
"""Half of what a key may hold: room for the prefix of the key and for the names of parts."""

PART_BYTES_MAX = 255
"""Longest name between two slashes: a local file system takes no longer one, and files are fetched into it."""


def is_ring_path(text: str) -> bool:
    """Tell whether a word of the command line names a place in the ring."""
    return text.startswith(RING_SCHEME)


def ring_path(text: str) -> str:
    """Bring `ring:/a//b/` to `a/b`, the form without slashes at the ends; the root is the empty string.

    Raises:
        CallerError: the text is no path in the ring, or holds a name that no file can have.
    """
    if not is_ring_path(text):
        raise CallerError(f"{text!r} is no path in the ring: write it as ring:/{text.lstrip('/')}")
    parts = [part for part in text.removeprefix(RING_SCHEME).split("/") if part]
    for part in parts:
        _check_part(text, part)
    path = "/".join(parts)
    if len(path.encode()) > PATH_BYTES_MAX:
        raise CallerError(f"{text[:60]!r}... is too long: a path in the ring has at most {PATH_BYTES_MAX} bytes")
    return path


def file_path(text: str) -> str:
    """Bring a path to its stored form and refuse the root, which is always a directory.

    Raises:
        CallerError: as `ring_path`, or the path is the root.
    """
    path = ring_path(text)
    if not path:
        raise CallerError(f"{text!r} is the root of the ring: name something in it, as in ring:/data")
    return path


def shown(path: str) -> str:
    """Spell a stored path as people write it."""
    return f"{RING_SCHEME}/{path}"


def means_directory(text: str) -> bool:
    """Tell whether a path says of itself that things go into it: by a slash at its end, or by being the root."""
    return text.endswith("/") or text == RING_SCHEME


def parent_of(path: str) -> str:
    """Name the directory that a stored path lies in; the root's is the root."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """Name the last part of a stored path."""
    return path.rpartition("/")[2]


def joined(directory: str, name: str) -> str:
    """Name a thing in a directory, which may be the root."""
    return f"{directory}/{name}" if directory else name


def ancestors_of(path: str) -> tuple[str, ...]:
    """Name every directory above a stored path, the nearest first, without the root."""
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


def _check_part(text: str, part: str) -> None:
    if part in {".", ".."}:
        raise CallerError(f"{text!r} holds {part!r}: a path in the ring begins at the root and goes straight down")
    try:
        size = len(part.encode())
    except UnicodeEncodeError as error:
        raise CallerError(f"{text!r} is not text that can be stored: rename the file") from error
    if size > PART_BYTES_MAX:
        raise CallerError(f"{text[:60]!r}... holds a name of {size} bytes: the most is {PART_BYTES_MAX}")
    if any(ord(character) < 32 or ord(character) == 127 for character in part):
        raise CallerError(f"{text!r} holds a control character: rename the file")
