"""Claim open tasks for free slots, and start on each at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ...ring.terms import Instant
from ..claims.lots import task_lot
from ..claims.selection import RANK_MAX, Candidate, Choice, choose, rank_of
from ..claims.slots import Handful
from ..claims.table import report_of
from ..desk import Desk
from ..effects import PrepareAttempts, StartAttempt, StartAttempts, WakeSchedulingAt
from ..events import TrackDue
from ..jobs import Phase
from ..messages import Account, Attempt, Stage
from ..replica.job import Job
from ..replica.skipping import places_to_skip
from .handfuls import alike, handful_size
from .shares import by_need
from .speculating import Speculation
from .yielding import Yielding


class Way(Enum):
    """Why a task is claimed: it is open, or will soon have a slot here, or goes on too slowly elsewhere."""

    OPEN = "open"
    AHEAD = "ahead"
    SPECULATIVE = "speculative"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rest:
    """That no open task is due before a time, as long as no peer comes or goes and no task opens anew."""

    due: Instant
    flock_version: int
    reopenings: int


class Work:
    """What this peer takes up as a worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._speculation = Speculation(desk)
        self._yielding = Yielding(desk)
        self._begun = 0
        self._nudges: dict[str, Instant] = {}
        self._resting: dict[tuple[str, Phase], _Rest] = {}

    def fill(self) -> None:
        """Start what was claimed ahead, claim open tasks until no slot is free, then what goes on too slowly.

        Who leaves claims none.
        """
        if self._desk.stops:
            return
        while (waiting := self._desk.slots.next_waiting()) is not None:
            self._start_waiting(waiting)
        if self._desk.flock.leaves(self._desk.me) and self._desk.flock.workers:
            return
        while self._desk.slots.free > 0 and self._take(Way.OPEN):
            pass
        while self._desk.slots.free > 0 and self._take(Way.SPECULATIVE):
            pass
        while (leader := self._desk.slots.leader(self._desk.settings.nearly_done)) is not None:
            leader.is_followed = True
            self._take(Way.AHEAD)

    def _take(self, way: Way) -> bool:
        """Claim a handful of tasks of the neediest job that has any; tell whether there was one."""
        return any(self._take_of(job, phase, way) for job in by_need(self._desk) for phase in job.claimable())

    def _take_of(self, job: Job, phase: Phase, way: Way) -> bool:
        chosen_by = self._speculation.choose if way is Way.SPECULATIVE else self._choose_open
        choice = chosen_by(job, phase)
        if choice.tasks:
            self._begin(job, phase, choice.tasks, way)
        elif choice.due is not None and way is not Way.AHEAD:
            self._nudge(job, choice.due)
        return bool(choice.tasks)

    def _choose_open(self, job: Job, phase: Phase) -> Choice:
        """Choose open tasks; when none is due, what others claim meanwhile does not bring that time nearer."""
        if (others_until := self._yielding.until(job, phase)) is not None:
            return Choice(due=others_until)
        version, reopenings = self._desk.flock.version, job.boards[phase].reopenings
        rest = self._resting.get((job.id, phase))
        is_as_before = rest is not None and (rest.flock_version, rest.reopenings) == (version, reopenings)
        if rest is not None and is_as_before and self._desk.now < rest.due:
            return Choice(due=rest.due)
        choice = choose(self._desk.now, self._candidates(job, phase), handful_size(job, phase, self._desk))
        if choice.due is not None:
            self._resting[job.id, phase] = _Rest(due=choice.due, flock_version=version, reopenings=reopenings)
        return choice

    def _candidates(self, job: Job, phase: Phase) -> Iterator[Candidate]:
        board = job.boards[phase]
        self._renew_ranks(job, phase)
        return (self._candidate(job, phase, task) for task in board.agenda.open_tasks(board.openings))

    def _renew_ranks(self, job: Job, phase: Phase) -> None:
        board, flock = job.boards[phase], self._desk.flock
        if board.ranks_version == flock.version:
            return
        board.ranks_version = flock.version
        board.ranks.clear()
        held = [task for task in board.openings if flock.me in job.holders(phase, task, flock)]
        board.agenda.favour((task for task in board.openings if not self._rank(job, phase, task, most=1)), held)

    def _candidate(self, job: Job, phase: Phase, task: int) -> Candidate:
        board, desk = job.boards[phase], self._desk
        rank = board.ranks.get(task)
        if rank is None:
            rank = board.ranks[task] = self._rank(job, phase, task)
        # Who failed at a task lets all others try first: the fault may be this machine's.
        turn = rank + self._failures(job, phase, task) * len(desk.flock.workers)
        due = max(board.opened(task) + turn * desk.flock.stagger_s, desk.backoffs.until(job.id, phase, task))
        return Candidate(task=task, rank=turn, due=Instant(due))

    def _rank(self, job: Job, phase: Phase, task: int, most: int = RANK_MAX) -> int:
        desk = self._desk
        holders = job.holders(phase, task, desk.flock)
        return rank_of(desk.me, task_lot(job.id, phase, task), holders, desk.flock.workers, most)

    def _failures(self, job: Job, phase: Phase, task: int) -> int:
        row = job.table.row(phase, task)
        return sum(row[at].stage is Stage.FAILED and at.peer == self._desk.me for at in row)

    def _nudge(self, job: Job, due: Instant) -> None:
        planned = self._nudges.get(job.id)
        if planned is None or planned <= self._desk.now or due < planned:
            self._nudges[job.id] = due
            self._desk.emit(WakeSchedulingAt(at=due, event=TrackDue(job=job.id)))

    def _begin(self, job: Job, phase: Phase, tasks: tuple[int, ...], way: Way) -> None:
        desk = self._desk
        handful = Handful(job=job.id, phase=phase, begun_at=desk.now)
        starts = tuple(self._start_of(job, phase, task, way) for task in alike(job, phase, tasks))
        for start in starts:
            handful.add(start)
            desk.claim(job, phase, start.task, start.attempt, Account(Stage.CLAIMED))
        if way is Way.AHEAD:
            left_s = desk.slots.leaders_left_s(desk.now, desk.settings.nearly_done)
            wait_s = max(desk.settings.ahead_patience_s, 2 * left_s)
            handful.waits_until = Instant(desk.now + wait_s)
            desk.emit(PrepareAttempts(starts=starts))
        else:
            desk.emit(StartAttempts(starts=starts))
        desk.slots.take(handful)

    def _start_of(self, job: Job, phase: Phase, task: int, way: Way) -> StartAttempt:
        desk = self._desk
        self._begun += 1
        is_reduce = phase is Phase.REDUCE
        return StartAttempt(
            record=job.record,
            phase=phase,
            task=task,
            attempt=Attempt(desk.me, desk.incarnation, self._begun, way is Way.SPECULATIVE),
            seal=job.seal if is_reduce else None,
            remade=self._remade(job) if is_reduce else (),
            copies=self._copies(job) if is_reduce else (),
            skip=places_to_skip(job.record, job.table.row(phase, task)),
        )

    def _start_waiting(self, handful: Handful) -> None:
        """Start what was claimed ahead, and tell the others that the time of the first begins to count now."""
        desk = self._desk
        handful.begin(desk.now)
        if (first := handful.at_hand) is not None:
            desk.claim(desk.jobs[first.job], first.phase, first.task, first.attempt, Account(Stage.RUNNING))
        desk.emit(StartAttempts(starts=tuple(running.start for running in handful.open.values())))

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

    def _copies(self, job: Job) -> tuple[tuple[int, bytes], ...]:
        """List the splits whose sealed runs are kept in the ring, too."""
        if job.record.spec.intermediate_replicas == 1:
            return ()
        reports = ((split, job.sealed_report(split)) for split in range(len(job.record.splits)))
        parts = ((split, report.part) for split, report in reports if report is not None)
        return tuple((split, chunk.digest) for split, part in parts if part is not None for chunk in part.chunks)

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        self._nudges.pop(job, None)
        for phase in Phase:
            self._resting.pop((job, phase), None)
        self._speculation.forget(job)
        self._yielding.forget(job)
