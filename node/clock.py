"""Tell the time to a peer's machine, and wake it up by the same clock."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..ring.terms import Instant
from .steady import SteadyTime

Event = TypeVar("Event")


class Clock(Protocol):
    """The clock of one peer: every event carries its time, and every time that the machine names is of it.

    It never runs back, and no event is told before its time.
    """

    def now(self) -> Instant:
        """Tell the time."""

    def call_at(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        """Have an event told at that time, or soon after; at once if it is past."""


class LoopClock:
    """The monotonic clock of the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._steady = SteadyTime()

    def now(self) -> Instant:
        """Tell the time."""
        return self._steady.read(self._told())

    def call_at(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        """Have an event told at that time, or soon after; at once if it is past."""
        self._loop.call_at(self._loop_time(self._steady.on_clock(at)), self._ring, at, tell, event)

    def _ring(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        self._steady.rang(self._told(), at)
        tell(event)

    def _told(self) -> Instant:
        """Read the clock as it is."""
        return Instant(self._loop.time())

    def _loop_time(self, told: Instant) -> float:
        """Translate what the clock will tell into what the loop's clock will."""
        return told
