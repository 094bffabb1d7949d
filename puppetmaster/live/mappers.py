"""Map as the course's mappers do: the classes that scripts of the original assignment name, each a shipped one here.

The course's mappers number their pairs with a counter of their own process; here the key is the line's true number in
the file, so that an output does not depend on who mapped what.
"""

import time
from collections.abc import Iterable

from murmuration import Mapper

Pairs = Iterable[tuple[object, object]]

SLEEP_S = 1.0
NAP_S = 0.02


class CharCountMapper(Mapper):
    """Counts the characters of each line."""

    def map(self, key: int, value: str) -> Pairs:
        """See a line number and a line."""
        yield key, len(value)


class ParadiseCountMapper(Mapper):
    """Gives a one for each line that holds a certain word, spelt so."""

    word = "Paradise"

    def map(self, key: int, value: str) -> Pairs:
        """See a line number and a line."""
        if self.word in value:
            yield key, 1


class TimeMapper(Mapper):
    """Takes a second for each line, and gives it as it is."""

    def map(self, key: int, value: str) -> Pairs:
        """See a line number and a line."""
        time.sleep(SLEEP_S)  # noqa: TID251 -- sleeping is what it is for
        yield key, value


class NapMapper(Mapper):
    """Takes a fiftieth of a second for each line, and gives its length: work that needs no processor."""

    def map(self, key: int, value: str) -> Pairs:
        """See a line number and a line."""
        time.sleep(NAP_S)  # noqa: TID251 -- sleeping is what it is for
        yield key, len(value)


class DummyMapper(Mapper):
    """Gives the same two pairs for each line, as the course's template does."""

    def map(self, line: str) -> Pairs:  # type: ignore[override]  # the course's signature
        """See a line, and nothing of where it stands."""
        return [("key1", line[:1]), ("key2", line[-1:])]
