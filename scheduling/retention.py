"""Give up, some time after a job's end, what is no longer needed of it."""

from .desk import Desk
from .effects import ForgetJob
from .reception.view import status_of
from .replica.job import Job


class Retention:
    """What is kept of ended jobs: first everything, then the last status, then nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def next_look_s(self, job: Job) -> float:
        """Tell after how long a job needs to be looked after again."""
        interval_s = self._desk.settings.track_interval_s
        if job.ended_at is None:
            return interval_s
        return max(interval_s, job.ended_at + self._desk.settings.retention_s - self._desk.now)

    def look(self, job: Job) -> list[str]:
        """Give up what is due of an ended job; name the jobs that have been let go."""
        if job.live or job.retired is not None or job.ended_at is None:
            return []
        if self._desk.now < job.ended_at + self._desk.settings.retention_s:
            return []
        job.retire(status_of(job, self._desk))
        self._desk.backoffs.forget(job.id)
        self._desk.emit(ForgetJob(job=job.id))
        return [job.id, *self._drop_oldest()]

    def _drop_oldest(self) -> list[str]:
        retired = [job.id for job in self._desk.jobs.values() if job.retired is not None]
        dropped = retired[: max(0, len(retired) - self._desk.settings.ended_jobs_max)]
        for job in dropped:
            del self._desk.jobs[job]
        return dropped
