"""Hold durable rows of key and value in one directory: the typed face of diskcache, and its only user."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from diskcache import Cache, Timeout  # type: ignore[import-untyped]

from ...ring.errors import Corrupt, WorldError
from .checksums import seal, unseal
from .disk import IN_ROW, BytesDisk
from .durable import sync_folder

FILE_BYTES_MIN: Final = 32 << 10
"""From this size on a value is a file of its own; measured to be the best border."""

_DISK_ERRORS = (sqlite3.Error, Timeout, OSError)
_PAGE_ROWS = 10_000

_ROWS_AT_ONCE: Final = 16
_UPSERTS: Final = tuple(
    "INSERT INTO Cache(key, raw, store_time, access_time, access_count, size, mode, value)"
    f" VALUES {', '.join(['(?, 1, ?, ?, 0, 0, ?, ?)'] * count)} ON CONFLICT(key, raw) DO UPDATE"
    " SET store_time = excluded.store_time, mode = excluded.mode, value = excluded.value"
    " WHERE filename IS NULL AND expire_time IS NULL"
    for count in range(_ROWS_AT_ONCE + 1)
)
"""What `Cache.set` does in two statements each, for so many small values; a row whose value is a file it leaves."""


class Rows:
    """One table of bytes to bytes. One thread writes at a time; each thread that has used it calls `close`."""

    def __init__(self, directory: Path, *, full_sync: bool = True) -> None:
        """Open the table, make it if there is none, and sweep value files that a crash has left without a row.

        Without `full_sync` a power cut may take the newest commits; a killed process loses nothing either way.

        Raises:
            WorldError: the disk refused, or what lies there is no such table.
        """
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._cache = Cache(
                str(directory),
                disk=BytesDisk,
                disk_min_file_size=FILE_BYTES_MIN,
                eviction_policy="none",
                cull_limit=0,
                statistics=0,
                sqlite_mmap_size=0,  # an I/O error in mapped memory would be a SIGBUS that ends the peer
                sqlite_synchronous=2 if full_sync else 1,
            )
            self._disk: BytesDisk = self._cache.disk
            self._disk.drop_unknown(self._file_names())
            sync_folder(directory)
            sync_folder(directory.parent)
        except _DISK_ERRORS as error:
            raise self._refused(error) from error

    def get(self, key: bytes) -> bytes | None:
        """Give the value of a key, or None where there is none.

        Raises:
            Corrupt: a value is there, but it is damaged.
            WorldError: the disk refused.
        """
        try:
            sealed: bytes | None = self._cache.get(key)
        except _DISK_ERRORS as error:
            raise self._refused(error) from error
        return None if sealed is None else unseal(key, sealed)

    def has(self, key: bytes) -> bool:
        """Tell whether a key is there, damaged or not.

        Raises:
            WorldError: the disk refused.
        """
        try:
            return key in self._cache
        except _DISK_ERRORS as error:
            raise self._refused(error) from error

    def write(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Write rows, inside a transaction; None deletes."""
        small: list[tuple[bytes, bytes]] = []
        for key, value in writes.items():
            if value is None:
                self.delete(key)
                continue
            sealed = seal(key, value)
            if len(sealed) < FILE_BYTES_MIN:
                small.append((key, sealed))
            else:
                self._cache.set(key, sealed)
        for first in range(0, len(small), _ROWS_AT_ONCE):
            self._upsert(small[first : first + _ROWS_AT_ONCE])

    def _upsert(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Write sealed values in one statement, for each lets go of the interpreter and has to wait for it again."""
        now = time.time()
        values = [value for key, sealed in rows for value in (key, now, now, IN_ROW, sealed)]
        if self._cache._sql(_UPSERTS[len(rows)], values).rowcount < len(rows):  # noqa: SLF001
            for key, sealed in rows:
                self._cache.set(key, sealed)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value, inside a transaction."""
        self.write({key: value})

    def delete(self, key: bytes) -> None:
        """Remove a key if it is there, inside a transaction."""
        self._cache.delete(key)

    def scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        """Give the rows whose keys begin with `prefix` and sort after `after`, in order, at most `limit`.

        The value of a damaged row is None: one bad row must not hide all the others.

        Raises:
            WorldError: the disk refused.
        """
        rows = self._select("key, raw, mode, filename, value", prefix, after, limit)
        return [
            (key, self._sound(key, mode, filename, value))
            for key, mode, filename, value in ((self._disk.get(key, raw), *place) for key, raw, *place in rows)
        ]

    def _sound(self, key: bytes, mode: object, filename: object, value: object) -> bytes | None:
        try:
            return unseal(key, self._disk.fetch(mode, filename, value, read=False))
        except Corrupt:
            return None

    def tally(self, prefix: bytes) -> tuple[int, int, float | None]:
        """Count the rows whose keys begin with `prefix`, their bytes, and when the oldest was written, since 1970.

        Raises:
            WorldError: the disk refused.
        """
        columns = "COUNT(*), SUM(CASE WHEN filename IS NULL THEN LENGTH(value) ELSE size END), MIN(store_time)"
        try:
            query = f"SELECT {columns} FROM Cache WHERE key >= ? AND key < ?"
            ((rows, size, oldest),) = self._cache._sql(query, (prefix, _after_prefix(prefix))).fetchall()  # noqa: SLF001
        except _DISK_ERRORS as error:
            raise self._refused(error) from error
        return rows, size or 0, oldest

    def each_key(self, prefix: bytes = b"") -> Iterator[bytes]:
        """Give all keys that begin with `prefix`, in order."""
        after = b""
        while page := self._select("key, raw", prefix, after, _PAGE_ROWS):
            yield from (self._disk.get(key, raw) for key, raw in page)
            after = page[-1][0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all that is written within durable at once, when the block ends; or, if it raises, nothing of it.

        Raises:
            WorldError: the disk refused; nothing was kept.
        """
        try:
            with self._cache.transact():
                yield
        except _DISK_ERRORS as error:
            self._roll_back()
            raise self._refused(error) from error
        except BaseException:
            self._roll_back()
            raise
        self._disk.drop_replaced()

    def close(self) -> None:
        """Close this thread's connection."""
        self._cache.close()

    def _roll_back(self) -> None:
        # A COMMIT that fails leaves the transaction open, and diskcache does not look: every later BEGIN would fail.
        connection: sqlite3.Connection = self._cache._con  # noqa: SLF001, for there is no public way to it
        if connection.in_transaction:
            connection.rollback()
        self._disk.drop_written()

    def _select(self, columns: str, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, ...]]:
        """Read a range of rows in one statement: `Cache.iterkeys` is a statement a key, a hundred times slower."""
        begin = "key > ?" if after >= prefix else "key >= ?"
        end = _after_prefix(prefix)
        where, bounds = (f"{begin} AND key < ?", [max(prefix, after), end]) if end else (begin, [max(prefix, after)])
        query = f"SELECT {columns} FROM Cache WHERE {where} ORDER BY key LIMIT ?"
        try:
            rows: list[tuple[bytes, ...]] = self._cache._sql(query, (*bounds, limit)).fetchall()  # noqa: SLF001
        except _DISK_ERRORS as error:
            raise self._refused(error) from error
        return rows

    def _file_names(self) -> set[str]:
        rows = self._cache._sql("SELECT filename FROM Cache WHERE filename IS NOT NULL")  # noqa: SLF001
        return {name for (name,) in rows}

    def _refused(self, error: BaseException) -> WorldError:
        """Name the first cause: diskcache covers it with a time-out, or with a roll-back that fails as well."""
        while error.__context__ is not None:
            error = error.__context__
        return WorldError(f"the disk refused in {self._directory}: {' '.join(str(error).split())}")


def _after_prefix(prefix: bytes) -> bytes:
    """Give the least key after all that begin with `prefix`; empty where there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b""
