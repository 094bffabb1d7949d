"""Let a peer's clock be wrong."""

from ...ring.terms import Instant
from ..clock import LoopClock


class OffsetClock(LoopClock):
    """A clock that can be set off: it then tells another time, but timers set before run out when they would have."""

    def __init__(self) -> None:
        super().__init__()
        self.offset_s = 0.0

    def _told(self) -> Instant:
        return Instant(super()._told() + self.offset_s)

    def _loop_time(self, told: Instant) -> float:
        return told - self.offset_s
