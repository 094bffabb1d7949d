"""Choose the task that this peer claims next: own disk first, then its rank, then chance.

All peers rank each other alike for each task: first the live peers that hold its input, in an order drawn by lots, then
the other workers likewise. The first in rank may take a newly open task at once; each next one leaves it alone for a
little longer (`stagger_s`), long enough for the claim of the one before to arrive. So idle peers do not jump at the
same task together, and yet nothing waits for a peer that is busy, slow or gone.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from ...ring.terms import Instant, PeerId
from .lots import peer_lot

CANDIDATES_MAX = 256
"""Open tasks that are compared in one choice: enough to find one of the first rank among fifty peers."""


RANK_MAX = 16
"""The last rank, which all later ones share: so a rank takes no longer to work out however many peers there are."""


def rank_of(me: PeerId, task_lot: int, holders: Sequence[PeerId], workers: Sequence[PeerId]) -> int:
    """Tell how many live workers go before `me` at a task, up to `RANK_MAX`: 0 is who should take it."""
    able = [peer for peer in holders if peer in workers]
    if me in able:
        return _count_before(me, task_lot, able, RANK_MAX)
    return len(able) + _count_before(me, task_lot, (peer for peer in workers if peer not in able), RANK_MAX - len(able))


def _count_before(me: PeerId, task_lot: int, rivals: Iterable[PeerId], most: int) -> int:
    mine, found = peer_lot(task_lot, me), 0
    for peer in rivals:
        if found == most:
            break
        found += peer_lot(task_lot, peer) < mine
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An open task, this peer's rank for it, and the time from which it may take it."""

    task: int
    rank: int
    due: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to take now, or else when to look again (None if nothing is open)."""

    tasks: tuple[int, ...] = ()
    due: Instant | None = None


def choose(now: Instant, candidates: Iterable[Candidate], most: int = 1) -> Choice:
    """Choose the best-ranked candidates that are due: up to `most` of one rank, and of equals the first.

    None is looked at after so many of rank 0.
    """
    ripe: list[Candidate] = []
    soonest: Instant | None = None
    for candidate in candidates:
        if candidate.due > now:
            soonest = candidate.due if soonest is None else min(soonest, candidate.due)
            continue
        if ripe and candidate.rank < ripe[0].rank:
            ripe.clear()
        if len(ripe) < most and (not ripe or candidate.rank == ripe[0].rank):
            ripe.append(candidate)
            if candidate.rank == 0 and len(ripe) == most:
                break
    return Choice(tasks=tuple(each.task for each in ripe)) if ripe else Choice(due=soonest)


class Agenda:
    """The tasks of one phase in the order, drawn by chance, in which this peer looks for an open one."""

    def __init__(self, tasks: int, rng: Random) -> None:
        order = list(range(tasks))
        rng.shuffle(order)
        self._all = deque(order)
        self._near: deque[int] = deque()

    def favour(self, near: Iterable[int]) -> None:
        """Look at these first: their input lies on this peer's disk."""
        wanted = set(near)
        self._near = deque(task for task in self._all if task in wanted)

    def put_back(self, task: int) -> None:
        """Look again at a task that is open again."""
        self._all.appendleft(task)

    def open_tasks(self, openings: set[int]) -> list[int]:
        """List the next open tasks, near ones first; those that are not open are dropped until they are put back."""
        found = dict.fromkeys(_next(self._near, openings))
        found.update(dict.fromkeys(_next(self._all, openings)))
        return list(found)


def _next(queue: deque[int], openings: set[int]) -> list[int]:
    found: dict[int, None] = {}
    while queue and len(found) < CANDIDATES_MAX:
        task = queue.popleft()
        if task in openings:
            found[task] = None
    queue.extendleft(reversed(found))
    return list(found)
