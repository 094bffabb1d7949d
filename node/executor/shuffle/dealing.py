"""Deal the keys of a map attempt to partitions: by their hash, by the program's own partitioner, or by ranges."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from ....scheduling.cuts import original, ranges_of
from ....scheduling.partitioners import partitions_of
from ..faults.wording import fault
from ..programs.program import UserProgram

Dealer = Callable[[Collection[Any]], list[int]]
"""Gives the partition of each key in order.

It raises `UserFault` for what the partitioner did wrong, `TypeError` or `ValueError` for what cannot be a key.
"""


def dealer_of(program: UserProgram, partitions: int, cuts: Sequence[bytes] | None) -> Dealer:
    """Choose how keys are dealt; what the program's grouping holds together stays together.

    Raises `UserFault` if the job deals by ranges, and the program in a way of its own.
    """
    own, grouping = program.partitioner, program.grouping
    if cuts is None:
        dealer = _dealing_by_own(own, partitions) if own else lambda keys: partitions_of(keys, partitions)
    elif own:
        raise fault(
            "BadProgram",
            "the program's partitioner deals keys in a way of its own, and --total-order by ranges",
            hint="leave one of them out",
        )
    else:
        limits = [original(cut) for cut in cuts]
        dealer = lambda keys: ranges_of(keys, limits)  # noqa: E731 - the two others are made so, too
    if grouping is None or own:
        return dealer
    return lambda keys: dealer([grouping(key) for key in keys])


def cuts_of_bytes(program: UserProgram, cuts: Sequence[bytes] | None) -> list[bytes] | None:
    """Give the cuts if they part keys of bytes as they are; None if keys are dealt in another way."""
    if cuts is None or program.grouping is not None:
        return None
    limits = [original(cut) for cut in cuts]
    return limits if all(isinstance(limit, bytes) for limit in limits) else None


def _dealing_by_own(partitioner: Callable[[Any, int], int], partitions: int) -> Dealer:
    def deal(keys: Collection[Any]) -> list[int]:
        partitions_of(keys, partitions)  # refuses what cannot be a key
        return [_checked(partitioner(key, partitions), partitions, key) for key in keys]

    return deal


def _checked(number: Any, partitions: int, key: Any) -> int:
    if not isinstance(number, int) or not 0 <= number < partitions:
        raise fault(
            "BadPartitioner",
            f"the partitioner gave {number!r:.100} for the key {key!r:.100}",
            hint=f"it must give a whole number from 0 to {partitions - 1}",
            record=key,
        )
    return number
