"""Assert what must hold between any two events of the scheduling machine."""

from ..ring.errors import InvariantBroken
from .board import active_attempts, standing_attempts
from .desk import Desk
from .job import Job
from .jobs import Phase
from .messages import Stage


def audit(desk: Desk) -> None:
    """Assert all invariants of one peer's scheduling half.

    Raises:
        InvariantBroken: one does not hold; the message ends with the job's story.
    """
    capacity = desk.slots.capacity
    if not 0 <= desk.slots.free <= capacity:
        raise InvariantBroken(f"{len(desk.slots.running)} attempts under way for {capacity} slots")
    for job in desk.jobs.values():
        _audit_attempts(desk, job)
        _expect(job, (job.epoch == 0) == (job.tracker == "0" * 32), "a job has a tracker from its first epoch on")
        _expect(job, job.live == (job.ended_at is None), "a job has a time of ending once it has ended")
        if job.live:
            _audit_boards(desk, job)


def _expect(job: Job, holds: bool, rule: str) -> None:  # noqa: FBT001 -- the condition is what is asserted
    if not holds:
        story = "; ".join(event.text for event in job.events)
        raise InvariantBroken(f"job {job.id}: {rule}; story: {story}")


def _audit_attempts(desk: Desk, job: Job) -> None:
    mine = desk.slots.of_job(job.id)
    _expect(job, job.live or not mine, "an ended job has no attempts under way")
    _expect(job, not (job.killed and mine), "a killed job has no attempts under way")
    for running in mine:
        account = job.table.account(running.phase, running.task, running.attempt)
        under_way = account is not None and account.stage <= Stage.RUNNING
        _expect(job, under_way, f"attempt {running.attempt.title} is under way as its claim says")


def _audit_boards(desk: Desk, job: Job) -> None:
    for phase in Phase:
        board = job.boards[phase]
        for task in range(len(board.cells)):
            row = job.table.row(phase, task)
            done = bool(standing_attempts(row, job.sealed(phase, task)))
            active = bool(active_attempts(row, desk.flock))
            _expect(job, (task in board.results) == done, f"the board knows whether {phase.name} {task} is done")
            is_open = not done and not active
            _expect(job, (task in board.openings) == is_open, f"the board knows whether {phase.name} {task} is open")
        _expect(
            job,
            job.seal is None or phase is Phase.MAP or bool(board.opened_at is not None),
            "a seal opens the reduce phase",
        )
