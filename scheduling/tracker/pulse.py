"""Let the tracker role of a job show that it is at work, and notice when it is not though its peer lives.

    every 0.5 s        tracker ── JobNews, brief ──> all others
    after 1.5 s        a peer that has not heard it asks it, every 0.5 s; the role answers with a brief JobNews
    after 3 s          silent: the next successor takes the role at a higher epoch, which fences the old one

Membership sees processes, and a process may answer every probe while its tracker role stands still. Only what the role
itself says at its present epoch counts; what others say of it does not. The patience spans six beats and three
questions, so that a network which loses every fifth message and delays the rest by half a second moves no role.
"""

from ...ring.terms import PeerId
from ..desk import Desk
from ..messages import JobNews
from ..replica.job import Job


class Pulse:
    """What this peer says and hears of the tracker roles."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def beat(self, job: Job) -> None:
        """Tell all others that this peer is at work as the tracker."""
        for peer in self._desk.flock.others:
            self._desk.tell(peer, job.pulse())

    def heard(self, job: Job, sender: PeerId, news: JobNews) -> None:
        """Take in that the tracker itself has spoken."""
        if sender == job.tracker == news.tracker and news.epoch == job.epoch:
            job.tracker_heard_at = self._desk.now

    def look(self, job: Job) -> None:
        """Ask a tracker that has not been heard for long; called at each regular look after the job."""
        desk = self._desk
        if self._has_slept(job):
            job.tracker_heard_at = desk.now
        is_due = desk.now >= job.tracker_heard_at + desk.settings.silence_patience_s / 2
        if is_due and job.live and job.tracker != desk.me and desk.flock.alive(job.tracker):
            desk.tell(job.tracker, job.pulse())

    def is_silent(self, job: Job) -> bool:
        """Tell whether the tracker of a job has not been heard for too long; who has slept itself does not judge."""
        patience_s = self._desk.settings.silence_patience_s
        return self._desk.now >= job.tracker_heard_at + patience_s and not self._has_slept(job)

    def _has_slept(self, job: Job) -> bool:
        return self._desk.now > job.tracked_at + 2 * self._desk.settings.track_interval_s
