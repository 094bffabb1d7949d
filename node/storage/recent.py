"""Keep the rows that were last read or committed in memory, so that a hot key costs no statement and no other thread.

Only what is on the disk gets in: a row that was read there, or one whose commit is through. Absence is kept, too.
"""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Final

from ...ring.copies.stored import Writes

ROW_BYTES_MAX: Final = 32 << 10
"""Larger rows are not kept: they would push out many small ones, and reading them costs more than finding them."""
ROW_COST: Final = 200
"""About the bytes that a row costs beside its key and value."""


class RecentRows:
    """Rows by key, bounded in bytes; for several threads."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._rows: OrderedDict[bytes, bytes | None] = OrderedDict()
        self._lock = Lock()

    def find(self, key: bytes) -> bytes | None:
        """Give the value of a row; None if the disk has none.

        Raises:
            KeyError: only the disk knows.
        """
        with self._lock:
            value = self._rows[key]
            self._rows.move_to_end(key)
            return value

    def keep(self, key: bytes, value: bytes | None) -> None:
        """Take in what the disk holds under a key now."""
        self.keep_all({key: value})

    def keep_all(self, rows: Writes) -> None:
        """Take in what the disk holds under many keys now."""
        with self._lock:
            for key, value in rows.items():
                self._drop(key)
                if value is None or len(value) <= ROW_BYTES_MAX:
                    self._rows[key] = value
                    self._bytes += _cost(key, value)
            while self._bytes > self._bytes_max:
                self._drop(next(iter(self._rows)))

    def forget(self, keys: Iterable[bytes]) -> None:
        """Drop rows, because the disk may hold other ones."""
        with self._lock:
            for key in keys:
                self._drop(key)

    def _drop(self, key: bytes) -> None:
        if key in self._rows:
            self._bytes -= _cost(key, self._rows.pop(key))


def _cost(key: bytes, value: bytes | None) -> int:
    return ROW_COST + len(key) + len(value or b"")
