"""Show how far a count is, on stderr: a bar that is redrawn on a terminal, and else nothing."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

from .loop import draws

REDRAW_S: Final = 0.1
BAR_CELLS: Final = 24


class CountLine(AbstractContextManager["CountLine"]):
    """A `Progress` in one line: how many, how fast, and where `share` knows it, how much of the whole."""

    def __init__(self, *, plain: bool, share: Callable[[], float | None]) -> None:
        self._drawn = not plain and draws(sys.stderr)
        self._share = share
        self._begin = time.monotonic()
        self._next_at = 0.0

    def advance(self, name: str, done: int, total: int) -> None:  # noqa: ARG002 -- a `Progress` is told more
        """Take note that `done` of the things called `name` are through."""
        now = time.monotonic()
        if not self._drawn or now < self._next_at:
            return
        self._next_at = now + REDRAW_S
        share = self._share()
        pace = done / max(now - self._begin, 1e-9)
        sys.stderr.write(f"\r\x1b[K{'' if share is None else bar(share)}{done:,} {name}, {pace:,.0f}/s")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn and self._next_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def bar(share: float) -> str:
    """Draw a share of the whole."""
    full = round(min(1.0, max(0.0, share)) * BAR_CELLS)
    return f"[{'#' * full}{'.' * (BAR_CELLS - full)}] {share:4.0%}  "
