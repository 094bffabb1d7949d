"""Make a failing plan smaller: fewer faults, splits, writes and peers, as long as it breaks the same promise.

Greedy, as QuickCheck does it: of all plans that are one step smaller the first that still fails is taken, until none
does or the patience is at an end.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from ..faults import Weather
from .network import CLEAR
from .plan import RETENTION_S, Plan

TRIES_MAX = 150

_PLAIN: Final[dict[str, Any]] = {
    "kill_at": None,
    "poisoned_line": -1,
    "jobs": 1,
    "vanishes_at": None,
    "wants_registers": False,
    "retention_s": RETENTION_S,
    "output": "out",
}
"""What a plan is without its ornaments, field by field."""

Fails = Callable[[Plan], bool]
"""Plays a plan, and tells whether it breaks the promise that is looked for."""


def promise_of(violations: tuple[str, ...]) -> str:
    """Name the promise that was broken first: the letter and number before the colon."""
    return violations[0].partition(":")[0] if violations else ""


def shrink(plan: Plan, fails: Fails, tries: int = TRIES_MAX) -> Plan:
    """Find a smaller plan that fails as well; at worst the plan itself."""
    smaller: Plan | None = plan
    while smaller is not None:
        plan, smaller = smaller, None
        for candidate in _smaller(plan):
            if tries <= 0:
                return plan
            tries -= 1
            if fails(candidate):
                smaller = candidate
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Give all plans that are one step smaller, the most promising first."""
    yield from _without_faults(plan)
    for puts in (0, plan.puts // 2):
        if puts < plan.puts:
            yield replace(plan, puts=puts)
    for splits in (1, plan.splits // 2, plan.splits - 1):
        if 0 < splits < plan.splits:
            yield replace(plan, splits=splits)
    for name, plain in _PLAIN.items():
        if getattr(plan, name) != plain:
            yield replace(plan, **{name: plain})
    if plan.partitions > 1:
        yield replace(plan, partitions=1)


def _without_faults(plan: Plan) -> Iterator[Plan]:
    """Leave out one group of faults, or calm the weather of one."""
    for group in sorted({planned.group for planned in plan.faults if planned.group}):
        yield replace(plan, faults=tuple(planned for planned in plan.faults if planned.group != group))
    for at, planned in enumerate(plan.faults):
        if isinstance(planned.fault, Weather) and planned.fault != CLEAR:
            calm = replace(planned, fault=CLEAR)
            yield replace(plan, faults=(*plan.faults[:at], calm, *plan.faults[at + 1 :]))
