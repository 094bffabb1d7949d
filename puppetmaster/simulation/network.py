"""Decide what becomes of each message between simulated processes: late, lost, doubled or cut off."""

import random
from dataclasses import dataclass, field

from ..faults import Cut, Weather

CLEAR = Weather(loss=0.0, duplication=0.0, delay_mean_s=0.001)
DELAY_MIN_S = 0.0002


@dataclass(slots=True)
class Link:
    """What is done to the messages of one process to another: seconds, shares of 1, bytes a second (0 is no bound).

    Bulk transfers heed cuts only: what they bring is read in one step when their time is over.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    bytes_per_s: int = 0
    free_at: float = 0.0
    """When the bytes that were sent over a bounded link are through."""


@dataclass(slots=True)
class Network:
    """The links between all processes; a delay is exponential, so messages overtake each other."""

    rng: random.Random
    weather: Weather = CLEAR
    cuts: tuple[Cut, ...] = ()
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    """The links to which something is done."""
    sent: int = 0
    lost: int = 0
    doubled: int = 0

    def open(self, sender: str, receiver: str) -> bool:
        """Tell whether anything can pass in that direction."""
        return not any(sender in cut.senders and receiver in cut.receivers for cut in self.cuts)

    @property
    def calm(self) -> bool:
        """Tell whether every message will arrive."""
        is_lossy = self.weather.loss > 0.0 or any(link.loss > 0.0 for link in self.links.values())
        return not self.cuts and not is_lossy

    def delays(self, sender: str, receiver: str) -> list[float]:
        """Give the delay in seconds of each copy of a message that will arrive: none, one or two."""
        self.sent += 1
        link = self.links.get((sender, receiver)) if self.links else None
        loss = self.weather.loss if link is None else max(self.weather.loss, link.loss)
        if (self.cuts and not self.open(sender, receiver)) or self.rng.random() < loss:
            self.lost += 1
            return []
        doubling = self.weather.duplication if link is None else max(self.weather.duplication, link.duplication)
        if self.rng.random() < doubling:
            self.doubled += 1
            return [self._delay_s(link), self._delay_s(link)]
        return [self._delay_s(link)]

    def _delay_s(self, link: Link | None) -> float:
        usual_s = DELAY_MIN_S + self.rng.expovariate(1.0 / self.weather.delay_mean_s)
        if link is None:
            return usual_s
        return usual_s + link.delay_s + (self.rng.uniform(0.0, link.jitter_s) if link.jitter_s else 0.0)

    def bound(self, sender: str, receiver: str) -> Link | None:
        """Give a link if only so many bytes a second pass it."""
        link = self.links.get((sender, receiver)) if self.links else None
        return link if link is not None and link.bytes_per_s else None


def queue_s(link: Link, now: float, size: int) -> float:
    """Tell how much longer `size` bytes take over a bounded link, behind those that were sent before them."""
    link.free_at = max(now, link.free_at) + size / link.bytes_per_s
    return link.free_at - now
