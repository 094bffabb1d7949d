"""Keep virtual time: what is due next, in an order that depends on nothing but the seed."""

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Generic, TypeVar

from ...ring.terms import Instant

Due = TypeVar("Due")


class Timeline(Generic[Due]):
    """A heap of what is due; equal instants keep the order in which they were set."""

    def __init__(self) -> None:
        self.now = Instant(0.0)
        self._heap: list[tuple[float, int, Due]] = []
        self._numbers: Iterator[int] = count()

    def __len__(self) -> int:
        return len(self._heap)

    def after(self, delay_s: float, due: Due) -> None:
        """Set something for `delay_s` seconds from now."""
        self.at(Instant(self.now + delay_s), due)

    def at(self, instant: Instant, due: Due) -> None:
        """Set something for an instant; one that has passed is due now."""
        heapq.heappush(self._heap, (max(instant, self.now), next(self._numbers), due))

    def next(self) -> Due:
        """Let time jump to what is due first.

        Raises:
            IndexError: nothing is due.
        """
        at, _, due = heapq.heappop(self._heap)
        self.now = Instant(at)
        return due
