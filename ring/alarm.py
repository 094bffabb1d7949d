"""Keep a repeating timer single, however often it is hurried, and have many requests share one."""

from heapq import heappop, heappush

from .effects import RingEffect, WakeAt
from .events import RequestDue, RingEvent
from .owners import Owner
from .terms import Instant


class Alarm:
    """Remembers when its event is next due, so that one overtaken by an earlier setting is known as stale."""

    def __init__(self, event: RingEvent) -> None:
        self._event = event
        self._due: Instant | None = None

    def set(self, at: Instant) -> list[RingEffect]:
        """Ring at that instant, unless an earlier one is set already."""
        if self._due is not None and self._due <= at:
            return []
        self._due = at
        return [WakeAt(at=at, event=self._event)]

    def rings(self, now: Instant) -> bool:
        """Tell whether this event is the one that was set last, and take the setting off."""
        if self._due is None or now < self._due:
            return False
        self._due = None
        return True


class RequestAlarms:
    """Rings for all requests of one part by one timer: most requests end long before they are due, and cost none."""

    def __init__(self, owner: Owner) -> None:
        self._alarm = Alarm(RequestDue(request="", owner=owner))
        self._due: dict[str, Instant] = {}
        self._queue: list[tuple[Instant, str]] = []

    def set(self, request: str, at: Instant) -> list[RingEffect]:
        """Ring for a request at that instant, unless an earlier one is set for it already."""
        due = self._due.get(request)
        if due is not None and due <= at:
            return []
        self._due[request] = at
        heappush(self._queue, (at, request))
        return self._alarm.set(at)

    def drop(self, request: str) -> None:
        """Take off what is set for a request that has ended."""
        self._due.pop(request, None)

    def rung(self, now: Instant) -> list[str]:
        """Name the requests that are due, in order, and take their settings off; `wake` must follow."""
        if not self._alarm.rings(now):
            return []
        due = []
        while self._queue and (self._queue[0][0] <= now or not self._is_set(*self._queue[0])):
            at, request = heappop(self._queue)
            if self._is_set(at, request):
                del self._due[request]
                due.append(request)
        return due

    def wake(self) -> list[RingEffect]:
        """Ring again for the request that is due first."""
        return self._alarm.set(self._queue[0][0]) if self._queue else []

    def _is_set(self, at: Instant, request: str) -> bool:
        return self._due.get(request) == at
