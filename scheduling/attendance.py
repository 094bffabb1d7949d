"""Draw the consequences when a peer comes, falls under suspicion, goes or restarts."""

from ..ring.facts import Liveness, Update
from ..ring.terms import PeerId
from .desk import Desk
from .replica.job import Job, task_title
from .tracker.tracking import Tracking

_WORDS = {
    Liveness.ALIVE: "is back",
    Liveness.SUSPECT: "is suspected",
    Liveness.DEAD: "is dead",
    Liveness.LEFT: "has left",
}

TASKS_NAMED_MAX = 8


class Attendance:
    """What the jobs here make of the members' comings and goings."""

    def __init__(self, desk: Desk, tracking: Tracking) -> None:
        self._desk = desk
        self._tracking = tracking

    def seen(self, update: Update) -> None:
        """Take in a belief about a member."""
        desk = self._desk
        peer = PeerId(update.member.id)
        known, before = desk.flock.start_of(peer) >= 0, desk.flock.liveness(peer)
        turned = desk.flock.learn(update)
        if peer == desk.me:
            return
        desk.touch_live()
        for job in desk.jobs.values():
            if job.live and known and before is not update.liveness:
                job.tell(desk.now, f"{update.member.name} {_WORDS[update.liveness]}{_under_way(job, peer)}")
            if job.live and turned:
                job.refresh_peer(desk.now, peer, desk.flock)
        if turned and update.liveness is Liveness.ALIVE:
            self._tracking.welcome(peer)


def _under_way(job: Job, peer: PeerId) -> str:
    tasks = sorted({(phase, task) for phase, task, _ in job.active[peer]})
    if not tasks:
        return ""
    named = ", ".join(task_title(phase, task) for phase, task in tasks[:TASKS_NAMED_MAX])
    return f" with {named}{' and more' if len(tasks) > TASKS_NAMED_MAX else ''} under way"
