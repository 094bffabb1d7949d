"""Find the jobs that the ring has a record of, and take such records away.

A peer has the jobs in mind that it heard of since its start, and no more than some; the records outlive all processes.
How a job ended is one value of a register, which stays when its record goes: a copy of the record that comes back late,
with a peer that was away, would else begin the job anew.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ...node.wire.replies import JobShown, JobsShown, JobTaken, KeyGot, KeyPut, PeersShown
from ...node.wire.requests import DropJob, GetKey, ListJobs, ListPeers, PutKey, WatchJob
from ...ring.errors import CallerError, Unreachable
from ...ring.facts import Liveness, Standing
from ...ring.terms import RECORD_QUORUM, Member
from ...scheduling.jobs import JobState, job_key
from ...scheduling.status import JobStatus
from ..connection import TRIES, Connection

HISTORY_MAX = 1000
"""Records looked up beyond what the answering peer has in mind; one that it has just found may have ended, too."""

PATIENCE_S = 5.0


def jobs_in_mind(connection: Connection) -> tuple[JobStatus, ...]:
    """List the jobs that the answering peer has in mind, the newest first."""
    return connection.ask(ListJobs(), JobsShown).statuses


def all_jobs(connection: Connection, keys: Iterable[bytes]) -> tuple[JobStatus, ...]:
    """List the jobs that the answering peer has in mind and those whose records have these keys, the newest first."""
    found = {status.id: status for status in jobs_in_mind(connection)}
    names = (key.removeprefix(job_key("")).decode() for key in keys)
    unsure = [name for name in names if name not in found or found[name].state is JobState.PLANNING]
    others = [WatchJob(job=name, patience_s=PATIENCE_S) for name in unsure]
    for _, shown in connection.ask_all(others[:HISTORY_MAX], JobShown):
        if shown.status is not None:
            found[shown.status.id] = shown.status
    return tuple(sorted(found.values(), key=lambda status: -status.submitted_at))


def age_s(status: JobStatus) -> float:
    """Tell how many seconds ago a job ended, by the clocks of its submitter and of this machine."""
    return time.time() - status.submitted_at - status.elapsed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A job that was removed; the peers that are `silent` may keep what they have of it until they are started anew."""

    status: JobStatus
    silent: tuple[str, ...]


def check_ended(status: JobStatus) -> None:
    """Refuse to remove a job that goes on.

    Raises:
        CallerError: it does.
    """
    if not status.state.ended:
        raise CallerError(f"job {status.id} is {status.state.title}: end it first, with `murmur kill {status.id}`")


def remove_job(connection: Connection, status: JobStatus) -> Removed:
    """Remove the record of an ended job, and what the living peers keep of it: runs, parts, logs, the memory of it.

    Raises:
        CallerError: the job has not ended.
        WorldError: too few homes of the record answer; nothing was removed.
        Unknown: too few of them have said that it is gone; ask again.
    """
    check_ended(status)
    key = job_key(status.id)
    context = connection.ask(GetKey(key=key, quorum=RECORD_QUORUM), KeyGot, tries=TRIES).context
    connection.ask(PutKey(key=key, value=None, context=context, quorum=RECORD_QUORUM), KeyPut)
    views = connection.ask(ListPeers(), PeersShown).peers
    members = [(view.member, view.liveness) for view in views if view.standing is not Standing.REMOVED]
    silent = [
        member.name
        for member, liveness in members
        if liveness is not Liveness.ALIVE or not _dropped_at(member, status.id)
    ]
    return Removed(status=status, silent=tuple(sorted(silent)))


def _dropped_at(member: Member, job: str) -> bool:
    try:
        with Connection((member.url,), patience_s=PATIENCE_S) as connection:
            connection.ask(DropJob(job=job), JobTaken)
    except Unreachable:
        return False
    return True
