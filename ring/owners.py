"""Tell whose a store operation or a wake is, for the parts that so much happens to that asking all parts would show.

A ticket tells it by its remainder, a `RequestDue` by its field. What is ANY's is offered to every part.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import count


class Owner(IntEnum):
    """The parts with tickets or wakes of their own; ANY stands for all the others."""

    ANY = 0
    SERVING = 1
    COORDINATOR = 2
    GETS = 3
    PUTS = 4


_STEP = 8


def tickets_of(owner: Owner) -> Iterator[int]:
    """Draw tickets that no other owner draws; the first is above 0."""
    return count(owner or _STEP, _STEP)


def owner_of(ticket: int) -> int:
    """Tell who has drawn a ticket."""
    return ticket % _STEP
