"""Follow a job to its end on stderr: as a picture that is redrawn, or as plain lines where nothing can be drawn."""

import os
import sys
import time
from collections.abc import Iterable
from typing import TextIO

from ...scheduling.status import JobStatus
from .fold import View, age, fold
from .plain import Told, tell

REFRESHES_PER_S = 8.0


def follow(statuses: Iterable[JobStatus], *, plain: bool) -> View:
    """Show each status as it comes, and return the last view; `plain` forces lines on a terminal too."""
    if plain or not draws(sys.stderr):
        return _follow_in_lines(statuses, sys.stderr)
    return _follow_live(statuses)


def draws(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that understands control codes."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _follow_in_lines(statuses: Iterable[JobStatus], stream: TextIO) -> View:
    view, told = View(), Told()
    for status in statuses:
        view = fold(view, status)
        told, lines = tell(told, view)
        for line in lines:
            stream.write(f"{line}\n")
        stream.flush()
    return view


def _follow_live(statuses: Iterable[JobStatus]) -> View:
    from rich.console import Console  # late: a submit without a terminal must not pay for it
    from rich.live import Live

    from .render import render

    console = Console(stderr=True, highlight=False)
    view, told_at = View(), time.monotonic()
    # get_renderable, not update(): a resized terminal is redrawn at its new size at the next refresh.
    with Live(
        get_renderable=lambda: render(age(view, time.monotonic() - told_at), console.width, console.height - 1),
        console=console,
        refresh_per_second=REFRESHES_PER_S,
        redirect_stdout=False,
    ):
        for status in statuses:
            view, told_at = fold(view, status), time.monotonic()
    return view
