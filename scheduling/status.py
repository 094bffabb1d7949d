"""Describe a job for people: what any peer can answer from its own replica of the claim table."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from ..ring.facts import Liveness
from ..ring.terms import Name
from .jobs import PRIORITY, JobEnding, JobState, Number, Phase, UserError


class TaskState(IntEnum):
    """One cell of the live view."""

    WAITING = 0
    CLAIMED = 1
    RUNNING = 2
    SPECULATIVE = 3
    FAILED = 4
    DONE = 5


class Condition(IntEnum):
    """How a peer does its part of a job, beside whether it lives."""

    WELL = 0
    SLOW = 1
    """It answers, and what it is at takes much longer than elsewhere."""
    FROZEN = 2
    """It answers nothing, but its machine takes connections for it: the process stands still, or hangs."""
    GONE = 3
    """Its machine refuses connections: the process has ended."""
    UNREACHABLE = 4
    """Not even its machine answers: that is down, or behind a cut."""


class RunningAttempt(Struct, frozen=True, array_like=True):
    """A task that a peer is at, and how far it is."""

    phase: Phase
    task: Number
    fraction: float


class Lane(Struct, frozen=True, array_like=True):
    """One peer's part in a job."""

    peer: Name
    liveness: Liveness
    running: Annotated[tuple[RunningAttempt, ...], Meta(max_length=4096)]
    tasks_done: int
    condition: Condition = Condition.WELL


class JobEvent(Struct, frozen=True, array_like=True):
    """Something worth telling that happened `at` seconds after the answering peer first heard of the job."""

    at: float
    text: Annotated[str, Meta(max_length=512)]


class JobStatus(Struct, frozen=True, array_like=True):
    """A job as one peer sees it now; `version` grows whenever that peer's view of it changes.

    `map_states` and `reduce_states` hold one byte for each task: its `TaskState`.
    """

    id: str
    name: Name
    state: JobState
    tracker: Name
    epoch: int
    version: int
    elapsed_s: float
    map_states: Annotated[bytes, Meta(max_length=20_000)]
    reduce_states: Annotated[bytes, Meta(max_length=20_000)]
    attempts: int
    duplicates: int
    """Attempts at tasks that another attempt finished."""
    speculative: int
    """Attempts begun beside others that went on too slowly."""
    records: int
    """Input records of the finished map tasks."""
    bytes: int
    """Input bytes of the finished map tasks."""
    local_bytes: int
    bytes_total: int
    lanes: Annotated[tuple[Lane, ...], Meta(max_length=4096)] = ()
    events: Annotated[tuple[JobEvent, ...], Meta(max_length=64)] = ()
    counters: Annotated[dict[str, int], Meta(max_length=128)] = {}
    error: UserError | None = None
    error_split: int = -1
    waiting_for: Annotated[str, Meta(max_length=512)] = ""
    """Why the job does not move on, where that is known: as 'a majority of the electorate (2 of 5 reachable)'."""
    output: str = ""
    submitted_at: float = 0.0
    ending: JobEnding | None = None
    priority: int = PRIORITY
    races_lost: int = 0
    """Duplicates that nobody wanted: two peers claimed one task unaware of each other, or one was believed gone."""
    wasted_s: float = 0.0
    """How long all duplicates went on."""
    speculation_won: int = 0
    """Tasks that a speculative attempt has finished first."""
    saved_s: float = 0.0
    """What the attempts that those overtook had still to do, as far as can be told."""
