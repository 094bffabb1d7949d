"""Merge sorted inputs that are read block by block: every key once, in order, with its values in the inputs' order.

In each round the rows below the least key that ends a block in memory are complete, so they are brought together and
sorted at once: twice as fast as a heap, for `list.sort` finds the sorted stretches. The rows of that least key itself
may go on in blocks that are still to be read, in any of the inputs; they are taken input by input, and so a key's
values may be more than fit into memory.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from ....scheduling.ordering import order_key, sorted_by_key
from .memory import weight_of_columns
from .runs import Columns

ONE_PASS = "there are too many values of this key for memory, so they come as an iterator: go through them once"


class LargeValues(Iterator[Any]):
    """The values of a key that do not fit into memory: an iterator, which ends when the next key is asked for."""

    def __init__(self, values: Iterator[Any]) -> None:
        self._values = values

    def __next__(self) -> Any:
        return next(self._values)

    def __len__(self) -> int:
        raise TypeError(ONE_PASS)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: object) -> Any:
        raise TypeError(ONE_PASS)


Values = list[Any] | LargeValues
Group = tuple[Any, Values]


class _Input:
    """One sorted input: the rows of a block that are still to be taken, and the blocks to come."""

    def __init__(self, blocks: Iterator[Columns]) -> None:
        self._blocks = blocks
        self.keys: list[Any] = []
        self._lists: Sequence[list[Any]] = ()
        self._at = 0
        self.fill()

    def fill(self) -> bool:
        """Read the next block if this one is used up; tell whether there are rows."""
        while self._at == len(self.keys):
            columns = next(self._blocks, None)
            if columns is None:
                return False
            self.keys, values = columns
            self._lists = [[value] for value in values] if isinstance(values, tuple) else values
            self._at = 0
        return True

    def before(self, order: Any) -> Iterable[tuple[Any, list[Any]]]:
        """Take the rows in memory whose keys come before that place in the order."""
        begin = self._at
        self._at = end = bisect_left(self.keys, order, begin, key=order_key)
        return zip(self.keys[begin:end], self._lists[begin:end], strict=True)

    def of_key(self, order: Any) -> Iterator[tuple[Any, list[Any]]]:
        """Take the rows of the key at that place, those in blocks to come too; none of a lesser key may be left."""
        while self.fill() and order_key(self.keys[self._at]) == order:
            self._at += 1
            yield self.keys[self._at - 1], self._lists[self._at - 1]


def merged(inputs: Iterable[Iterator[Columns]], memory: int) -> Iterator[Group]:
    """Merge; a key's values are a list unless they take more than `memory` bytes.

    Equal keys come together as the first of them. Whoever asks for the next key has done with the values of this one.
    """
    live = [each for each in map(_Input, inputs) if each.keys]
    while live:
        bound = min(order_key(each.keys[-1]) for each in live)
        yield from _grouped(sorted_by_key(chain.from_iterable([each.before(bound) for each in live])))
        yield from _last_group(chain.from_iterable([each.of_key(bound) for each in live]), memory)
        live = [each for each in live if each.fill()]


def _grouped(rows: list[tuple[Any, list[Any]]]) -> Iterator[Group]:
    """Bring the rows of equal keys together."""
    if not rows:
        return
    current, values = rows[0]
    for key, more in rows[1:]:
        if key == current:
            values += more
        else:
            yield current, values
            current, values = key, more
    yield current, values


def _last_group(rows: Iterator[tuple[Any, list[Any]]], memory: int) -> Iterator[Group]:
    """Give the key whose rows these are, with its values as a list as long as they fit."""
    key, values = next(rows)
    held = weight_of_columns([values])
    for _, more in rows:
        held += weight_of_columns([more])
        values += more
        if held > memory:
            break
    else:
        yield key, values
        return
    rest = LargeValues(chain(values, chain.from_iterable(more for _, more in rows)))
    del values
    yield key, rest
    for _ in rest:
        pass
