"""Tell the time to a peer's machine, and wake it up by the same clock."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from ..ring.terms import Instant

Event = TypeVar("Event")


class Clock(Protocol):
    """The clock of one peer: every event carries its time, and every time that the machine names is of it."""

    def now(self) -> Instant:
        """Tell the time."""

    def call_at(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        """Have an event told at that time, or soon after; at once if it is past."""


class LoopClock:
    """The monotonic clock of the running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Instant:
        """Tell the time."""
        return Instant(self._loop.time())

    def call_at(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        """Have an event told at that time, or soon after; at once if it is past."""
        self._loop.call_at(at, tell, event)
