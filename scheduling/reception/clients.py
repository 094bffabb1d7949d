"""Kill jobs whose clients are gone, where users want that: the electorate decides who is gone, as it does all else.

    client ── status? ──> any peer ── ClientNews, watched ──> all voters
    each voter: nothing for `client_patience_s` ── ClientNews, not watched, every 0.5 s ──> tracker
    tracker: a majority of the voters misses the client at the same time ──> the job is killed

A tracker that is cut off hears of no client, but of no voters either: so it kills nothing, then or after the heal.
"""

from ...ring.terms import Instant, PeerId
from ..desk import Desk
from ..messages import ClientNews
from ..replica.job import Job

TOLD_EVERY_S = 1.0
"""A view asks many times a second; the voters need not hear of each time."""

NEVER = Instant(float("-inf"))


class Clients:
    """Who has heard of the clients of jobs that are not to outlive them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told_at: dict[str, Instant] = {}
        self._missed_at: dict[str, dict[str, Instant]] = {}
        """When which voters have last said that they miss the client, for jobs that this peer tracks."""

    def asked(self, name: str) -> None:
        """Take in that a client has asked for a job's status here."""
        job = self._desk.jobs.get(name)
        if job is None or not _depends(job) or self._desk.now < self._told_at.get(name, NEVER) + TOLD_EVERY_S:
            return
        self._told_at[name] = self._desk.now
        for voter in job.record.electorate:
            if voter == self._desk.me:
                job.client_seen_at = self._desk.now
            else:
                self._desk.tell(PeerId(voter), ClientNews(job.id, watched=True))

    def heard(self, sender: PeerId, news: ClientNews) -> None:
        """Take in what another peer knows of a job's client."""
        job = self._desk.jobs.get(news.job)
        if job is None or not _depends(job):
            return
        if news.watched:
            job.client_seen_at = self._desk.now
        elif sender in job.record.electorate:
            self._missed_at.setdefault(job.id, {})[sender] = self._desk.now

    def look(self, job: Job) -> None:
        """Tell the tracker if the client is missed here; as the tracker, kill the job if most voters miss it."""
        desk = self._desk
        if not _depends(job):
            return
        if desk.now > job.tracked_at + 2 * desk.settings.track_interval_s:
            job.client_seen_at = desk.now  # who has slept cannot know
        is_missed = desk.now >= job.client_seen_at + job.record.spec.client_patience_s
        if is_missed and desk.me in job.record.electorate:
            if job.tracker == desk.me:
                self._missed_at.setdefault(job.id, {})[desk.me] = desk.now
            elif desk.flock.alive(job.tracker):
                desk.tell(job.tracker, ClientNews(job.id, watched=False))
        if job.tracker == desk.me and self._is_gone(job):
            job.tell(desk.now, f"killed: no client has watched it for {job.record.spec.client_patience_s:g} s")
            job.adopt_kill(desk.now)
            desk.touch(job)
            desk.publish(job)

    def _is_gone(self, job: Job) -> bool:
        since = self._desk.now - 2 * self._desk.settings.track_interval_s
        missed_by = sum(at >= since for at in self._missed_at.get(job.id, {}).values())
        return 2 * missed_by > len(job.record.electorate)

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        self._told_at.pop(job, None)
        self._missed_at.pop(job, None)


def _depends(job: Job) -> bool:
    """Tell whether a job is to be killed when its client is gone."""
    return job.live and not job.killed and job.record.spec.client_patience_s > 0
