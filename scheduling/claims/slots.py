"""Hold the attempts that this peer has under way, and the tasks that it had better leave alone for a while."""

from dataclasses import dataclass, field

from ...ring.terms import Instant
from ..events import LocalOutput
from ..jobs import Phase, TaskReport
from ..messages import Attempt
from ..settings import SchedulingSettings

NEVER = Instant(float("-inf"))


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A finished attempt whose output is being replicated: `waiting` maps requests to outputs by their place."""

    report: TaskReport
    outputs: tuple[LocalOutput, ...]
    waiting: dict[str, int] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    tries: int = 0
    rests_until: Instant = NEVER
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Running:
    """An attempt of this peer that has not ended; `remade` are the runs it was told of beside the sealed ones."""

    job: str
    phase: Phase
    task: int
    attempt: Attempt
    begun_at: Instant
    remade: tuple[tuple[int, Attempt], ...] = ()
    fraction: float = 0.0
    told_at: Instant = NEVER
    delivery: Delivery | None = None

    def ran_ms(self, now: Instant) -> int:
        """Tell for how long the attempt has gone on, in milliseconds."""
        return max(0, round(1000 * (now - self.begun_at)))


class Slots:
    """At most `capacity` attempts at user code at a time, and as many more whose output is on its way."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.running: dict[Attempt, Running] = {}

    @property
    def free(self) -> int:
        """Count the attempts that may start now."""
        computing = sum(running.delivery is None for running in self.running.values())
        return min(self.capacity - computing, 2 * self.capacity - len(self.running))

    @property
    def load(self) -> float:
        """Tell which share of the capacity computes."""
        computing = sum(running.delivery is None for running in self.running.values())
        return min(1.0, computing / self.capacity) if self.capacity else 0.0

    def of_job(self, job: str) -> list[Running]:
        """List the attempts under way of one job."""
        return [running for running in self.running.values() if running.job == job]

    def waiting_for(self, request: str) -> Running | None:
        """Find the attempt whose output is being placed under `request`."""
        for running in self.running.values():
            if running.delivery is not None and request in running.delivery.waiting:
                return running
        return None


@dataclass(slots=True)
class _Rest:
    until: Instant
    length_s: float
    reason: str


class Backoffs:
    """How long this peer leaves alone the tasks that it lost through nobody's fault; doubling with each loss."""

    def __init__(self, settings: SchedulingSettings) -> None:
        self._settings = settings
        self._rests: dict[tuple[str, Phase, int], _Rest] = {}

    def lost(self, now: Instant, job: str, phase: Phase, task: int, reason: str) -> None:
        """Note one more loss of a task."""
        old = self._rests.get((job, phase, task))
        shortest, longest = self._settings.backoff_min_s, self._settings.backoff_max_s
        length_s = shortest if old is None else min(2 * old.length_s, longest)
        self._rests[job, phase, task] = _Rest(Instant(now + length_s), length_s, reason)

    def until(self, job: str, phase: Phase, task: int) -> Instant:
        """Tell from when on this peer may try a task again."""
        rest = self._rests.get((job, phase, task))
        return NEVER if rest is None else rest.until

    def reason(self, now: Instant, job: str) -> str:
        """Say why tasks of a job rest, empty if none does."""
        resting = [key for key, rest in self._rests.items() if key[0] == job and rest.until > now]
        return self._rests[min(resting)].reason if resting else ""

    def forget(self, job: str) -> None:
        """Drop all notes about a job."""
        self._rests = {key: rest for key, rest in self._rests.items() if key[0] != job}
