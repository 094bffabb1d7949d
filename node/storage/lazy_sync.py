"""Bring relaxed commits to the disk every second, so that a power cut takes no more than what is newer.

SQLite, told not to wait for the disk at each commit, leaves its write-ahead log to the operating system, which may keep
it in memory for half a minute. A log that ends early is cut at its last whole commit when it is opened again, so what a
power cut leaves is always some moment of the past.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

LOG_FILE: Final = "cache.db-wal"
SYNC_EVERY_S: Final = 1.0


class LazySync:
    """Syncs the log of one table from a thread of its own; commits do not wait for it."""

    def __init__(self, directory: Path, every_s: float = SYNC_EVERY_S) -> None:
        """Begin."""
        self._log = directory / LOG_FILE
        self._every_s = every_s
        self._closing = threading.Event()
        self._seen: tuple[int, int] | None = None
        self.syncs = 0
        """How often there was something to sync."""
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sync what is left, and end."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self._sync()
        self._sync()

    def _sync(self) -> None:
        """Wait for the disk to have the log; only the database and its index are locked, so it may be opened here."""
        # No log yet, or a disk that fails: the next commit meets that as well.
        with contextlib.suppress(OSError), self._log.open("rb") as log:
            state = os.fstat(log.fileno())
            stamp = (state.st_size, state.st_mtime_ns)
            if stamp != self._seen:
                os.fdatasync(log.fileno())
                self._seen = stamp
                self.syncs += 1
