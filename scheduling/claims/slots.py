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
    """An attempt of this peer that has not ended; `begun_at` is when its turn in its handful came."""

    start: StartAttempt
    handful: "Handful"
    begun_at: Instant
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
        """Tell whether user code works on it, or is about to: it has a slot, and its output is not on its way yet."""
        return self.handful.waits_until is None and self.delivery is None

    @property
    def is_at_hand(self) -> bool:
        """Tell whether its turn has come: those before it in its handful have ended."""
        return self.handful.at_hand is self

    @property
    def has_begun(self) -> bool:
        """Tell whether its slot and its turn have come."""
        return self.delivery is not None or (self.handful.waits_until is None and self.is_at_hand)

    def ran_ms(self, now: Instant) -> int:
        """Tell for how long the attempt has gone on, in milliseconds: 1 at least, and 0 only if it was not begun."""
        return max(1, round(1000 * (now - self.begun_at))) if self.has_begun else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Handful:
    """Attempts that take one slot and are made one after the other: many if they are short, else a single one."""

    job: str
    phase: Phase
    begun_at: Instant
    waits_until: Instant | None = None
    """How long what was claimed ahead waits for its slot; None if it has one."""
    is_followed: bool = False
    """Whether another was claimed ahead because this one was nearly done."""
    size: int = 0
    open: dict[int, Running] = field(default_factory=dict)
    """The attempts that have not ended, by task, in the order of their turns."""

    @property
    def at_hand(self) -> Running | None:
        """Give the attempt that user code works on, or would work on if there were a slot."""
        for running in self.open.values():
            if running.delivery is None:
                return running
        return None

    @property
    def computes(self) -> bool:
        """Tell whether it takes a slot."""
        return self.waits_until is None and self.at_hand is not None

    @property
    def fraction(self) -> float:
        """Tell how far it is."""
        through = float(self.size - len(self.open))
        for running in self.open.values():
            through += running.fraction
            if running.delivery is None:
                break  # what comes after that at hand has not begun
        return through / self.size

    def add(self, start: StartAttempt) -> None:
        """Put one more attempt behind the others."""
        self.size += 1
        self.open[start.task] = Running(start=start, handful=self, begun_at=self.begun_at)

    def has_waited(self, now: Instant, patience_s: float) -> bool:
        """Tell whether what has not begun of it is to be left to others: no slot, or no turn, has come in time."""
        return now >= (self.begun_at + patience_s if self.waits_until is None else self.waits_until)

    def begin(self, now: Instant) -> None:
        """Take note that there is a slot for it now."""
        self.waits_until, self.begun_at = None, now
        for running in self.open.values():
            running.begun_at = now

    def left_s(self, now: Instant) -> float:
        """Estimate what is left of it, in seconds, as this peer itself sees it go on."""
        fraction = self.fraction
        return (now - self.begun_at) * (1.0 - fraction) / fraction if fraction else float("inf")


class Slots:
    """At most `capacity` handfuls at user code at a time, and as many more that wait for a slot or deliver output."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.running: dict[Attempt, Running] = {}
        """All attempts under way, of all handfuls."""
        self._handfuls: list[Handful] = []

    def take(self, handful: Handful) -> None:
        """Take up a handful that is complete."""
        self._handfuls.append(handful)
        self.running.update((running.attempt, running) for running in handful.open.values())

    def drop(self, now: Instant, running: Running) -> None:
        """Take out an attempt that has ended; the turn passes to the next one of its handful."""
        handful, was_at_hand = running.handful, running.is_at_hand
        del self.running[running.attempt], handful.open[running.task]
        if not handful.open:
            self._handfuls.remove(handful)
        elif was_at_hand:
            self.pass_turn(now, handful)

    def pass_turn(self, now: Instant, handful: Handful) -> None:
        """Let the time of the attempt begin whose turn has come."""
        if handful.at_hand is not None:
            handful.at_hand.begun_at = now

    @property
    def free(self) -> int:
        """Count the handfuls that may be claimed and started now."""
        return min(self.capacity - self._computing, 2 * self.capacity - len(self._handfuls))

    @property
    def _computing(self) -> int:
        return sum(handful.computes for handful in self._handfuls)

    def next_waiting(self) -> Handful | None:
        """Give the handful that was claimed ahead first, if there is a slot for it now."""
        if self._computing >= self.capacity:
            return None
        return next((handful for handful in self._handfuls if handful.waits_until is not None), None)

    def leaders_left_s(self, now: Instant, fraction: float) -> float:
        """Estimate in how many seconds all handfuls are through that are so far."""
        ripe = (handful for handful in self._handfuls if handful.computes and handful.fraction >= fraction)
        return max((handful.left_s(now) for handful in ripe), default=0.0)

    def leader(self, fraction: float) -> Handful | None:
        """Give a handful that is so far that the next may be claimed ahead, and is not followed by one."""
        if len(self._handfuls) >= 2 * self.capacity:
            return None
        ripe = (each for each in self._handfuls if each.computes and each.fraction >= fraction)
        return next((handful for handful in ripe if not handful.is_followed), None)

    @property
    def load(self) -> float:
        """Tell which share of the capacity computes."""
        return min(1.0, self._computing / self.capacity) if self.capacity else 0.0

    def held_by(self, job: str) -> int:
        """Count the slots that a job has here, those included that it waits for."""
        return len(self.handfuls_of(job))

    def of_job(self, job: str) -> list[Running]:
        """List the attempts under way of one job."""
        return [running for running in self.running.values() if running.job == job]

    def handfuls_of(self, job: str) -> list[Handful]:
        """List the handfuls under way of one job."""
        return [handful for handful in self._handfuls if handful.job == job]

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
