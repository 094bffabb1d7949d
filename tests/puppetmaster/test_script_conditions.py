"""What `ASSERT` demands is read as values that decide themselves by what was found."""

import pytest

from murmuration.puppetmaster.language.conditions import (
    Comparison,
    JobIs,
    Measure,
    Measured,
    OutputsEqualSequential,
    TrackerIs,
    parse_condition,
)
from murmuration.puppetmaster.language.fields import NEWEST
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import JobState


def measured(measure: Measure, comparison: Comparison, amount: float, job: int | None = None) -> Measured:
    return Measured(measure=measure, job=job, comparison=comparison, amount=amount)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("JOB 1 done", JobIs(job=1, state=JobState.DONE)),
        ("job @ FAILED", JobIs(job=NEWEST, state=JobState.FAILED)),
        ("JOB 2 running-map", JobIs(job=2, state=JobState.RUNNING_MAP)),
        ("OUTPUTS JOB 1 EQUAL SEQUENTIAL", OutputsEqualSequential(job=1)),
        ("TRACKER JOB 1 = W2", TrackerIs(job=1, id="W2", expected=True)),
        ("tracker job @ != W2", TrackerIs(job=NEWEST, id="W2", expected=False)),
        ("ALIVE = 4", measured(Measure.ALIVE, Comparison.EQUAL, 4)),
        ("ALIVE==4", measured(Measure.ALIVE, Comparison.EQUAL, 4)),
        ("EPOCH JOB 1 >= 2", measured(Measure.EPOCH, Comparison.AT_LEAST, 2, job=1)),
        ("REDONE JOB 1 = 0", measured(Measure.REDONE, Comparison.EQUAL, 0, job=1)),
        ("duplicates job 1<3", measured(Measure.DUPLICATES, Comparison.BELOW, 3, job=1)),
        ("SPECULATIVE JOB @ != 0", measured(Measure.SPECULATIVE, Comparison.UNEQUAL, 0, job=NEWEST)),
        ("ATTEMPTS JOB 1 > 15", measured(Measure.ATTEMPTS, Comparison.ABOVE, 15, job=1)),
        ("TIME < 30s", measured(Measure.TIME, Comparison.BELOW, 30)),
        ("TIME JOB 1 <= 250ms", measured(Measure.TIME, Comparison.AT_MOST, 0.25, job=1)),
    ],
)
def test_condition_is_read(text, condition):
    assert parse_condition(text) == condition


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no such condition"),
        ("JOB 1", "no such condition"),
        ("JOB 1 happy", "'happy' is no state of a job"),
        ("JOB x done", "no whole number"),
        ("JOB 0 done", "no whole number"),
        ("WEATHER = 4", "no such condition"),
        ("EPOCH >= 2", "EPOCH is of a job: add JOB N"),
        ("ALIVE JOB 1 = 2", "ALIVE is of the cluster: drop JOB"),
        ("ALIVE = 4s", "no whole number"),
        ("ALIVE => 4", "'=>' compares nothing"),
        ("TIME < soon", "not a time"),
        ("TRACKER JOB 1 < W2", "no such condition"),
        ("TRACKER JOB 1 = a/b", "is no id"),
        ("OUTPUTS JOB 1 EQUAL OTHERS", "no such condition"),
    ],
)
def test_condition_that_makes_no_sense_says_why(text, reason):
    with pytest.raises(CallerError, match=reason):
        parse_condition(text)


@pytest.mark.parametrize(
    ("sign", "verdicts"),
    [
        ("=", (False, True, False)),
        ("!=", (True, False, True)),
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
        (">", (False, False, True)),
        (">=", (False, True, True)),
    ],
)
def test_condition_compares_what_was_found_with_what_is_wanted(sign, verdicts):
    condition = parse_condition(f"ALIVE {sign} 4")
    assert tuple(condition.holds(found) for found in (3, 4, 5)) == verdicts
