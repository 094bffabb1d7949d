"""Get a peer that was frozen amid a commit off the lock of its store: it runs until the commit is through.

A frozen process lets go of nothing, so whoever wants to write where it writes would wait for ever. While it runs on,
the lock is taken here; it is frozen again before the lock is given back, and so stands still without holding it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from ...ring.errors import WorldError

GLANCE_S: Final = 0.0
"""To see whether a frozen peer holds the lock takes no waiting: it will not let go of it."""

COMMIT_PATIENCE_S: Final = 5.0
"""A commit of a peer that runs takes milliseconds, on a slow disk under load a second or two."""


def release_rows(database: Path, running: AbstractContextManager[None]) -> None:
    """Let a frozen peer run, inside the block `running`, until the lock of its rows is free; do nothing if it is.

    Raises:
        WorldError: it does not come free in time; the peer is frozen again all the same.
    """
    if not database.is_file():
        return
    try:
        with _rows_held(database, GLANCE_S):
            return
    except sqlite3.Error:
        _release_while(running, database)


def _release_while(running: AbstractContextManager[None], database: Path) -> None:
    with ExitStack() as lock:
        try:
            with running:
                lock.enter_context(_rows_held(database, COMMIT_PATIENCE_S))
        except sqlite3.Error as error:
            raise WorldError(f"{database} stays locked for {COMMIT_PATIENCE_S:g} s: {error}") from error


@contextmanager
def _rows_held(database: Path, patience_s: float) -> Iterator[None]:
    """Hold the one lock that writers of the rows take, and write nothing."""
    with closing(sqlite3.connect(database, timeout=patience_s, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
