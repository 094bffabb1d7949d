"""Count what was done twice at a task, and what came of it: races lost by chance, and waiting saved on purpose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..messages import Account, Attempt, Stage
from .table import Row

_WASTED = (Stage.CLAIMED, Stage.RUNNING, Stage.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """What the attempts came to that others made needless, at one task or at many."""

    duplicates: int = 0
    """Attempts at tasks that another attempt has finished."""
    races_lost: int = 0
    """Those of them for which two peers had claimed one task unaware of each other, or one was believed gone."""
    wasted_ms: int = 0
    """How long they went on."""
    speculation_won: int = 0
    """Tasks that a speculative attempt has finished."""
    saved_ms: int = 0
    """What the slower attempts at those had still to do when they were stopped."""


NO_WASTE = Waste()


def waste_of(row: Row, winner: Attempt, runs: Callable[[Attempt], bool]) -> Waste:
    """Judge a done task by the row of its attempts; `runs` tells whether the process that began one still lives."""
    if len(row) == 1:
        return NO_WASTE
    losers = {at: account for at, account in row.items() if at != winner and _is_wasted(at, account, runs)}
    return Waste(
        duplicates=len(losers),
        races_lost=sum(not at.speculative and not winner.speculative for at in losers),
        wasted_ms=sum(_cost_ms(account) for account in losers.values()),
        speculation_won=int(winner.speculative),
        saved_ms=sum(_left_ms(losers[at]) for at in losers if winner.speculative and not at.speculative),
    )


def total(wastes: Iterable[Waste]) -> Waste:
    """Add up."""
    each = list(wastes)
    return Waste(
        duplicates=sum(waste.duplicates for waste in each),
        races_lost=sum(waste.races_lost for waste in each),
        wasted_ms=sum(waste.wasted_ms for waste in each),
        speculation_won=sum(waste.speculation_won for waste in each),
        saved_ms=sum(waste.saved_ms for waste in each),
    )


def _is_wasted(attempt: Attempt, account: Account, runs: Callable[[Attempt], bool]) -> bool:
    if account.stage is Stage.RELEASED:
        return account.ran_ms > 0  # else it was claimed ahead, and given back before it was begun
    return account.stage in _WASTED and (account.stage > Stage.RUNNING or runs(attempt))


def _cost_ms(account: Account) -> int:
    return account.ran_ms if account.report is None else round(1000 * account.report.seconds)


def _left_ms(account: Account) -> int:
    """Estimate what a stopped attempt had still to do; one that told no progress, as much as it had taken."""
    if account.stage is not Stage.RELEASED:
        return 0
    share = (1.0 - account.fraction) / account.fraction if account.fraction > 0.0 else 1.0
    return round(account.ran_ms * share)
