"""Fold the statuses of one job into what a person wants to see: rates, time left, events; pure.

Every status stands for itself, but may come from another peer than the one before it: then its clock starts elsewhere
and its counts may be older. So no rate is ever negative, time shown never runs backwards, and an event that two peers
tell with slightly different times is one event.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ...scheduling.jobs import JobState, Phase
from ...scheduling.status import JobEvent, JobStatus, TaskState

WINDOW_S: Final = 10.0
"""Rates are averages over this time: long enough to smooth whole splits finishing, short enough to show a stall."""

SAMPLES_MAX: Final = 128
"""Most samples in a window; statuses that come faster than it can hold replace each other."""

SAME_EVENT_S: Final = 5.0
"""Equal texts closer than this are one event told by two peers: their clocks start when each first heard of the job."""

EVENTS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How far the job was at one moment."""

    at_s: float
    records: int
    bytes: int
    progress: float
    """Share of all tasks that is done, running attempts counted by their fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the live view knows after the statuses so far; start with `View()`."""

    status: JobStatus | None = None
    elapsed_s: float = 0.0
    progress: float = 0.0
    records_per_s: float = 0.0
    bytes_per_s: float = 0.0
    records_per_s_peak: float = 0.0
    bytes_per_s_peak: float = 0.0
    eta_s: float | None = None
    """Seconds to the end at the present pace; None while no pace is known."""
    events: tuple[JobEvent, ...] = ()
    samples: tuple[Sample, ...] = ()
    silent_s: float = 0.0
    """Time since the last status: while it is long, the client is looking for a peer that answers."""


def fold(view: View, status: JobStatus) -> View:
    """Take in the next status."""
    elapsed_s = max(view.elapsed_s, status.elapsed_s)
    sample = Sample(at_s=elapsed_s, records=status.records, bytes=status.bytes, progress=progress_of(status))
    samples = _kept(view.samples, sample)
    records_per_s = _pace(samples, lambda sample: sample.records)
    bytes_per_s = _pace(samples, lambda sample: sample.bytes)
    return replace(
        view,
        status=status,
        elapsed_s=elapsed_s,
        progress=sample.progress,
        records_per_s=records_per_s,
        bytes_per_s=bytes_per_s,
        records_per_s_peak=max(view.records_per_s_peak, records_per_s),
        bytes_per_s_peak=max(view.bytes_per_s_peak, bytes_per_s),
        eta_s=None if status.state.ended else _eta(samples),
        events=_merged(view.events, (*status.events, *_takeover(view.status, status, elapsed_s))),
        samples=samples,
        silent_s=0.0,
    )


def age(view: View, seconds: float) -> View:
    """Let time pass without a status, for a clock that ticks and a silence that shows; an ended job does not age."""
    if view.status is None or view.status.state.ended:
        return view
    return replace(view, elapsed_s=view.elapsed_s + seconds, silent_s=seconds)


def count_states(states: bytes) -> dict[TaskState, int]:
    """Count the tasks in each state; states that no task is in are there with 0."""
    return {state: states.count(state) for state in TaskState}


def progress_of(status: JobStatus) -> float:
    """Tell the share of all tasks that is done, from 0 to 1, running attempts counted by their fraction."""
    total = len(status.map_states) + len(status.reduce_states)
    if status.state is JobState.DONE:
        return 1.0
    if not total:
        return 0.0
    done = status.map_states.count(TaskState.DONE) + status.reduce_states.count(TaskState.DONE)
    return min(1.0, (done + _running_share(status)) / total)


def _running_share(status: JobStatus) -> float:
    """Add up the running tasks' fractions; of two attempts at one task the farther counts."""
    farthest: dict[tuple[Phase, int], float] = {}
    for lane in status.lanes:
        for attempt in lane.running:
            states = status.map_states if attempt.phase is Phase.MAP else status.reduce_states
            if attempt.task < len(states) and states[attempt.task] != TaskState.DONE:
                task = (attempt.phase, attempt.task)
                farthest[task] = max(farthest.get(task, 0.0), min(1.0, attempt.fraction))
    return sum(farthest.values())


def _kept(samples: tuple[Sample, ...], newest: Sample) -> tuple[Sample, ...]:
    """Add the newest sample and drop those before the window; one that is very close to its predecessor replaces it."""
    spacing_s = 2 * WINDOW_S / SAMPLES_MAX  # twice, for a sample may be dropped when the next is still to come
    earlier = samples
    if len(earlier) > 1 and newest.at_s - earlier[-2].at_s < spacing_s:
        earlier = earlier[:-1]
    begin = newest.at_s - WINDOW_S
    while len(earlier) > 1 and earlier[1].at_s <= begin:
        earlier = earlier[1:]
    return (*earlier, newest)


def _pace(samples: tuple[Sample, ...], amount: Callable[[Sample], float]) -> float:
    """Tell how much an amount grows in a second, on average over the window."""
    first, last = samples[0], samples[-1]
    seconds = last.at_s - first.at_s
    if seconds <= 0.0:
        return 0.0
    return max(0.0, (amount(last) - amount(first)) / seconds)


def _eta(samples: tuple[Sample, ...]) -> float | None:
    pace = _pace(samples, lambda sample: sample.progress)
    return (1.0 - samples[-1].progress) / pace if pace > 0.0 else None


def _takeover(before: JobStatus | None, after: JobStatus, at_s: float) -> tuple[JobEvent, ...]:
    """Tell of a change of tracker in the words that a peer uses which saw it; one that missed it tells nothing."""
    if before is None or not before.tracker or after.epoch <= before.epoch or after.tracker == before.tracker:
        return ()
    text = f"tracker moved from {before.tracker} to {after.tracker} (epoch {after.epoch})"
    return (JobEvent(at=at_s, text=text),)


def _merged(known: tuple[JobEvent, ...], told: tuple[JobEvent, ...]) -> tuple[JobEvent, ...]:
    """Add the events that are new, in order of time, and keep the last `EVENTS_MAX`."""
    merged = list(known)
    for event in told:
        if not any(event.text == other.text and abs(event.at - other.at) < SAME_EVENT_S for other in merged):
            merged.append(event)
    merged.sort(key=lambda event: event.at)
    return tuple(merged[-EVENTS_MAX:])
