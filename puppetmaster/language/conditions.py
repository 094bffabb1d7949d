"""State and read what `ASSERT` can demand of a cluster and its jobs.

    condition  = "JOB" job state
               | "OUTPUTS" "JOB" job "EQUAL" "SEQUENTIAL"
               | "TRACKER" "JOB" job ( "=" | "!=" ) id
               | "ALIVE" comparison count
               | "TIME" [ "JOB" job ] comparison time
               | measure "JOB" job comparison count
    measure    = "EPOCH" | "REDONE" | "DUPLICATES" | "SPECULATIVE" | "ATTEMPTS"
    job        = number of the SUBMIT, counted from 1 | "@"      ; "@" is the newest
    state      = a state of `murmur status`, as "done", "failed" or "running-map"
    comparison = "=" | "==" | "!=" | "<" | "<=" | ">" | ">="

Words fold case, and blanks round a comparison may be missing. A condition is decided at once, when the script comes to
it: `JOIN-JOBS` before it waits for jobs.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ...ring.errors import CallerError
from ...scheduling.jobs import JobState
from .fields import parse_id, parse_job, parse_number, parse_seconds


class Measure(Enum):
    """A figure of a job or the cluster that a script can compare."""

    ALIVE = "ALIVE"
    """Peers that the members hold for alive."""
    TIME = "TIME"
    """Seconds from the submission of the job to its end, or to this moment; without a job, since the script began."""
    EPOCH = "EPOCH"
    """Epoch of the job's tracker: 1 for the first, and one more for each takeover."""
    REDONE = "REDONE"
    """Splits that were done again after they had been committed."""
    DUPLICATES = "DUPLICATES"
    """Attempts at tasks that another attempt finished."""
    SPECULATIVE = "SPECULATIVE"
    """Speculative attempts."""
    ATTEMPTS = "ATTEMPTS"
    """All attempts."""


_OF_CLUSTER: Final = frozenset({Measure.ALIVE, Measure.TIME})
_OF_JOB: Final = frozenset(Measure) - {Measure.ALIVE}


class Comparison(Enum):
    """How two figures must stand to each other."""

    EQUAL = "="
    UNEQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="

    def holds(self, found: float, wanted: float) -> bool:
        """Compare what was found with what the script wants."""
        return _OPERATORS[self](found, wanted)


_OPERATORS: Final[dict[Comparison, Callable[[float, float], bool]]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.UNEQUAL: operator.ne,
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIs:
    """The job, by its number or `NEWEST`, is in that state."""

    job: int
    state: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputsEqualSequential:
    """The job's output files hold what a sequential run of the same program over the same input gives."""

    job: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerIs:
    """The peer of that id tracks the job; with `expected` false, another one does."""

    job: int
    id: str
    expected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure compares so with `amount`: seconds for `TIME`, else a count; `job` is None for one of the cluster."""

    measure: Measure
    job: int | None
    comparison: Comparison
    amount: float

    def holds(self, found: float) -> bool:
        """Decide the condition by the figure that was found."""
        return self.comparison.holds(found, self.amount)


Condition = JobIs | OutputsEqualSequential | TrackerIs | Measured

_TOKEN: Final = re.compile(r"[<>=!]+|[^\s<>=!]+")
_STATES: Final = {state.title.upper(): state for state in JobState}


def parse_condition(text: str) -> Condition:
    """Read what stands after `ASSERT`.

    Raises:
        CallerError: it is no condition of the grammar above.
    """
    words = _TOKEN.findall(text)
    match [word.upper() for word in words]:
        case ["JOB", job, state]:
            return JobIs(job=parse_job(job), state=_parse_state(state))
        case ["OUTPUTS", "JOB", job, "EQUAL", "SEQUENTIAL"]:
            return OutputsEqualSequential(job=parse_job(job))
        case ["TRACKER", "JOB", job, ("=" | "==" | "!=") as sign, _]:
            return TrackerIs(job=parse_job(job), id=parse_id(words[-1]), expected=sign != "!=")
        case [measure, "JOB", job, sign, amount] if measure in Measure.__members__:
            return _parse_measured(Measure(measure), parse_job(job), sign, amount)
        case [measure, sign, amount] if measure in Measure.__members__:
            return _parse_measured(Measure(measure), None, sign, amount)
        case _:
            raise CallerError("no such condition; write one as JOB 1 done, EPOCH JOB 1 >= 2, ALIVE = 4 or TIME < 30s")


def _parse_state(word: str) -> JobState:
    if word not in _STATES:
        raise CallerError(f"{word.lower()!r} is no state of a job; write {', '.join(_STATES).lower()}")
    return _STATES[word]


def _parse_measured(measure: Measure, job: int | None, sign: str, amount: str) -> Measured:
    if measure not in (_OF_CLUSTER if job is None else _OF_JOB):
        raise CallerError(f"{measure.value} is {'of a job: add JOB N' if job is None else 'of the cluster: drop JOB'}")
    comparison = "=" if sign == "==" else sign
    if comparison not in {member.value for member in Comparison}:
        raise CallerError(f"{sign!r} compares nothing; write =, !=, <, <=, > or >=")
    wanted = parse_seconds(amount) if measure is Measure.TIME else float(parse_number(amount))
    return Measured(measure=measure, job=job, comparison=Comparison(comparison), amount=wanted)
