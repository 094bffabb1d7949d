"""Carry out kills: at once where the job is known, else as soon as its record has been found in the ring.

Everybody is told at once, and stops. The kill is acknowledged when the job's end is decided, and so not before it
outlives all who know of it.
"""

from dataclasses import dataclass

from ...ring.terms import Instant
from ..desk import Desk
from ..effects import Answer, JobAccepted, JobRefused, JobUnknown, SchedulingAnswer
from ..events import AnswerDue, KillRequested
from ..replica.job import Job
from .intake import Intake

UNDECIDED = "all peers in reach are told to stop it, but too few of those that decide its end answer; kill it again"
TOO_MANY = "more kills wait here than may: kill it again in a while, or at another peer"


@dataclass(frozen=True, slots=True)
class _Parked:
    job: str
    patience_ends: Instant


class Kills:
    """The kills that wait for their job to be found, or for its end."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
        self._desk = desk
        self._intake = intake
        self._parked: dict[str, _Parked] = {}

    def asked(self, event: KillRequested) -> None:
        """Take a kill, and look for its job if it is not known; `carry_out` does the rest."""
        settings = self._desk.settings
        if len(self._parked) >= settings.answers_parked_max:
            self._desk.emit(Answer(request=event.request, answer=JobRefused(reason=TOO_MANY)))
            return
        patience_s = settings.kill_patience_s
        if event.job not in self._desk.jobs:
            patience_s = settings.find_patience_s
            self._intake.sought(event.job, patience_s)
        self._park(event.request, event.job, patience_s)

    def carry_out(self) -> None:
        """Kill what is known now, and answer where the end is decided or patience is over; called for every event."""
        for request, parked in list(self._parked.items()):
            job = self._desk.jobs.get(parked.job)
            is_late = self._desk.now >= parked.patience_ends
            if job is None:
                if is_late or not self._intake.expects(parked.job):
                    self._answer(request, JobUnknown())
            elif not job.live:
                self._answer(request, JobAccepted(job=job.id))
            elif is_late and job.killed:
                self._answer(request, JobRefused(reason=f"job {job.id} is not known to be killed: {UNDECIDED}"))
            elif not job.killed:
                self._kill(job)
                self._park(request, job.id, self._desk.settings.kill_patience_s)

    def _kill(self, job: Job) -> None:
        job.adopt_kill(self._desk.now)
        self._desk.touch(job)
        self._desk.publish(job)

    def _park(self, request: str, job: str, patience_s: float) -> None:
        self._parked[request] = _Parked(job, Instant(self._desk.now + patience_s))
        self._desk.wake(patience_s, AnswerDue(request=request))

    def _answer(self, request: str, answer: SchedulingAnswer) -> None:
        del self._parked[request]
        self._desk.emit(Answer(request=request, answer=answer))
