"""Decide what becomes of each message between simulated processes: late, lost, doubled or cut off."""

import random
from dataclasses import dataclass, field

from ..faults import Cut, Weather

CLEAR = Weather(loss=0.0, duplication=0.0, delay_mean_s=0.001)
DELAY_MIN_S = 0.0002


@dataclass(slots=True)
class Network:
    """The links between all processes; a delay is exponential, so messages overtake each other."""

    rng: random.Random
    weather: Weather = CLEAR
    cuts: tuple[Cut, ...] = ()
    slow_links: dict[tuple[str, str], float] = field(default_factory=dict)
    lossy_links: dict[tuple[str, str], float] = field(default_factory=dict)
    sent: int = 0
    lost: int = 0
    doubled: int = 0

    def open(self, sender: str, receiver: str) -> bool:
        """Tell whether anything can pass in that direction."""
        return not any(sender in cut.senders and receiver in cut.receivers for cut in self.cuts)

    @property
    def calm(self) -> bool:
        """Tell whether every message will arrive."""
        return not self.cuts and not self.lossy_links and self.weather.loss <= 0.0

    def delays(self, sender: str, receiver: str) -> list[float]:
        """Give the delay in seconds of each copy of a message that will arrive: none, one or two."""
        self.sent += 1
        link = (sender, receiver)
        loss = max(self.weather.loss, self.lossy_links.get(link, 0.0)) if self.lossy_links else self.weather.loss
        if (self.cuts and not self.open(sender, receiver)) or self.rng.random() < loss:
            self.lost += 1
            return []
        least = DELAY_MIN_S + (self.slow_links.get(link, 0.0) if self.slow_links else 0.0)
        rate = 1.0 / self.weather.delay_mean_s
        if self.rng.random() < self.weather.duplication:
            self.doubled += 1
            return [least + self.rng.expovariate(rate), least + self.rng.expovariate(rate)]
        return [least + self.rng.expovariate(rate)]
