"""Carry out kills: at once where the job is known, else as soon as its record has been found in the ring."""

from dataclasses import dataclass

from ...ring.terms import Instant
from ..desk import Desk
from ..effects import Answer, JobAccepted, JobUnknown
from ..events import AnswerDue, KillRequested
from ..replica.job import Job
from .intake import Intake


@dataclass(frozen=True, slots=True)
class _Parked:
    job: str
    patience_ends: Instant


class Kills:
    """The kills that wait for their job to be found."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
        self._desk = desk
        self._intake = intake
        self._parked: dict[str, _Parked] = {}

    def asked(self, event: KillRequested) -> None:
        """Take a kill, and look for its job if it is not known; `carry_out` does the rest."""
        patience_s = self._desk.settings.find_patience_s
        self._parked[event.request] = _Parked(event.job, Instant(self._desk.now + patience_s))
        if event.job not in self._desk.jobs:
            self._intake.sought(event.job, patience_s)
            self._desk.wake(patience_s, AnswerDue(request=event.request))

    def carry_out(self) -> None:
        """Kill what is known now, and give up what was not found; called for every event."""
        for request, parked in list(self._parked.items()):
            job = self._desk.jobs.get(parked.job)
            if job is not None:
                del self._parked[request]
                self._kill(job, request)
            elif self._desk.now >= parked.patience_ends or not self._intake.expects(parked.job):
                del self._parked[request]
                self._desk.emit(Answer(request=request, answer=JobUnknown()))

    def _kill(self, job: Job, request: str) -> None:
        if job.adopt_kill(self._desk.now):
            self._desk.touch(job)
            self._desk.publish(job)
        self._desk.emit(Answer(request=request, answer=JobAccepted(job=job.id)))
