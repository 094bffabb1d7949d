"""Keep one repeating timer single, however often it is hurried."""

from .effects import RingEffect, WakeAt
from .events import RingEvent
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
