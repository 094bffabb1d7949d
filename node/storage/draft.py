"""Gather what a batch of operations writes, so that each row is written once, in one commit.

The operations of a batch see what the earlier ones wrote. All reads come first and all writes last: so the database is
locked for the writes only, and a row that ten operations change is one statement.
"""

from ...ring.copies.stored import Writes
from .recent import RecentRows
from .rows import Rows


class Draft:
    """The rows of one batch; made and used by the writing thread."""

    def __init__(self, rows: Rows, recent: RecentRows) -> None:
        self._rows = rows
        self._recent = recent
        self._written: Writes = {}

    def read(self, key: bytes) -> bytes | None:
        """Give a row as the batch has left it so far, or None where there is none.

        Raises:
            Corrupt: a value is there, but it is damaged.
            WorldError: the disk refused.
        """
        if key in self._written:
            return self._written[key]
        try:
            return self._recent.find(key)
        except KeyError:
            value = self._rows.get(key)
        self._recent.keep(key, value)
        return value

    def scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        """Give the rows whose keys begin with `prefix` and sort after `after`, as `Rows.scan` does.

        Raises:
            WorldError: the disk refused.
        """
        written = {key: value for key, value in self._written.items() if key.startswith(prefix) and key > after}
        found = self._rows.scan(prefix, after, limit + sum(value is None for value in written.values()))
        for key, value in found:
            if value is None:
                self._recent.forget((key,))  # what mends a damaged row must not take it for sound
        if not written:
            return found
        kept = [row for row in found if row[0] not in written]
        kept += [row for row in written.items() if row[1] is not None]
        return sorted(kept, key=lambda row: row[0])[:limit]

    def write(self, writes: Writes) -> None:
        """Take in what one operation writes; None deletes."""
        self._written |= writes

    def commit(self) -> None:
        """Make all of it durable, and then known.

        Raises:
            WorldError: the disk refused; nothing was kept.
        """
        if not self._written:
            return
        self._recent.forget(self._written)  # until the disk has told what became of it
        with self._rows.transaction():
            self._rows.write(self._written)
        self._recent.keep_all(self._written)
