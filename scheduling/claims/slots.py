"""Hold the attempts that this peer has under way, and the tasks that it had better leave alone for a while."""

from dataclasses import dataclass, field

from ...ring.terms import Instant
from ..effects import StartAttempt
from ..events import LocalOutput
from ..jobs import Phase, TaskReport
from ..messages import Attempt
from ..settings import SchedulingSettings

NEVER = Instant(float("-inf"))


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A finished attempt whose output is being replicated: `waiting` maps requests to outputs by their place.

    The `outputs` make up `files` in turn, each so many of them; the part has no name here.
    """

    report: TaskReport
    outputs: tuple[LocalOutput, ...]
    files: tuple[tuple[str, int], ...]
    waiting: dict[str, int] = field(default_factory=dict)
    failed: list[int] = field(default_factory=list)
    tries: int = 0
    rests_until: Instant = NEVER
    error: str = ""


@dataclass(slots=True, kw_only=True)
class Running:
    """An attempt of this peer that has not ended."""

    start: StartAttempt
    begun_at: Instant
    waits_until: Instant | None = None
    """How long an attempt that was claimed ahead waits for its slot; None if it has one."""
    is_followed: bool = False
    """Whether another was claimed ahead because this one was nearly done."""
    fraction: float = 0.0
    told_at: Instant = NEVER
    delivery: Delivery | None = None

    @property
    def job(self) -> str:
        """Name its job."""
        return self.start.record.id

    @property
    def phase(self) -> Phase:
        """Tell the phase of its task."""
        return self.start.phase

    @property
    def task(self) -> int:
        """Tell its task."""
        return self.start.task

    @property
    def attempt(self) -> Attempt:
        """Name the attempt."""
        return self.start.attempt

    @property
    def computes(self) -> bool:
        """Tell whether user code works on it: it has a slot, and its output is not on its way yet."""
        return self.waits_until is None and self.delivery is None

    def left_s(self, now: Instant) -> float:
        """Estimate what is left of it, in seconds, as this peer itself sees it go on."""
        return (now - self.begun_at) * (1.0 - self.fraction) / self.fraction if self.fraction else float("inf")

    def ran_ms(self, now: Instant) -> int:
        """Tell for how long the attempt has gone on, in milliseconds: 1 at least, and 0 only if it was not begun."""
        return 0 if self.waits_until is not None else max(1, round(1000 * (now - self.begun_at)))


class Slots:
    """At most `capacity` attempts at user code at a time, and as many more that wait for a slot or deliver output."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.running: dict[Attempt, Running] = {}

    @property
    def free(self) -> int:
        """Count the attempts that may be claimed and started now."""
        return min(self.capacity - self._computing, 2 * self.capacity - len(self.running))

    @property
    def _computing(self) -> int:
        return sum(running.computes for running in self.running.values())

    def next_waiting(self) -> Running | None:
        """Give the attempt that was claimed ahead first, if there is a slot for it now."""
        if self._computing >= self.capacity:
            return None
        return next((running for running in self.running.values() if running.waits_until is not None), None)

    def leaders_left_s(self, now: Instant, fraction: float) -> float:
        """Estimate in how many seconds all attempts are through that are so far."""
        ripe = (running for running in self.running.values() if running.computes and running.fraction >= fraction)
        return max((running.left_s(now) for running in ripe), default=0.0)

    def leader(self, fraction: float) -> Running | None:
        """Give an attempt that is so far that the next may be claimed ahead, and is not followed by one."""
        if len(self.running) >= 2 * self.capacity:
            return None
        ripe = (each for each in self.running.values() if each.computes and each.fraction >= fraction)
        return next((running for running in ripe if not running.is_followed), None)

    @property
    def load(self) -> float:
        """Tell which share of the capacity computes."""
        return min(1.0, self._computing / self.capacity) if self.capacity else 0.0

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
