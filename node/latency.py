"""Measure how long clients wait for their puts and gets: the times of the last ones, and their percentiles."""

from collections import deque
from typing import Final

from ..ring.terms import Instant

REMEMBERED: Final = 1000
"""So many of the last requests of a kind count."""
OPEN_MAX: Final = 10_000
"""Requests without an answer that are remembered; each is answered in the end, but a limit costs nothing."""


class Latencies:
    """The waits of requests, by kind."""

    def __init__(self, *kinds: str) -> None:
        self._open: dict[str, tuple[str, Instant]] = {}
        self._waits: dict[str, deque[float]] = {kind: deque(maxlen=REMEMBERED) for kind in kinds}
        self._counts = dict.fromkeys(kinds, 0)

    def begun(self, request: str, kind: str, now: Instant) -> None:
        """Take note that a request has come."""
        if len(self._open) < OPEN_MAX:
            self._open[request] = kind, now

    def ended(self, request: str, now: Instant) -> None:
        """Take note that it is answered; one that was not noted is none of these kinds."""
        begun = self._open.pop(request, None)
        if begun is not None:
            kind, at = begun
            self._counts[kind] += 1
            self._waits[kind].append(now - at)

    def metrics(self) -> dict[str, float]:
        """Give the number of each kind since the start, and the median and the 99th percentile of the last ones."""
        values: dict[str, float] = {}
        for kind, waits in self._waits.items():
            values[f"{kind}.answered"] = self._counts[kind]
            if waits:
                values[f"{kind}.p50_s"], values[f"{kind}.p99_s"] = percentile(waits, 0.5), percentile(waits, 0.99)
        return values


def percentile(waits: deque[float], share: float) -> float:
    """Give the least of the waits that is not below such a share of them."""
    ordered = sorted(waits)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
