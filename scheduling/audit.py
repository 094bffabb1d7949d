"""Assert what must hold between any two events of the scheduling machine."""

from ..ring.errors import InvariantBroken
from .claims.board import active_attempts, standing_attempts
from .desk import Desk
from .jobs import Phase
from .messages import Stage
from .replica.job import Job

TASKS_MAX = 32
"""Tasks of each phase that one look takes up; the next look goes on behind them. A board that is wrong stays wrong, so
a job of many tasks need not be gone through after every event."""


class Audit:
    """Goes through one peer's scheduling half again and again, a bounded piece at each look."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looks = 0

    def look(self) -> None:
        """Assert all invariants, those of tasks for some of them.

        Raises:
            InvariantBroken: one does not hold; the message ends with the job's story.
        """
        slots = self._desk.slots
        if not 0 <= slots.free <= slots.capacity:
            raise InvariantBroken(f"{len(slots.running)} attempts under way for {slots.capacity} slots")
        for job in self._desk.jobs.values():
            self._look_at(job)
        self._looks += 1

    def _look_at(self, job: Job) -> None:
        _expect(job, (job.epoch == 0) == (job.tracker == "0" * 32), "a job has a tracker from its first epoch on")
        _expect(job, job.live == (job.ended_at is None), "a job has a time of ending once it has ended")
        self._look_at_attempts(job)
        if job.live:
            has_opened = job.seal is None or job.boards[Phase.REDUCE].opened_at is not None
            _expect(job, has_opened, "a seal opens the reduce phase")
            for phase in Phase:
                self._look_at_board(job, phase)

    def _look_at_attempts(self, job: Job) -> None:
        mine = self._desk.slots.of_job(job.id)
        _expect(job, job.live or not mine, "an ended job has no attempts under way")
        _expect(job, not (job.killed and mine), "a killed job has no attempts under way")
        for running in mine:
            account = job.table.account(running.phase, running.task, running.attempt)
            if account is None or account.stage > Stage.RUNNING:
                raise _broken(job, f"attempt {running.attempt.title} is under way as its claim says")
            if running.task in job.boards[running.phase].results:
                raise _broken(job, f"attempt {running.attempt.title} is at a task that is not done yet")

    def _look_at_board(self, job: Job, phase: Phase) -> None:
        board, flock = job.boards[phase], self._desk.flock
        tasks = len(board.cells)
        begin = self._looks * TASKS_MAX % tasks if tasks > TASKS_MAX else 0
        for task in range(begin, min(begin + TASKS_MAX, tasks)):
            row = job.table.row(phase, task)
            is_done = bool(standing_attempts(row, job.sealed(phase, task)))
            is_open = not is_done and not active_attempts(row, flock)
            if (task in board.results) is not is_done:
                raise _broken(job, f"the board knows whether {phase.name} {task} is done")
            if (task in board.openings) is not is_open:
                raise _broken(job, f"the board knows whether {phase.name} {task} is open")


def _expect(job: Job, holds: bool, rule: str) -> None:  # noqa: FBT001 -- the condition is what is asserted
    if not holds:
        raise _broken(job, rule)


def _broken(job: Job, rule: str) -> InvariantBroken:
    story = "; ".join(event.text for event in job.events)
    return InvariantBroken(f"job {job.id}: {rule}; story: {story}")
