"""Keep the data directories of one machine's puppets: empty them, copy them, put copies back, and exchange them.

Who calls sees to it that no process is using them.
"""

import shutil
from pathlib import Path

from ...ring.errors import CallerError


class Directories:
    """Each peer's directory has its name, and its snapshot that name and a sign that no name can hold."""

    def __init__(self, root: Path) -> None:
        """Keep them all below one directory."""
        self._root = root

    def of(self, name: str) -> Path:
        """Name the directory of a peer; it may not exist yet."""
        return self._root / name

    def empty(self, name: str) -> None:
        """Remove what a peer has kept; its snapshot stays."""
        shutil.rmtree(self.of(name), ignore_errors=True)

    def forget(self, name: str) -> None:
        """Remove what a peer has kept, and its snapshot."""
        self.empty(name)
        shutil.rmtree(self._snapshot(name), ignore_errors=True)

    def copy(self, name: str) -> None:
        """Take a snapshot of a peer's directory, in the place of an earlier one."""
        shutil.rmtree(self._snapshot(name), ignore_errors=True)
        shutil.copytree(self.of(name), self._snapshot(name), symlinks=True)

    def put_back(self, name: str) -> None:
        """Let a peer have its snapshot; that stays, to be put back again.

        Raises:
            CallerError: none was taken.
        """
        if not self._snapshot(name).is_dir():
            raise CallerError(f"there is no old directory of peer {name}; SNAPSHOT {name} copies it while it is dead")
        self.empty(name)
        shutil.copytree(self._snapshot(name), self.of(name), symlinks=True)

    def swap(self, name: str, other: str) -> None:
        """Let two peers have each other's directory."""
        aside = self._root / f"{name}~{other}"
        self.of(name).rename(aside)
        self.of(other).rename(self.of(name))
        aside.rename(self.of(other))

    def _snapshot(self, name: str) -> Path:
        return self._root / f"{name}~"
