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
    """Count the slots that a job has: elsewhere at most so many as a peer has, for short tasks share one."""
    flock, found = desk.flock, desk.slots.held_by(job.id)
    for peer, attempts in job.active.items():
        if peer != desk.me and (running := sum(flock.runs(attempt) for _, _, attempt in attempts)):
            found += min(running, flock.slots_of(peer))
    return found
