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


def rank_of(
    me: PeerId, task_lot: int, holders: Sequence[PeerId], workers: Sequence[PeerId], most: int = RANK_MAX
) -> int:
    """Tell how many live workers go before `me` at a task, up to `most` or a few more: 0 is who should take it."""
    able = [peer for peer in holders if peer in workers]
    if me in able:
        return _count_before(me, task_lot, able, most)
    return len(able) + _count_before(me, task_lot, (peer for peer in workers if peer not in able), most - len(able))


def _count_before(me: PeerId, task_lot: int, rivals: Iterable[PeerId], most: int) -> int:
    mine, found = peer_lot(task_lot, me), 0
    for peer in rivals:
        if found >= most:
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
    """Choose the best-ranked candidates that are due, up to `most` of rank 0; of equals, the first.

    None is looked at after so many of rank 0. At those of another rank somebody else may be just now, so fewer of them
    go together.
    """
    best, chosen = float("inf"), list[int]()
    soonest: Instant | None = None
    for candidate in candidates:
        if candidate.due > now:
            soonest = candidate.due if soonest is None else min(soonest, candidate.due)
        elif candidate.rank < best:
            best, chosen = candidate.rank, [candidate.task]
        elif candidate.rank == best:
            chosen.append(candidate.task)
        if best == 0 and len(chosen) == most:
            break
    return Choice(tasks=tuple(chosen if best == 0 else chosen[: max(1, most // 4)]), due=None if chosen else soonest)


class Agenda:
    """The tasks of one phase in the order, drawn by chance, in which this peer looks for an open one."""

    def __init__(self, tasks: int, rng: Random) -> None:
        order = list(range(tasks))
        rng.shuffle(order)
        self._all = deque(order)
        self._near: deque[int] = deque()

    def favour(self, *near: Iterable[int]) -> None:
        """Look at these first, one group after the other: they are this peer's to take, or their input lies here."""
        found: dict[int, None] = {}
        for group in map(set, near):
            found.update(dict.fromkeys(task for task in self._all if task in group))
        self._near = deque(found)

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
