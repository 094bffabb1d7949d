"""Show how far files are on their way, on stderr: a bar that is redrawn on a terminal, and else nothing."""

import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

from ..printing import printable
from ..units import format_size
from .loop import draws

REDRAW_S: Final = 0.1
NAME_LETTERS: Final = 40


class TransferLine(AbstractContextManager["TransferLine"]):
    """A `Progress` in one line: the file on its way, and the sum over all files so far."""

    def __init__(self, *, plain: bool) -> None:
        self._drawn = not plain and draws(sys.stderr)
        self._done: dict[str, int] = {}
        self._next_at = 0.0

    def advance(self, name: str, done: int, total: int) -> None:
        """Take note that `done` of `total` bytes of the thing called `name` are through."""
        self._done[name] = done
        now = time.monotonic()
        if self._drawn and now >= self._next_at:
            self._next_at = now + REDRAW_S
            share = done / total if total else 1.0
            sys.stderr.write(
                f"\r\x1b[K{printable(name)[-NAME_LETTERS:]}  {share:.0%} of {format_size(total)}"
                f"  ({format_size(sum(self._done.values()))} in all)"
            )
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away; what comes next begins anew."""
        if self._drawn and self._done:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._done.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
