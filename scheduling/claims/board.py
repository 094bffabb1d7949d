"""See the tasks of one phase as they stand now: what the claim table comes to, given who is alive.

The claim table only grows; a board is derived from it and from the flock, task by task, whenever one of them changes.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from ...ring.terms import Instant
from ..flock import Flock
from ..jobs import TaskReport
from ..messages import Attempt, Stage, Winner
from ..status import TaskState
from .pace import Paces
from .selection import Agenda
from .table import Row, report_of
from .waste import NO_WASTE, Waste, total, waste_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The attempt whose output stands for a done task; `report` is None while only the seal tells of it."""

    attempt: Attempt
    report: TaskReport | None
    local: bool


def active_attempts(row: Row, flock: Flock) -> list[Attempt]:
    """List the attempts that are under way at live peers; those of suspects come back if the suspects do."""
    return [attempt for attempt, account in row.items() if account.stage <= Stage.RUNNING and flock.runs(attempt)]


def standing_attempts(row: Row, sealed: Winner | None) -> list[Attempt]:
    """List the attempts whose output stands for the task: done, not lost, and after the seal of the sealed content.

    The sealed attempt itself stands until it is known to be lost, even if its claim has not arrived.
    """
    digest = None if sealed is None else sealed.digest
    found = [
        attempt
        for attempt, account in row.items()
        if (report := report_of(account)) is not None and (digest is None or report.digest == digest)
    ]
    if sealed is not None and (sealed.attempt not in row or row[sealed.attempt].stage < Stage.DONE):
        found.append(sealed.attempt)
    return found


class Board:
    """The cells, openings and results of one phase of a job."""

    def __init__(self, tasks: int, rng: Random) -> None:
        self.cells = bytearray(tasks)
        self.openings = set(range(tasks))
        self.results: dict[int, Result] = {}
        self.repeated: set[int] = set()
        """Tasks that more than one attempt has done: a reducer has a choice of runs."""
        self.agenda = Agenda(tasks, rng)
        self.records = 0
        self.bytes = 0
        self.local_bytes = 0
        self.counters: Counter[str] = Counter()
        """The sums of the counters of the attempts that count so far."""
        self.done_by: Counter[str] = Counter()
        self.paces = Paces()
        self.speculating: set[int] = set()
        """Tasks with a speculative attempt under way."""
        self.opened_at: Instant | None = None
        self.reopenings = 0
        """How often a task was open again."""
        self._reopened_at: dict[int, Instant] = {}
        self._wastes: dict[int, Waste] = {}
        self.ranks: dict[int, int] = {}
        """This peer's rank for each task that it has looked at, for `ranks_version` of the flock."""
        self.ranks_version = -1

    @property
    def done(self) -> bool:
        """Tell whether every task is done."""
        return len(self.results) == len(self.cells)

    @property
    def waste(self) -> Waste:
        """Add up what was done twice."""
        return total(self._wastes.values())

    def opened(self, task: int) -> Instant:
        """Tell since when a task is open."""
        start = self.opened_at if self.opened_at is not None else Instant(float("inf"))
        return max(start, self._reopened_at.get(task, start))

    def place(self, now: Instant, task: int, row: Row, flock: Flock, result: Result | None) -> None:
        """Set a task's cell, opening and result by its row of the claim table."""
        active = active_attempts(row, flock)
        self._count(task, result)
        self._note_waste(task, row, flock, result)
        self.cells[task] = _cell(row, active, result)
        if result is None and any(attempt.speculative for attempt in active):
            self.speculating.add(task)
        else:
            self.speculating.discard(task)
        if result is not None or active:
            self.openings.discard(task)
        elif task not in self.openings:
            self.openings.add(task)
            self._reopened_at[task] = now
            self.reopenings += 1
            self.agenda.put_back(task)

    def _count(self, task: int, result: Result | None) -> None:
        old = self.results.pop(task, None)
        if old is not None:
            self._add(old, -1)
        if result is not None:
            self.results[task] = result
            self._add(result, 1)

    def _add(self, result: Result, sign: int) -> None:
        self.done_by[result.attempt.peer] += sign
        if result.report is not None:
            self.records += sign * result.report.records_in
            self.bytes += sign * result.report.bytes_in
            self.local_bytes += sign * result.report.bytes_in * result.local
            for name, value in result.report.counters.items():
                self.counters[name] += sign * value

    def _note_waste(self, task: int, row: Row, flock: Flock, result: Result | None) -> None:
        waste = NO_WASTE if result is None else waste_of(row, result.attempt, flock.runs)
        if waste is NO_WASTE:
            self._wastes.pop(task, None)
        else:
            self._wastes[task] = waste
        if len(row) > 1 and sum(account.stage >= Stage.DONE for account in row.values()) > 1:
            self.repeated.add(task)


def _cell(row: Row, active: list[Attempt], result: Result | None) -> TaskState:
    if result is not None:
        return TaskState.DONE
    if len(active) > 1:
        return TaskState.SPECULATIVE
    if active:
        return TaskState.RUNNING if row[active[0]].stage is Stage.RUNNING else TaskState.CLAIMED
    if any(account.stage is Stage.FAILED for account in row.values()):
        return TaskState.FAILED
    return TaskState.WAITING
