"""Put a job's state into words, the same in the picture and in plain lines."""

from typing import Final

from ...ring.facts import Liveness
from ...scheduling.jobs import UserError
from ...scheduling.status import Condition, JobStatus, Lane, TaskState
from ..printing import printable
from ..units import format_count, format_size, format_time
from .fold import View

LIVENESS: Final = {
    Liveness.ALIVE: "alive",
    Liveness.SUSPECT: "suspect",
    Liveness.DEAD: "dead",
    Liveness.LEFT: "left",
}

TELLING: Final = (Condition.SLOW, Condition.FROZEN)
"""Of others that do not answer, suspect and dead say enough."""


def tally(states: bytes) -> str:
    """Say how many tasks of a phase are done."""
    return f"{states.count(TaskState.DONE)}/{len(states)}"


def tracker(status: JobStatus) -> str:
    """Say who tracks the job."""
    return f"tracker {printable(status.tracker) or '?'} (epoch {status.epoch})"


def time_left(view: View) -> str:
    """Say how long the job still takes, or took."""
    if view.status is not None and view.status.state.ended:
        return f"{view.status.state.title} after {format_time(view.elapsed_s)}"
    left = "time left unknown" if view.eta_s is None else f"about {format_time(view.eta_s)} left"
    return f"{format_time(view.elapsed_s)}, {left}"


def rates(view: View) -> str:
    """Say how fast input is read, now and at best."""
    return (
        f"{format_count(view.records_per_s)} records/s (peak {format_count(view.records_per_s_peak)}), "
        f"{format_size(round(view.bytes_per_s))}/s (peak {format_size(round(view.bytes_per_s_peak))})"
    )


def locality(status: JobStatus) -> str:
    """Say which share of the input read so far lay on the reader's own disk."""
    return f"{status.local_bytes / status.bytes:.0%} local" if status.bytes else "nothing read so far"


def attempts(status: JobStatus) -> str:
    """Count the attempts, those that another attempt made needless, and what those saved that were meant so."""
    counts = f"{status.attempts} attempts, {status.duplicates} duplicates, {status.speculative} speculative"
    if not status.speculation_won:
        return counts
    return f"{counts}: {status.speculation_won} won, and saved {format_time(status.saved_s)} of waiting"


def condition(lane: Lane) -> str:
    """Say how a peer is: whether it lives, or, where that says more, that it is slow or stands still."""
    return lane.condition.name.lower() if lane.condition in TELLING else LIVENESS[lane.liveness]


def error_lines(error: UserError, split: int) -> list[str]:
    """Tell what went wrong: the exception and its task, then the record, then the way out, a line for each."""
    where = f" in task {split}" if split >= 0 else ""
    lines = [printable(f"{error.kind}: {error.message}{where}" if error.message else f"{error.kind}{where}")]
    if error.file:
        place = f"{error.file}, line {error.line}" if error.line else error.file
        lines.append(printable(f"at {place}: {error.record}" if error.record else f"at {place}"))
    elif error.record:
        lines.append(printable(f"at {error.record}"))
    if error.hint:
        lines.append(printable(error.hint))
    return lines
