"""Set values that have ended down as tombstones, now and then, so that they are reaped like those of deletes."""

from collections.abc import Iterator

from ..effects import Operate, RingEffect, WakeAt
from ..events import ExpiryDue, OperationDone, RingEvent, Started
from ..operations import ExpireVersions
from ..outcomes import VersionsExpired
from ..terms import Instant

EVERY_S = 5.0
"""Readers are told of an end at once; this is only how long the row of a value outlives it."""

KEYS_AT_ONCE = 256


class Expiry:
    """Wakes up again and again, and works through what has ended page by page."""

    def __init__(self, tickets: Iterator[int]) -> None:
        self._tickets = tickets
        self._ticket = 0

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a wake or what came of a page; all else is no business of this part."""
        match event:
            case Started():
                return [WakeAt(at=Instant(now + EVERY_S), event=ExpiryDue())]
            case ExpiryDue():
                return self._turn_page()
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._ticket:
                if isinstance(outcome, VersionsExpired) and outcome.more:
                    return self._turn_page()
                return [WakeAt(at=Instant(now + EVERY_S), event=ExpiryDue())]
            case _:
                return []

    def _turn_page(self) -> list[RingEffect]:
        self._ticket = next(self._tickets)
        return [Operate(ticket=self._ticket, operation=ExpireVersions(limit=KEYS_AT_ONCE))]
