"""Decide how many hints may be under way to one target: more while it answers soon, fewer once it is busy.

    acknowledged soon    one more at a time, up to `in_flight_max`: so the window doubles with every round trip
    acknowledged late    one fewer, down to `in_flight`: what clients ask of the target waits in the same queue

Large hints are few: both a page and a window have a limit in bytes.
"""

from collections.abc import Iterable

from ..outcomes import Hint
from .settings import HandoffSettings

_BESIDE_VALUES = 256
"""Bytes that a hint takes beside its values, estimated from above."""


def size_of(hint: Hint) -> int:
    """Estimate the bytes of a hint in memory and on the wire; a chunk itself travels apart."""
    siblings = () if hint.versions is None else hint.versions.siblings
    return len(hint.key) + _BESIDE_VALUES + sum(len(sibling.value or b"") for sibling in siblings)


class Credit:
    """The window of one delivery, and the page that it lists next."""

    def __init__(self, settings: HandoffSettings) -> None:
        self._settings = settings
        self._window = settings.in_flight
        self._bytes = 0
        self.page = settings.page

    def has_room(self, count: int) -> bool:
        """Tell whether one more hint may go beside so many."""
        return count < self._window and self._bytes < self._settings.bytes_in_flight_max

    def listed(self, hints: Iterable[Hint]) -> None:
        """Choose the length of the next page by what the hints of this one weigh."""
        sizes = [size_of(hint) for hint in hints]
        if sizes:
            fitting = self._settings.page_bytes_max * len(sizes) // sum(sizes)
            self.page = max(self._settings.page, min(self._settings.page_max, fitting))

    def launched(self, hint: Hint) -> None:
        """Take note that a hint is under way."""
        self._bytes += size_of(hint)

    def landed(self, hint: Hint, waited_s: float) -> None:
        """Take note that a hint is no longer under way, after so many seconds."""
        self._bytes -= size_of(hint)
        step = 1 if waited_s <= self._settings.soon_s else -1
        self._window = max(self._settings.in_flight, min(self._settings.in_flight_max, self._window + step))
