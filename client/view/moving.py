"""Show how far a change of the members is, on stderr: a bar on a terminal, and else a line now and then."""

import sys
import time
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ..printing import printable
from ..units import format_size
from .loop import draws

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_EVERY_S: Final = 2.0


class MoveLine(AbstractContextManager["MoveLine"]):
    """A `MoveShown`: bytes that are handed over, and what is waited for."""

    def __init__(self, *, plain: bool) -> None:
        self._stack = ExitStack()
        self._bar: Bar | None = None if plain or not draws(sys.stderr) else _bar(self._stack)
        self._task: TaskID | None = None
        self._next_at = time.monotonic() + LINE_EVERY_S
        self._line = ""

    def advance(self, what: str, done: int, total: int) -> None:
        """Show that so many of about `total` bytes are through."""
        share = min(1.0, done / total) if total else 1.0
        if self._bar is not None:
            self._draw(self._bar, what, done, max(done, total))
            return
        line = f"{what}: {format_size(done)} of about {format_size(max(done, total))}, {share:.0%}"
        now = time.monotonic()
        if line != self._line and now >= self._next_at:
            self._next_at, self._line = now + LINE_EVERY_S, line
            sys.stderr.write(f"{printable(line)}\n")
            sys.stderr.flush()

    def _draw(self, bar: "Bar", what: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = bar.add_task("", total=None)
        bar.update(self._task, description=printable(what), completed=done, total=max(1, total))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _bar(stack: ExitStack) -> "Bar":
    from rich.console import Console  # late: a command without a terminal must not pay for it
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), DownloadColumn(binary_units=True))
    console = Console(stderr=True, highlight=False)
    return stack.enter_context(Progress(*columns, TransferSpeedColumn(), console=console, transient=True))
