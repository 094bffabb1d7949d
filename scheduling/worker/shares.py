"""Share the slots out among jobs: who has least for its weight is served next (max-min fairness).

No peer asks another: what each job has is counted from the claims under way, which all peers hear. A job that has no
open task takes nothing, so that its share goes to the others; nothing that runs is taken from a job.
"""

from ..desk import Desk
from ..replica.job import Job


def by_need(desk: Desk) -> list[Job]:
    """List the jobs with tasks to claim: that first whose attempts under way are fewest for its priority."""
    jobs = [job for job in desk.jobs.values() if job.claimable()]
    if len(jobs) > 1:
        jobs.sort(key=lambda job: _under_way(job, desk) / job.record.spec.priority)  # stable: of equals the oldest
    return jobs


def _under_way(job: Job, desk: Desk) -> int:
    return sum(desk.flock.runs(attempt) for attempts in job.active.values() for _, _, attempt in attempts)
