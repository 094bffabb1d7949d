"""Answer who asks for a job's status: at once when there is news, but no faster than a view can draw."""

from dataclasses import dataclass

from ...ring.terms import Instant
from ..desk import Desk
from ..effects import Answer, JobSeen, JobsSeen, JobUnknown, WakeSchedulingAt
from ..events import AnswerDue, StatusRequested
from ..replica.job import Job
from ..tracker.tracking import Tracking
from .intake import Intake
from .view import brief, status_of


@dataclass(slots=True)
class _Parked:
    job: str
    seen: int
    patience_ends: Instant
    wakes_at: Instant


class Watchers:
    """The status requests that wait for something to happen."""

    def __init__(self, desk: Desk, intake: Intake, tracking: Tracking) -> None:
        self._desk = desk
        self._intake = intake
        self._tracking = tracking
        self._parked: dict[str, _Parked] = {}
        self._answered: dict[str, Instant] = {}
        """When each job's status was last given."""

    def asked(self, event: StatusRequested) -> None:
        """Park a request; `answer` finds out whether it can be answered at once.

        A job that is not known here is looked for in the ring: that all processes have died must not make it unknown.
        """
        if len(self._parked) >= self._desk.settings.answers_parked_max:
            self._reply(event.request, self._desk.jobs.get(event.job))
            return
        patience_s = event.patience_s
        job = self._desk.jobs.get(event.job)
        if job is not None and job.live and job.epoch == 0:
            self._tracking.inquire(job)
        elif job is None:
            patience_s = max(patience_s, self._desk.settings.find_patience_s)
            self._intake.sought(event.job, patience_s)
        ends = Instant(self._desk.now + patience_s)
        self._parked[event.request] = _Parked(event.job, event.seen, ends, ends)
        self._desk.emit(WakeSchedulingAt(at=ends, event=AnswerDue(request=event.request)))

    def asked_for_all(self, request: str) -> None:
        """Answer with every job known here, newest first."""
        statuses = tuple(brief(status_of(job, self._desk)) for job in reversed(self._desk.jobs.values()))
        self._desk.emit(Answer(request=request, answer=JobsSeen(statuses=statuses)))

    def answer(self) -> None:
        """Answer all parked requests that are due now."""
        if not self._parked:
            return
        due = [request for request, parked in self._parked.items() if self._due(parked) <= self._desk.now]
        for request in due:
            self._reply(request, self._desk.jobs.get(self._parked.pop(request).job))
        for request, parked in self._parked.items():
            self._wake(request, parked)

    def _due(self, parked: _Parked) -> Instant:
        job = self._desk.jobs.get(parked.job)
        if job is None:
            return parked.patience_ends if self._intake.expects(parked.job) else self._desk.now
        if not job.live:
            return self._desk.now
        if job.version == parked.seen or self._tracking.inquires(job):
            return parked.patience_ends
        last = self._answered.get(parked.job, Instant(float("-inf")))
        return min(Instant(last + self._desk.settings.answer_interval_s), parked.patience_ends)

    def _wake(self, request: str, parked: _Parked) -> None:
        due = self._due(parked)
        if due < parked.wakes_at:
            parked.wakes_at = due
            self._desk.emit(WakeSchedulingAt(at=due, event=AnswerDue(request=request)))

    def _reply(self, request: str, job: Job | None) -> None:
        if job is None:
            self._desk.emit(Answer(request=request, answer=JobUnknown()))
            return
        self._answered[job.id] = self._desk.now
        self._desk.emit(Answer(request=request, answer=JobSeen(status=status_of(job, self._desk))))

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        self._answered.pop(job, None)
