"""Keep the files that user code writes beside its output, until the attempt is through: they count only if it does."""

import re
from typing import IO, Any

from ..formats.outputs import pieces_of
from ..tasks import SideOutput

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MODES = frozenset({"w", "wb", "wt", "x", "xb", "xt", "a", "ab", "at"})

SIDE_FILES_MAX = 16
"""Side files of one attempt: their names and chunks travel with the gossip of the claim table."""


class SideFiles:
    """The side files of one attempt."""

    def __init__(self, prefix: str) -> None:
        """Let the file NAME lie at `prefix` + NAME."""
        self._prefix = prefix
        self._files: dict[str, list[IO[Any]]] = {}

    def open(self, name: str, mode: str) -> IO[Any]:
        """Open a side file for writing.

        Raises `ValueError` for a name that is none, a mode that does not write, or a name too many.
        """
        if not NAME.fullmatch(name):
            raise ValueError(f"a side file is called by up to 64 letters, digits and . _ - : not {name[:80]!r}")
        if mode not in MODES:
            raise ValueError(f"a side file is written: open it with w, x or a, as text or with b, not with {mode!r}")
        if name not in self._files and len(self._files) == SIDE_FILES_MAX:
            raise ValueError(f"an attempt has at most {SIDE_FILES_MAX} side files; {name!r} is one too many")
        file = open(self._path(name), mode, encoding=None if "b" in mode else "utf-8")  # noqa: PTH123, SIM115 - user code's
        self._files.setdefault(name, []).append(file)
        return file

    def finish(self) -> tuple[SideOutput, ...]:
        """Close all files, and tell what is in them."""
        for files in self._files.values():
            for file in files:
                file.close()
        return tuple(SideOutput(name=name, pieces=pieces_of(self._path(name))) for name in sorted(self._files))

    def _path(self, name: str) -> str:
        return self._prefix + name
