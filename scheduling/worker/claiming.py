"""Claim open tasks for free slots, and start on each at once."""

from ...ring.terms import Instant
from ..claims.lots import task_lot
from ..claims.selection import Candidate, Choice, choose, rank_of
from ..claims.slots import Running
from ..claims.table import report_of
from ..desk import Desk
from ..effects import StartAttempt, WakeSchedulingAt
from ..events import TrackDue
from ..jobs import Phase
from ..messages import Account, Attempt, Stage
from ..replica.job import Job
from .shares import by_need
from .speculating import Speculation


class Work:
    """What this peer takes up as a worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._speculation = Speculation(desk)
        self._begun = 0
        self._nudges: dict[str, Instant] = {}

    def fill(self) -> None:
        """Claim open tasks until no slot is free, then what goes on too slowly; who leaves claims none."""
        if self._desk.flock.leaves(self._desk.me) and self._desk.flock.workers:
            return
        while self._has_room and any(self._take_of(job) for job in by_need(self._desk)):
            pass
        while self._has_room and any(self._speculate(job) for job in by_need(self._desk)):
            pass

    @property
    def _has_room(self) -> bool:
        return self._desk.slots.free > 0

    def _take_of(self, job: Job) -> bool:
        return any(
            self._follow(job, phase, choose(self._desk.now, self._candidates(job, phase))) for phase in job.claimable()
        )

    def _speculate(self, job: Job) -> bool:
        return any(
            self._follow(job, phase, self._speculation.choose(job, phase), speculative=True)
            for phase in job.claimable()
        )

    def _follow(self, job: Job, phase: Phase, choice: Choice, *, speculative: bool = False) -> bool:
        """Begin what was chosen, or see to it that this peer looks again; tell whether it has begun."""
        if choice.task is not None:
            self._begin(job, phase, choice.task, speculative=speculative)
        elif choice.due is not None:
            self._nudge(job, choice.due)
        return choice.task is not None

    def _candidates(self, job: Job, phase: Phase) -> list[Candidate]:
        board = job.boards[phase]
        self._renew_ranks(job, phase)
        return [self._candidate(job, phase, task) for task in board.agenda.open_tasks(board.openings)]

    def _renew_ranks(self, job: Job, phase: Phase) -> None:
        board, flock = job.boards[phase], self._desk.flock
        if board.ranks_version == flock.version:
            return
        board.ranks_version = flock.version
        board.ranks.clear()
        board.agenda.favour(task for task in board.openings if flock.me in job.holders(phase, task, flock))

    def _candidate(self, job: Job, phase: Phase, task: int) -> Candidate:
        board, desk = job.boards[phase], self._desk
        rank = board.ranks.get(task)
        if rank is None:
            holders = job.holders(phase, task, desk.flock)
            rank = rank_of(desk.me, task_lot(job.id, phase, task), holders, desk.flock.workers)
            board.ranks[task] = rank
        # Who failed at a task lets all others try first: the fault may be this machine's.
        turn = rank + self._failures(job, phase, task) * len(desk.flock.workers)
        due = max(board.opened(task) + turn * desk.settings.stagger_s, desk.backoffs.until(job.id, phase, task))
        return Candidate(task=task, rank=turn, due=Instant(due))

    def _failures(self, job: Job, phase: Phase, task: int) -> int:
        row = job.table.row(phase, task)
        return sum(row[at].stage is Stage.FAILED and at.peer == self._desk.me for at in row)

    def _nudge(self, job: Job, due: Instant) -> None:
        planned = self._nudges.get(job.id)
        if planned is None or planned <= self._desk.now or due < planned:
            self._nudges[job.id] = due
            self._desk.emit(WakeSchedulingAt(at=due, event=TrackDue(job=job.id)))

    def _begin(self, job: Job, phase: Phase, task: int, *, speculative: bool) -> None:
        desk = self._desk
        self._begun += 1
        attempt = Attempt(desk.me, desk.incarnation, self._begun, speculative)
        remade = self._remade(job) if phase is Phase.REDUCE else ()
        seal = job.seal if phase is Phase.REDUCE else None
        desk.slots.running[attempt] = Running(
            job=job.id, phase=phase, task=task, attempt=attempt, begun_at=desk.now, remade=remade
        )
        desk.claim(job, phase, task, attempt, Account(Stage.CLAIMED))
        desk.emit(StartAttempt(record=job.record, phase=phase, task=task, attempt=attempt, seal=seal, remade=remade))

    def _remade(self, job: Job) -> tuple[tuple[int, Attempt], ...]:
        """List attempts whose runs equal the sealed ones, those at live peers first."""
        found = []
        for split in sorted(job.boards[Phase.MAP].repeated):
            sealed = job.sealed(Phase.MAP, split)
            for attempt, account in job.table.row(Phase.MAP, split).items():
                report = report_of(account)
                if sealed and report and report.digest == sealed.digest and attempt != sealed.attempt:
                    found.append((split, attempt))
        return tuple(sorted(found, key=lambda pair: (pair[0], not self._desk.flock.runs(pair[1]), pair[1])))

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        self._nudges.pop(job, None)
        self._speculation.forget(job)
