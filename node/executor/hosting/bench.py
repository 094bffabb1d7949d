"""Keep what one executor process is at: the orders that it was given, in the order of their turns."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..tasks import LoadProgram, MapTask, ReduceTask
from .child import Child

Task = MapTask | ReduceTask


@dataclass(frozen=True, slots=True)
class Terms:
    """What the orders of one job have in common; 0 means no limit."""

    load: LoadProgram
    timeout_s: float
    memory_limit: int


@dataclass(slots=True)
class Bench:
    """A process and the orders that it goes through, that at hand first; a spare has no job.

    The names in `stopped` are of orders that it was given and of which nobody wants to hear any more.
    """

    child: Child
    job: str | None = None
    terms: Terms | None = None
    loaded: bool = False
    orders: deque[Task] = field(default_factory=deque)
    stopped: set[str] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None
    lenience: asyncio.TimerHandle | None = None
    """What ends the process if it is still at something that was stopped."""
    is_over: bool = False
    """Whether its process was killed, and nothing more is to be heard of it; orders that are left go elsewhere."""

    @property
    def spare(self) -> bool:
        """Tell whether it serves no job yet."""
        return self.job is None

    @property
    def idle(self) -> bool:
        """Tell whether it can be given orders."""
        return not self.orders and not self.is_over

    @property
    def winds_up(self) -> bool:
        """Tell whether it is only at what was stopped, and may soon be free."""
        return self.loaded and not self.is_over and all(order.attempt in self.stopped for order in self.orders)

    @property
    def is_at_stopped(self) -> bool:
        """Tell whether it has come to an order that was stopped."""
        return self.at_hand is not None and self.at_hand.attempt in self.stopped

    @property
    def at_hand(self) -> Task | None:
        """Give the order that it is at."""
        return self.orders[0] if self.orders else None

    def has(self, attempt: str) -> bool:
        """Tell whether it was given an order and has not answered it."""
        return any(order.attempt == attempt for order in self.orders)

    def drop(self, unwanted: Iterable[str]) -> None:
        """Forget orders that the process will not come to."""
        names = set(unwanted)
        self.orders = deque(order for order in self.orders if order.attempt not in names)

    def stop_lenience(self) -> None:
        """Let the process be: it is at nothing that was stopped, or is ended anyway."""
        if self.lenience is not None:
            self.lenience.cancel()
            self.lenience = None

    def stop_timer(self) -> None:
        """Measure no longer how long the attempt at hand takes."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
