"""Decide the conditions of `ASSERT` on a live cluster: each gives an empty text if it holds, else what was found."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from ...ring.errors import CallerError
from ..language.conditions import Condition, JobIs, Measure, Measured, OutputsEqualSequential, TrackerIs
from ..language.fields import NEWEST
from .applications import Application, list_output, newest_for
from .sequential import Errand, Listing, difference
from .sightings import ask_about, see_members

SEQUENTIAL_PATIENCE_S = 300.0


def find_application(number: int, applications: Sequence[Application]) -> Application:
    """Find a job by its number, or the newest.

    Raises:
        CallerError: none was submitted, or not so many.
    """
    if not applications:
        raise CallerError("no job was submitted yet")
    if number == NEWEST:
        return applications[-1]
    if number > len(applications):
        raise CallerError(f"job {number} was not submitted yet; there are {len(applications)}")
    return applications[number - 1]


def decide(
    condition: Condition, *, applications: Sequence[Application], urls: Mapping[str, str], seconds: float
) -> str:
    """Decide a condition now, with the addresses of the peers that can answer, and the age of the script.

    Raises:
        CallerError: it is about a job that was not submitted, or cannot be decided.
    """
    match condition:
        case JobIs(job=job, state=state):
            found = find_application(job, applications)
            told = f" ({found.error.splitlines()[0]})" if found.ended and found.error else ""
            return "" if found.state is state else f"job {found.number} is {found.state.title}{told}"
        case OutputsEqualSequential(job=job):
            return _compare_outputs(find_application(job, applications), applications, urls)
        case TrackerIs(job=job, id=name, expected=expected):
            tracker = tracker_of(find_application(job, applications), urls)
            return "" if (tracker == name) is expected else f"its tracker is {tracker or 'nobody'}"
        case Measured(measure=measure):
            amount = _measured(condition, applications, urls, seconds)
            return "" if condition.holds(amount) else f"{measure.value} is {round(amount, 3):g}"
        case _:
            assert_never(condition)


def tracker_of(application: Application, urls: Mapping[str, str]) -> str:
    """Name the peer that tracks a job; empty if nobody does, or nobody says."""
    status = application.status
    if status is None:
        return ""
    fresh = None if application.ended else ask_about(status.id, urls)
    return (fresh or status).tracker


def _measured(
    condition: Measured, applications: Sequence[Application], urls: Mapping[str, str], seconds: float
) -> float:
    if condition.measure is Measure.ALIVE:
        return max((len(names) for names in see_members(urls).values()), default=0)
    if condition.job is None:
        return seconds
    application = find_application(condition.job, applications)
    status = application.status
    match condition.measure:
        case Measure.TIME:
            return application.seconds
        case Measure.REDONE:
            return application.redone
        case Measure.EPOCH:
            fresh = None if application.ended or status is None else ask_about(status.id, urls)
            return 0 if status is None else (fresh or status).epoch
        case Measure.DUPLICATES:
            return 0 if status is None else status.duplicates
        case Measure.SPECULATIVE:
            return 0 if status is None else status.speculative
        case Measure.ATTEMPTS:
            return 0 if status is None else status.attempts
        case _:
            assert_never(condition.measure)


def _compare_outputs(application: Application, applications: Sequence[Application], urls: Mapping[str, str]) -> str:
    """Compare what a job left at its end, and what is there now unless a later job has written there."""
    if application.listing is None or application.record is None:
        return f"job {application.number} is {application.state.title} and has no output yet"
    path, output = application.request.path, application.request.output
    if application.record.files[0].source is None:
        raise CallerError(f"the input {path} is not a file of this machine, so it cannot be read sequentially")
    expected = expected_listing(Errand(record=application.record, path=path))
    found = difference(application.listing, expected)
    if found or newest_for(applications, output) is not application:
        return found
    late = difference(list_output(output, tuple(urls.values())), expected)
    return late and f"it was right when the job ended, and now {late}"


def expected_listing(errand: Errand) -> Listing:
    """Have a process of its own run the job sequentially.

    Raises:
        CallerError: it cannot: the message holds what it said last.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "murmuration.puppetmaster.live.sequential"],
        input=msgspec.msgpack.encode(errand),
        capture_output=True,
        timeout=SEQUENTIAL_PATIENCE_S,
        check=False,
    )
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        raise CallerError(f"the sequential run fails: {said[-1] if said else f'it ended with {ran.returncode}'}")
    return msgspec.msgpack.decode(ran.stdout, type=Listing)
