"""Say who tracks a job: whose vote decides it, who succeeds whom, and when a tracker counts as gone."""

from collections.abc import Sequence

from ...ring.facts import Liveness
from ...ring.terms import PeerId
from ..flock import Flock
from ..jobs import JobRecord, job_key
from ..replica.job import NOBODY, Job


def electorate_of(job: str, flock: Flock, most: int) -> tuple[PeerId, ...]:
    """Choose the peers whose majority will decide a job, an odd number of them: the best homes of its key.

    One more than an odd number could only be missed: it survives no more deaths, and there is one more to die.

    Who joins just now is let in where that lets the job survive one more death: a cluster that was started a moment ago
    may have few homes yet, and the electorate stays as it is. Members that are believed dead are let in only as far as
    those in touch are a majority without them: so the job can be decided now, and survives more deaths once they are
    back. Who leaves comes last, for it has to wait until the job has ended.
    """
    members = sorted(flock.preference(job_key(job)), key=flock.leaves)  # stable: those who stay, best first
    reachable = [peer for peer in members if flock.liveness(peer) <= Liveness.SUSPECT][:most]
    reachable += flock.newcomers(job_key(job))[: most - len(reachable)]
    absent = [peer for peer in members if peer not in reachable and flock.liveness(peer) is Liveness.DEAD]
    found = (*reachable, *absent[: max(0, min(most, 2 * len(reachable) - 1) - len(reachable))])
    return found[: len(found) - (len(found) + 1) % 2]


def succession(record: JobRecord, flock: Flock) -> tuple[PeerId, ...]:
    """List the live peers in the order in which they take the role: the electorate, then all by placement."""
    order = dict.fromkeys((*record.electorate, *flock.preference(job_key(record.id))))
    return tuple(PeerId(peer) for peer in order if flock.alive(peer))


def is_present(job: Job, flock: Flock) -> bool:
    """Tell whether the process that took the role is believed alive.

    A tracker that restarted has lost its replica and does not know that it ever was one.
    """
    if job.tracker == NOBODY or not flock.alive(job.tracker):
        return False
    if job.tracker_start < 0:
        job.tracker_start = flock.start_of(job.tracker)
    return flock.start_of(job.tracker) == job.tracker_start


def is_unmet(job: Job, flock: Flock) -> bool:
    """Tell whether nothing is known of the tracker's process but what the disk remembers from before this start.

    That says nothing of whether it lives: only the role's own silence counts until the two have met.
    """
    return job.tracker_start < 0 and flock.liveness(job.tracker) is Liveness.SUSPECT


def patience_s(rank: int, epoch: int, *, announcement_s: float, takeover_s: float) -> float:
    """Tell how long the successor of that rank waits once the tracker is gone, or was never announced (epoch 0)."""
    return rank * takeover_s + (announcement_s if epoch == 0 else 0.0)


def reachable_of(electorate: Sequence[str], flock: Flock) -> int:
    """Count the voters believed alive."""
    return sum(flock.alive(peer) for peer in electorate)
