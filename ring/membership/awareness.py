"""Know how well this very peer keeps up, for who is slow or cut off must not judge others (Lifeguard, section 3.1).

    worse    a probe has failed and relays have not even said so; others suspect this peer; its own timers come late
    better   a probe was answered

The score stretches the probe interval and its time-outs alike: so a slow peer gives others the time it needs itself.
"""


class Awareness:
    """The local health score: 0 is healthy, `worst` as slow as it is counted."""

    def __init__(self, worst: int) -> None:
        self._worst = worst
        self.score = 0

    def worsen(self, by: int = 1) -> None:
        """Take note of signs that this peer, not the others, is slow."""
        self.score = min(self._worst, self.score + by)

    def improve(self) -> None:
        """Take note that an answer came in time."""
        self.score = max(0, self.score - 1)

    def stretched_s(self, seconds: float) -> float:
        """Lengthen a pause or a time-out by the score."""
        return seconds * (self.score + 1)
