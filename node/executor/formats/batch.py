"""Walk through some records as pairs, and know at no cost how far the walk has come."""

from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from typing import Any

Pairs = Iterator[tuple[Any, Any]]
Pairing = Callable[[Iterator[Any]], Pairs]


class Batch:
    """Some records in a row, and how far the walk through them has come: known at no cost to the walk itself."""

    __slots__ = ("_pairing", "_records", "_walk", "first_line", "size")

    def __init__(self, *, first_line: int, size: int, records: list[Any], pairing: Pairing) -> None:
        self.first_line = first_line
        self.size = size
        self._records = records
        self._pairing = pairing
        self._walk = iter(records)

    def __len__(self) -> int:
        return len(self._records)

    def pairs(self) -> Pairs:
        """Walk through the records as pairs of key and value."""
        return self._pairing(self._walk)

    @property
    def count(self) -> int:
        """Count the records."""
        return len(self._records)

    @property
    def taken(self) -> int:
        """Count the records that the walk has taken: a list's iterator knows what is left."""
        return len(self._records) - length_hint(self._walk)

    @property
    def line(self) -> int:
        """Give the number of the line that was taken last."""
        return self.first_line + max(self.taken - 1, 0)

    @property
    def record(self) -> Any:
        """Give the record that was taken last."""
        return self._records[max(self.taken - 1, 0)] if self._records else ""


def numbered(number: int) -> Pairing:
    """Let the keys of records be their numbers, from this one on."""
    return lambda walk: enumerate(walk, number)


def zipped(keys: Iterable[Any]) -> Pairing:
    """Let these be the keys of records."""
    return lambda walk: zip(keys, walk)  # noqa: B905 - keys may go on: only the walk's end counts
