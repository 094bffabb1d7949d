"""Print one picture of a job on stdout."""

from typing import Final

from rich.console import Console

from ...scheduling.status import JobStatus
from .fold import View, fold
from .render import render

LINES_MAX: Final = 60
"""A picture that stands still scrolls; more lines than this would bury its head."""


def print_picture(status: JobStatus) -> None:
    """Print how a job stands, with colour if stdout is a terminal."""
    console = Console(highlight=False)
    console.print(render(fold(View(), status), console.width, LINES_MAX))
