"""Play many seeds and add up what came of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .rarities import Rarities
from .schedule import Verdict, play


@dataclass(slots=True)
class Sweep:
    """The sum of the schedules played so far."""

    schedules: int = 0
    events: int = 0
    faults: int = 0
    simulated_s: float = 0.0
    failing: list[Verdict] = field(default_factory=list)
    rarities: Rarities = field(default_factory=Rarities)

    def add(self, verdict: Verdict) -> None:
        """Take in one more schedule."""
        self.schedules += 1
        self.events += verdict.events
        self.faults += len(verdict.faults)
        self.simulated_s += verdict.simulated_s
        self.rarities.add(verdict.reached)
        if verdict.violations:
            self.failing.append(verdict)


def sweep(seeds: Iterable[int], peers: int) -> Iterator[Sweep]:
    """Play seeds one after the other, and give the sum after each; the caller may stop at any."""
    total = Sweep()
    for seed in seeds:
        total.add(play(seed, peers))
        yield total
