"""Draw a view as a picture of given width and height; pure."""

from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from ...ring.facts import Liveness
from ...scheduling.jobs import JobState, Phase
from ...scheduling.status import JobEvent, JobStatus, Lane, RunningAttempt
from ..printing import printable
from . import words
from .fold import View
from .grid import grid, legend, rows_wanted, tasks_per_cell

MAP_LABEL: Final = "map     "
REDUCE_LABEL: Final = "reduce  "
BAR_CELLS: Final = 8
TIME_COLUMNS: Final = 42
"""Kept free beside the long bar, so that it does not jump as the words about time change their length."""
EVENTS_SHOWN: Final = 6
SILENCE_SHOWN_S: Final = 1.5
"""A peer answers a watcher at least once a second; longer silence means that it is gone, or cut off."""

STATE_STYLES: Final = {
    JobState.PLANNING: "cyan",
    JobState.RUNNING_MAP: "blue",
    JobState.RUNNING_REDUCE: "blue",
    JobState.COMMITTING: "cyan",
    JobState.DONE: "bold green",
    JobState.FAILED: "bold red",
    JobState.KILLED: "bold red",
}

LIVENESS_STYLES: Final = {
    Liveness.ALIVE: "green",
    Liveness.SUSPECT: "yellow",
    Liveness.DEAD: "bold red",
    Liveness.LEFT: "dim",
}


def render(view: View, width: int, height: int) -> RenderableType:
    """Draw the view in at most `height` lines of `width` columns."""
    if view.status is None:
        return Text("waiting for the job's first status")
    status = view.status
    top = [*_header(view, width), Text(f"{words.rates(view)}, {words.locality(status)}"), Text(words.attempts(status))]
    bottom = _troubles(view, status)
    rows = _shared(
        height - len(top) - len(bottom) - 1,
        {
            "map": rows_wanted(len(status.map_states), width - len(MAP_LABEL)),
            "reduce": rows_wanted(len(status.reduce_states), width - len(REDUCE_LABEL)),
            "lanes": len(status.lanes),
            "events": min(EVENTS_SHOWN, len(view.events)),
        },
    )
    lines = [
        *top,
        *_tasks(status, width, rows["map"], rows["reduce"]),
        *_lanes(status.lanes, rows["lanes"]),
        *_events(view.events, rows["events"]),
        *bottom,
    ]
    return Group(*(_cut(line, width) for line in lines[: max(1, height)]))


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    line.end = "\n"
    return line


def _shared(rows: int, wanted: dict[str, int]) -> dict[str, int]:
    """Share out the rows one by one among the parts that still want one; each that wants any gets at least one."""
    granted = {part: min(1, want) for part, want in wanted.items()}
    left = rows - sum(granted.values())
    while left > 0 and granted != wanted:
        for part, want in wanted.items():
            if left > 0 and granted[part] < want:
                granted[part] += 1
                left -= 1
    return granted


def _header(view: View, width: int) -> list[Text]:
    status = view.status
    assert status is not None, "render draws the header only of a view with a status"
    title = Text()
    title.append(printable(status.name), "bold")
    title.append(f"  {status.id}  ", "dim")
    title.append(status.state.title, STATE_STYLES[status.state])
    title.append(f"  {words.tracker(status)}")
    share = f" {view.progress:4.0%}  {words.time_left(view)}"
    return [title, Text.assemble(_bar(view.progress, max(10, width - TIME_COLUMNS)), share)]


def _bar(fraction: float, cells: int) -> Text:
    full = int(min(1.0, max(0.0, fraction)) * cells)
    return Text.assemble("[", ("#" * full, "green"), ("." * (cells - full), "dim"), "]")


def _tasks(status: JobStatus, width: int, map_rows: int, reduce_rows: int) -> list[Text]:
    cells = max(1, width - len(MAP_LABEL))
    shared_by = max(
        tasks_per_cell(len(status.map_states), cells * map_rows) if map_rows else 1,
        tasks_per_cell(len(status.reduce_states), cells * reduce_rows) if reduce_rows else 1,
    )
    return [
        *grid(MAP_LABEL, status.map_states, width, max(1, map_rows)),
        *grid(REDUCE_LABEL, status.reduce_states, width, max(1, reduce_rows)),
        legend(status.map_states + status.reduce_states, shared_by),
    ]


def _lanes(lanes: tuple[Lane, ...], rows: int) -> list[Text]:
    shown = lanes if len(lanes) <= rows else lanes[: max(0, rows - 1)]
    names = max((len(lane.peer) for lane in shown), default=0)
    lines = [_lane(lane, names) for lane in shown]
    if rows and len(shown) < len(lanes):
        hidden = lanes[len(shown) :]
        alive = sum(lane.liveness is Liveness.ALIVE for lane in hidden)
        lines.append(Text(f"and {len(hidden)} more peers, {alive} of them alive", "dim"))
    return lines


def _lane(lane: Lane, name_width: int) -> Text:
    line = Text()
    line.append(f"{printable(lane.peer):<{name_width}}  ", "bold")
    style = "yellow" if lane.condition in words.TELLING else LIVENESS_STYLES[lane.liveness]
    line.append(f"{words.condition(lane):<7}", style)
    line.append(f"{lane.tasks_done:>6} done")
    for attempt in sorted(lane.running, key=_order):
        line.append(f"  {'m' if attempt.phase is Phase.MAP else 'r'}{attempt.task} ")
        line.append(_bar(attempt.fraction, BAR_CELLS))
    return line


def _order(attempt: RunningAttempt) -> tuple[int, int]:
    return attempt.phase, attempt.task


def _events(events: tuple[JobEvent, ...], rows: int) -> list[Text]:
    last = events[-rows:] if rows else ()
    return [Text(f"{event.at:8.1f} s  {printable(event.text)}", "italic") for event in last]


def _troubles(view: View, status: JobStatus) -> list[Text]:
    lines = []
    if view.silent_s >= SILENCE_SHOWN_S:
        lines.append(Text(f"no answer for {view.silent_s:.0f} s: asking another peer", "yellow"))
    if status.waiting_for:
        lines.append(Text(f"waiting for {printable(status.waiting_for)}", "yellow"))
    if status.error is not None:
        lines += [Text(line, "red") for line in words.error_lines(status.error, status.error_split)]
    return lines
