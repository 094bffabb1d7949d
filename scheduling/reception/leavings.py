"""Let go of jobs: of ended ones that a user wants forgotten, and of those whose files an earlier start has left.

A peer that was away when a job ended has not heard that its runs and parts are no longer needed. So at its start it
looks for the records of all jobs whose files it keeps: of one that has ended, it learns that and waits as the others
did; one that the ring is sure to have no record of was removed. While neither is known, the files stay.
"""

from ..desk import Desk
from ..effects import Answer, ForgetJob, JobAccepted, JobRefused
from ..events import DropRequested, LeftoversFound, RecordFound
from .intake import Intake


class Leavings:
    """What is given up at this peer alone."""

    def __init__(self, desk: Desk, intake: Intake) -> None:
        self._desk = desk
        self._intake = intake
        self._left: set[str] = set()
        """Jobs whose files an earlier start has left, and of which nothing is known yet."""

    def asked(self, event: DropRequested) -> str | None:
        """Forget a job, unless it goes on; name it if it was known."""
        job = self._desk.jobs.get(event.job)
        if job is not None and job.live:
            reason = f"job {event.job} is {job.state.title}: end it first, with `murmur kill {event.job}`"
            self._desk.emit(Answer(request=event.request, answer=JobRefused(reason=reason)))
            return None
        self._desk.jobs.pop(event.job, None)
        self._desk.emit(ForgetJob(job=event.job, with_logs=True))
        self._desk.emit(Answer(request=event.request, answer=JobAccepted(job=event.job)))
        return None if job is None else job.id

    def found(self, event: LeftoversFound) -> None:
        """Look for the jobs whose files lie here."""
        self._left |= {job for job in event.jobs if job not in self._desk.jobs}
        for job in sorted(self._left):
            self._intake.sought(job, self._desk.settings.leftovers_patience_s)

    def record_found(self, event: RecordFound) -> None:
        """Take in what the ring has of a job; the files of one that it has no record of are of no use to anybody."""
        if event.job in self._left and (event.value is not None or not event.error):
            self._left.discard(event.job)
            if event.value is None:
                self._desk.emit(ForgetJob(job=event.job))
