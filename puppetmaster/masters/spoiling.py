"""Damage what a peer keeps while it cannot know of it: the files of its store, chunks, runs and parts, and store rows.

The rows are edited one by one, as a disk that spoils a page would spoil some of them; of a missing one the key stays,
for what is not even known to be missing is an old disk, which is another fault. A database that cannot be opened at all
would only keep its peer from starting, with a word. Who the peer is stays untouched.
"""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar, assert_never

from ...node.storage.disk import IN_ROW
from ...ring.errors import WorldError
from ..faults import Damage

DATABASE: Final = "store/cache.db"
"""The table of the store; large values are files beside it."""

FILES: Final = ("store/??/??/*.val", "chunks/[0-9a-f][0-9a-f]/*", "runs/*/*", "parts/*/*")

LOCK_PATIENCE_S: Final = 0.5
"""A dead peer holds no lock, and a frozen one is taken off it before (`row_lock`)."""

NAMES_MAX: Final = 500
"""Names in one report: more would not fit into one answer of another puppet master."""

NAME_CHARACTERS_MAX: Final = 256

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiled:
    """What was hit: files by their paths in the peer's directory, rows by their keys behind that of the database.

    `count` is of all; `names` are at most `NAMES_MAX` of them.
    """

    count: int
    names: tuple[str, ...]


def spoil(directory: Path, damage: Damage, share: float, rng: random.Random) -> Spoiled:
    """Damage that share (of 1) of the rows and of the files, and at least one of each unless the share is 0.

    Raises:
        WorldError: the rows are locked, or the disk refuses.
    """
    try:
        rows = _spoil_rows(directory / DATABASE, damage, share, rng)
        files = _spoil_files(directory, damage, share, rng)
    except (OSError, sqlite3.Error) as error:
        raise WorldError(f"{directory.name} cannot be spoiled as it was left: {error}; RESTART it first") from error
    names = [name[:NAME_CHARACTERS_MAX] for name in chain(files, rows)]
    return Spoiled(count=len(names), names=tuple(names[:NAMES_MAX]))


def damaged(content: bytes, damage: Damage, rng: random.Random) -> bytes | None:
    """Give what becomes of some bytes; None where nothing of them is left."""
    half = len(content) // 2
    match damage:
        case Damage.FLIPPED:
            return _flipped(content, rng)
        case Damage.SHORT:
            return content[:half]
        case Damage.TORN:
            return content[:half] + bytes(len(content) - half)
        case Damage.MISSING:
            return None
        case _:
            assert_never(damage)


def _flipped(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return content
    spoilt = bytearray(content)
    spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _spoil_files(directory: Path, damage: Damage, share: float, rng: random.Random) -> list[str]:
    found = sorted(path for pattern in FILES for path in directory.glob(pattern) if path.is_file())
    chosen = _chosen(found, share, rng)
    for path in chosen:
        content = damaged(path.read_bytes(), damage, rng)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
    return [str(path.relative_to(directory)) for path in chosen]


def _spoil_rows(database: Path, damage: Damage, share: float, rng: random.Random) -> list[str]:
    if not database.is_file():
        return []  # the peer died before it had any
    with closing(sqlite3.connect(database, timeout=LOCK_PATIENCE_S)) as connection, connection:
        found = connection.execute("SELECT rowid, key, value FROM Cache WHERE mode = ? ORDER BY key", (IN_ROW,))
        chosen = _chosen(found.fetchall(), share, rng)
        for row, _, value in chosen:
            content = damaged(value, damage, rng) or b""
            connection.execute("UPDATE Cache SET value = ? WHERE rowid = ?", (content, row))
    return [f"{DATABASE}: {bytes(key).decode(errors='backslashreplace')}" for _, key, _ in chosen]


def _chosen(things: Sequence[Thing], share: float, rng: random.Random) -> list[Thing]:
    if not things or share <= 0:
        return []
    return rng.sample(things, max(1, round(share * len(things))))
