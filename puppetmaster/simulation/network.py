"""Decide what becomes of each message between simulated processes: late, lost, doubled or cut off."""

import random
from dataclasses import dataclass

from ..faults import Cut, Weather

CLEAR = Weather(loss=0.0, duplication=0.0, delay_mean_s=0.001)


@dataclass(slots=True)
class Network:
    """The links between all processes; a delay is exponential, so messages overtake each other."""

    rng: random.Random
    weather: Weather = CLEAR
    cuts: tuple[Cut, ...] = ()
    sent: int = 0
    lost: int = 0

    def open(self, sender: str, receiver: str) -> bool:
        """Tell whether anything can pass in that direction."""
        return not any(sender in cut.senders and receiver in cut.receivers for cut in self.cuts)

    def delays(self, sender: str, receiver: str) -> list[float]:
        """Give the delay in seconds of each copy of a message that will arrive: none, one or two."""
        self.sent += 1
        if not self.open(sender, receiver) or self.rng.random() < self.weather.loss:
            self.lost += 1
            return []
        copies = 2 if self.rng.random() < self.weather.duplication else 1
        return [0.0002 + self.rng.expovariate(1.0 / self.weather.delay_mean_s) for _ in range(copies)]
