"""Let a peer's clock be wrong."""

from collections.abc import Callable
from typing import TypeVar

from ...ring.terms import Instant
from ..clock import LoopClock

Event = TypeVar("Event")


class OffsetClock(LoopClock):
    """A clock that can be set off: it then tells another time, but timers set before run out when they would have."""

    def __init__(self) -> None:
        super().__init__()
        self.offset_s = 0.0

    def now(self) -> Instant:
        """Tell the time, as far off as was ordered."""
        return Instant(super().now() + self.offset_s)

    def call_at(self, at: Instant, tell: Callable[[Event], None], event: Event) -> None:
        """Have an event told when this clock, if it is not set off again, tells that time."""
        super().call_at(Instant(at - self.offset_s), tell, event)
