"""Leave a job's last open tasks to faster peers: who would end after all others are through makes the job longer.

A slow peer hears from the claims how many attempts others have under way, and how long one takes as a rule.
If they will be through with all open tasks before it could end one, it takes none. It asks nobody, so it may be wrong
about the others: it waits no longer than it would have worked itself.
"""

from ...ring.terms import Instant
from ..desk import Desk
from ..jobs import Phase
from ..replica.job import Job


class Yielding:
    """Since when this peer leaves the open tasks of which jobs to others."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._since: dict[tuple[str, Phase], Instant] = {}

    def until(self, job: Job, phase: Phase) -> Instant | None:
        """Tell when to look again at a phase that others end sooner alone; None if this peer should take its share."""
        mine_s = self._needed_s(job, phase)
        gain_s = self._desk.settings.speculation_gain_min_s
        if mine_s is None or mine_s <= self._others_need_s(job, phase) + gain_s:
            self._since.pop((job.id, phase), None)
            return None
        now, typical_s = self._desk.now, job.boards[phase].paces.typical_s or 0.0
        latest = self._since.setdefault((job.id, phase), now) + mine_s
        return Instant(min(latest, now + typical_s)) if now < latest else None

    def _needed_s(self, job: Job, phase: Phase) -> float | None:
        """Tell how long this peer would take for a task, if it is slow at all."""
        paces = job.boards[phase].paces
        mine_s, typical_s = paces.lately_of_s(self._desk.me), paces.typical_s
        is_slow = mine_s is not None and typical_s is not None and mine_s > self._desk.settings.slow_factor * typical_s
        return mine_s if is_slow else None

    def _others_need_s(self, job: Job, phase: Phase) -> float:
        """Estimate when the others would be through with all open tasks, if this peer took none."""
        board, desk = job.boards[phase], self._desk
        at_work = sum(attempt.peer != desk.me and desk.flock.runs(attempt) for attempt in board.paces.under_way)
        typical_s = board.paces.typical_s or 0.0
        return typical_s * (1 + len(board.openings) / at_work) if at_work else float("inf")

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        for phase in Phase:
            self._since.pop((job, phase), None)
