"""Tell a job's progress in plain lines, for a log or a terminal that draws nothing."""

from dataclasses import dataclass
from typing import Final

from ..printing import printable
from . import words
from .fold import View

EVERY_S: Final = 2.0
"""Progress is told this often; every event, and a change of state, tracker or trouble, is told at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What has been printed so far; start with `Told()`."""

    events: frozenset[tuple[float, str]] = frozenset()
    standing: tuple[str, ...] = ()
    at_s: float = float("-inf")


def tell(told: Told, view: View) -> tuple[Told, list[str]]:
    """Choose the lines to print for a view, and remember them; pure."""
    status = view.status
    if status is None:
        return told, []
    fresh = [event for event in view.events if (event.at, event.text) not in told.events]
    lines = [f"{event.at:.1f} s  {printable(event.text)}" for event in fresh]
    standing = (status.state.title, words.tracker(status), status.waiting_for)
    due = standing != told.standing or view.elapsed_s - told.at_s >= EVERY_S
    if due:
        lines.append(progress_line(view))
    return Told(
        events=told.events | {(event.at, event.text) for event in fresh},
        standing=standing,
        at_s=view.elapsed_s if due else told.at_s,
    ), lines


def progress_line(view: View) -> str:
    """Spell how far the job is, in one line."""
    status = view.status
    if status is None:
        return "waiting for the job's first status"
    parts = [words.time_left(view), status.state.title, f"map {words.tally(status.map_states)}"]
    if status.reduce_states:
        parts.append(f"reduce {words.tally(status.reduce_states)}")
    parts += [words.rates(view), words.tracker(status)]
    if status.waiting_for:
        parts.append(f"waiting for {printable(status.waiting_for)}")
    return "  ".join(parts)
