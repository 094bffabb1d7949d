"""Turn what a clock tells into a time that never runs back, and by which no alarm rings early.

A clock that somebody sets back, or that runs a little behind, must not make a machine wait until it tells the old time
again: an alarm that rang before its time would be taken for a stale one, and never be set anew. So whatever the clock
has lost is added from then on. A clock that is set forward is believed.
"""

from ..ring.terms import Instant


class SteadyTime:
    """The time of one machine; `told` is always what its clock tells."""

    def __init__(self) -> None:
        self._lost_s = 0.0
        self._latest = Instant(float("-inf"))

    def read(self, told: Instant) -> Instant:
        """Give the machine's time."""
        now = told + self._lost_s
        if now < self._latest:
            self._lost_s = self._latest - told
        else:
            self._latest = Instant(now)
        return self._latest

    def on_clock(self, at: Instant) -> Instant:
        """Tell what the clock, as far as can be foreseen, will tell at an instant of the machine's time."""
        return Instant(at - self._lost_s)

    def rang(self, told: Instant, at: Instant) -> None:
        """Take in that an alarm for `at` has rung: so it cannot be earlier than that."""
        if told + self._lost_s < at:
            self._lost_s = at - told
            self._latest = max(self._latest, at)
