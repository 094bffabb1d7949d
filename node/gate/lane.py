"""Hold things back until their time has come."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lane(Generic[Item]):
    """Lets things out in the order of their times on the running loop's clock; of one time, in the order they came."""

    def __init__(self, let_out: Callable[[Item], None]) -> None:
        self._let_out = let_out
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[float, int, Item]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def now(self) -> float:
        """Tell the time on the loop's clock."""
        return self._loop.time()

    def put(self, due: float, item: Item) -> None:
        """Hold a thing back until `due`."""
        number = next(self._numbers)
        heapq.heappush(self._waiting, (due, number, item))
        if self._waiting[0][1] == number:
            self._wait()

    def let_all_out(self) -> None:
        """Let everything out at once, in the order of its times."""
        while self._waiting:
            self._let_out(heapq.heappop(self._waiting)[2])
        self._wait()

    def _let_due_out(self) -> None:
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            self._let_out(heapq.heappop(self._waiting)[2])
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._waiting[0][0], self._let_due_out) if self._waiting else None
