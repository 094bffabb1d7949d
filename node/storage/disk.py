"""Keep bytes and nothing but bytes where diskcache would pickle: value files are durable before their row commits.

The stock class executes what it unpickles from a row (CVE-2025-69872), opens and unlinks any file that a row names,
writes bytes line by line, and never syncs a value file. It also unlinks a replaced file when its own step ends, which
inside a larger transaction is before the commit: a roll-back would leave a row without its file. So files written
and files replaced are noted here, and whoever runs the transaction says which of them to drop.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from diskcache import Disk  # type: ignore[import-untyped]

from ...ring.errors import Corrupt, InvariantBroken, WorldError
from .durable import write_durably

VALUE_FILE: Final = re.compile(r"[0-9a-f]{2}/00/[0-9a-f]{26}\.val")
IN_ROW: Final = 1
IN_FILE: Final = 2
"""The two of diskcache's modes that are plain bytes; 3 is text and 4 is a pickle."""


class BytesDisk(Disk):  # type: ignore[misc]  # diskcache has no types: what it calls is typed here
    """Bytes in, bytes out."""

    def __init__(self, directory: str, min_file_size: int = 0, pickle_protocol: int = 0) -> None:
        super().__init__(directory, min_file_size, pickle_protocol)
        self._folder = Path(directory)
        self._written: list[str] = []
        self._replaced: list[str] = []

    def put(self, key: object) -> tuple[bytes, bool]:
        """Give a key the form that it has in its row."""
        if type(key) is not bytes:
            raise InvariantBroken(f"keys are bytes, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> bytes:
        """Give back the key of a row."""
        if not raw or type(key) is not bytes:
            raise Corrupt("corrupt row: its key is not plain bytes")
        return key

    def store(self, value: object, read: object, key: object = None) -> tuple[int, int, str | None, bytes | None]:
        """Keep a value in its row, or in a file of its own if it is large; gives size, mode, file name and value."""
        if read or type(value) is not bytes:
            raise InvariantBroken(f"values are bytes, not {type(value).__name__}")
        if len(value) < self.min_file_size:
            return 0, IN_ROW, None, value
        name, path = self.filename(key, value)
        self._written.append(name)
        write_durably(Path(path), value)
        return len(value), IN_FILE, name, None

    def fetch(self, mode: object, filename: object, value: object, read: object) -> bytes:
        """Give the value of a row.

        Raises:
            Corrupt: the row is not one of ours, or its file is gone.
            WorldError: the file cannot be read just now; diskcache would take an OSError for an absent key.
        """
        if mode == IN_ROW and type(value) is bytes and not read:
            return value
        if mode != IN_FILE or type(filename) is not str or read:
            raise Corrupt(f"corrupt row: refused a value of mode {mode!r}")
        path = self._checked(filename)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise Corrupt(f"corrupt row: its file {filename} is gone; mend it from a replica") from error
        except OSError as error:
            raise WorldError(f"{path} cannot be read: {error.strerror}") from error

    def filename(self, key: object = None, value: object = None) -> tuple[str, str]:  # noqa: ARG002, for diskcache calls it so
        """Draw a name for a value file; 256 folders are made once and then stay."""
        digits = os.urandom(14).hex()
        name = f"{digits[:2]}/00/{digits[2:]}.val"
        return name, str(self._folder / name)

    def remove(self, file_path: str) -> None:
        """Note that a value file was replaced; it goes when the transaction is through."""
        self._replaced.append(file_path)

    def drop_replaced(self) -> None:
        """Unlink the files that the committed transaction replaced."""
        self._drop(self._replaced)

    def drop_written(self) -> None:
        """Unlink the files that the transaction rolled back had written."""
        self._drop(self._written)

    def drop_unknown(self, known: set[str]) -> int:
        """Unlink every value file that no row names, as a crash leaves them, and count them."""
        names = [str(path.relative_to(self._folder)) for path in self._folder.glob("??/00/*.val")]
        unknown = [name for name in names if name not in known]
        for name in unknown:
            self._unlink(name)
        return len(unknown)

    def _drop(self, names: list[str]) -> None:
        for name in names:
            self._unlink(name)
        self._written.clear()
        self._replaced.clear()

    def _unlink(self, name: str) -> None:
        if VALUE_FILE.fullmatch(name) is not None:  # a row's file name is not to be trusted, here above all
            with contextlib.suppress(OSError):  # what stays is swept at the next start
                (self._folder / name).unlink()

    def _checked(self, name: str) -> Path:
        if VALUE_FILE.fullmatch(name) is None:
            raise Corrupt(f"corrupt row: refused the file name {name!r}")
        return self._folder / name
