"""Judge from afar how fast attempts go: how long each of them still takes, and how long one takes as a rule.

Nobody is asked. Claims tell when an attempt was begun, and now and then how far it is; from both follows what is left
of it, if it goes on as it did (Zaharia 2008, section 4: longest approximate time to end). Silence counts against it:
the same fraction after twice the time is half the speed. An attempt that never says how far it is may be expected to
take as long as others; once it has taken longer, it is as likely as not to take as long again.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from ...ring.terms import Instant
from ..messages import Account, Attempt, Stage
from ..settings import SchedulingSettings

LENGTHS_KEPT = 64
"""So many of the last attempts tell how long one takes; a phase may change its pace as it goes on."""

NEWEST_SHARE = 1 / 8
"""What the newest length counts for in the mean (as in Jacobson 1988, section 2): one long task is soon noticed."""

NEVER = Instant(float("-inf"))


@dataclass(slots=True)
class Pace:
    """What was heard here of one attempt under way: when it was begun, how far it is, and when that was told."""

    task: int
    begun_at: Instant
    fraction: float = 0.0
    told_at: Instant = NEVER

    def left_s(self, now: Instant, typical_s: float, silence_s: float) -> float:
        """Estimate the seconds that the attempt still takes; longer silence than `silence_s` counts against it."""
        if self.fraction == 0.0:
            elapsed_s = now - self.begun_at
            return typical_s - elapsed_s if elapsed_s < typical_s else elapsed_s
        silent_s = now - self.told_at
        told_s = self.told_at - self.begun_at + (silent_s if silent_s > silence_s else 0.0)
        left_s = told_s * (1.0 - self.fraction) / self.fraction
        return left_s if silent_s > silence_s else max(0.0, left_s - silent_s)


class Paces:
    """The attempts of one phase that are under way, and how long those took that are done."""

    def __init__(self) -> None:
        self.under_way: dict[Attempt, Pace] = {}
        self._lengths: deque[tuple[str, float]] = deque(maxlen=LENGTHS_KEPT)
        self.seconds: dict[str, float] = {}
        """For how long user code works on a task, by peer: a mean in which the last ones count most."""
        self._lately: dict[str, tuple[float, float]] = {}

    def heard(self, now: Instant, task: int, attempt: Attempt, account: Account) -> None:
        """Take in how far an attempt is."""
        if account.stage > Stage.RUNNING:
            if account.report is not None:
                before_s = self.seconds.get(attempt.peer, account.report.seconds)
                self.seconds[attempt.peer] = before_s + NEWEST_SHARE * (account.report.seconds - before_s)
            ended = self.under_way.pop(attempt, None)
            if ended is not None and account.stage is Stage.DONE:
                length_s = now - ended.begun_at
                self._lengths.append((attempt.peer, length_s))
                _, before_s = self._lately.get(attempt.peer, (0.0, 0.0))
                self._lately[attempt.peer] = (before_s, length_s)
            return
        pace = self.under_way.get(attempt)
        if pace is None:
            pace = self.under_way[attempt] = Pace(task, now)
        if account.stage is Stage.RUNNING and account.fraction == 0.0:
            pace.begun_at = now  # it was claimed ahead, and starts only now
        if account.fraction > pace.fraction:
            pace.fraction, pace.told_at = account.fraction, now

    @property
    def typical_s(self) -> float | None:
        """Tell how long an attempt takes as a rule; None while none is done."""
        return median(length_s for _, length_s in self._lengths) if self._lengths else None

    def typical_of_s(self, peer: str) -> float | None:
        """Tell how long an attempt of one peer takes; None if none of its own is among the last."""
        lengths = [length_s for by, length_s in self._lengths if by == peer]
        return median(lengths) if lengths else None

    def lately_of_s(self, peer: str) -> float | None:
        """Tell how long a peer took at least for each of its last two attempts; None until it has done two."""
        before_s, last_s = self._lately.get(peer, (0.0, 0.0))
        return min(before_s, last_s) or None

    def slow(
        self, now: Instant, settings: SchedulingSettings, silence_s: float
    ) -> Iterator[tuple[Attempt, int, float]]:
        """Give the attempts that a new one would overtake, with their tasks and the seconds that they still take.

        Silence up to `silence_s` is usual, for progress is told only so often.
        One that has not taken longer yet than a whole one does is not judged: its beginning says too little.
        """
        typical_s = self.typical_s
        if typical_s is None:
            return
        bound_s = max(settings.slow_factor * typical_s, typical_s + settings.speculation_gain_min_s)
        for attempt, pace in self.under_way.items():
            if now - pace.begun_at > typical_s:
                left_s = pace.left_s(now, typical_s, silence_s)
                if left_s >= bound_s:
                    yield attempt, pace.task, left_s
