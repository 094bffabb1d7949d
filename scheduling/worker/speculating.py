"""Choose what an idle peer begins once more elsewhere: the attempt that will hold its job up longest.

Every peer estimates for itself, by the claims that it hears anyway, and asks nobody (`claims/pace`). A task is slow if
it still takes `slow_factor` times as long as a new attempt would, and if that saves something at all. All idle peers
find the same ones; so they take turns at a task by their lots among the idle, as they do at newly open ones.
"""

from collections.abc import Iterator

from ...ring.terms import Instant, PeerId
from ..claims.lots import task_lot
from ..claims.selection import Candidate, Choice, choose, rank_of
from ..desk import Desk
from ..jobs import Phase
from ..messages import Attempt
from ..replica.job import Job

LOOK_MIN_S = 0.1
"""Looking through all attempts under way takes time, and no pace changes faster than progress is told."""


class Speculation:
    """The slow tasks of all jobs, as this peer sees them while it has nothing else to do."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._next_look: dict[tuple[str, Phase], Instant] = {}
        self._slow_since: dict[tuple[str, Phase], dict[int, Instant]] = {}

    def choose(self, job: Job, phase: Phase) -> Choice:
        """Choose a slow task to begin once more, or tell when to look again."""
        now, at = self._desk.now, (job.id, phase)
        next_look = self._next_look.get(at, now)
        if not job.record.spec.speculation or not job.boards[phase].paces.under_way:
            return Choice()
        if next_look > now:
            return Choice(due=next_look)
        choice = choose(now, self._candidates(job, phase))
        soonest = now + self._look_s(job, phase)
        self._next_look[at] = Instant(soonest if choice.due is None else min(soonest, choice.due))
        return choice if choice.tasks else Choice(due=self._next_look[at])

    def _look_s(self, job: Job, phase: Phase) -> float:
        typical_s = job.boards[phase].paces.typical_s or 0.0
        return min(self._desk.settings.track_interval_s, max(LOOK_MIN_S, typical_s / 4))

    def _candidates(self, job: Job, phase: Phase) -> list[Candidate]:
        """List the slow tasks, that which takes longest first, with the time of this peer's turn."""
        now, desk = self._desk.now, self._desk
        before = self._slow_since.get((job.id, phase), {})
        slow = self._slow_tasks(job, phase) if self._may(job, phase) else []
        self._slow_since[job.id, phase] = since = {task: before.get(task, now) for task in slow}
        idle, look_s = self._idle(), self._look_s(job, phase)
        found = []
        for task in slow:
            rank = rank_of(desk.me, task_lot(job.id, phase, task), (), idle)
            # Who is first by lot may look last: the others leave it the time of a look, too.
            wait_s = rank * desk.flock.stagger_s + (look_s if rank else 0.0)
            due = max(since[task] + wait_s, desk.backoffs.until(job.id, phase, task))
            found.append(Candidate(task=task, rank=0, due=Instant(due)))
        return found

    def _may(self, job: Job, phase: Phase) -> bool:
        """Tell whether there is room for one more, and whether this peer would be any faster."""
        board, settings = job.boards[phase], self._desk.settings
        most = max(1, int(settings.speculation_share * len(board.cells)))
        if len(board.speculating) >= most:
            return False
        typical_s, mine_s = board.paces.typical_s, board.paces.typical_of_s(self._desk.me)
        return typical_s is not None and (mine_s is None or mine_s <= settings.slow_factor * typical_s)

    def _slow_tasks(self, job: Job, phase: Phase) -> list[int]:
        flock, board = self._desk.flock, job.boards[phase]
        left: dict[int, float] = {}
        for attempt, task, left_s in slow_attempts(job, phase, self._desk):
            is_taken = task in board.results or task in board.speculating or task in board.openings
            if not is_taken and flock.runs(attempt):
                left[task] = min(left_s, left.get(task, left_s))
        mine = {running.task for running in self._desk.slots.of_job(job.id) if running.phase is phase}
        return sorted(left.keys() - mine, key=lambda task: (-left[task], task))

    def _idle(self) -> list[PeerId]:
        """List the live workers of which no attempt is known, this one included."""
        flock = self._desk.flock
        active = [job.active for job in self._desk.jobs.values() if job.live]
        busy = {at.peer for attempts in active for each in attempts.values() for _, _, at in each if flock.runs(at)}
        return [peer for peer in flock.workers if peer == self._desk.me or peer not in busy]

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        for phase in Phase:
            self._next_look.pop((job, phase), None)
            self._slow_since.pop((job, phase), None)


def slow_attempts(job: Job, phase: Phase, desk: Desk) -> Iterator[tuple[Attempt, int, float]]:
    """Give the attempts that a new one would overtake, with their tasks and the seconds that they still take."""
    return job.boards[phase].paces.slow(desk.now, desk.settings, 2 * desk.flock.progress_interval_s)
