"""Merge sorted records that are read block by block, as `shuffle/merging` does pairs: in rounds, not one by one.

In each round the records below the least key that ends a block in memory are complete, so they are sorted at once. The
records of that key itself may go on in blocks that are still to be read; they are taken input by input.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic

from .rows import R


class _Input(Generic[R]):
    """One sorted input: the records of a block that are still to be taken, and the blocks to come."""

    def __init__(self, blocks: Iterator[R]) -> None:
        self._blocks = blocks
        self._block: R | None = None
        self._at = 0

    def fill(self) -> bool:
        """Read the next block if this one is used up; tell whether there are records."""
        while self._block is None or self._at == len(self._block):
            self._block = next(self._blocks, None)
            self._at = 0
            if self._block is None:
                return False
        return True

    def last_key(self) -> Any:
        """Give the key that ends the block in memory."""
        return self._filled.key(len(self._filled) - 1)

    def before(self, key: Any) -> R:
        """Take the records in memory whose keys are below this one."""
        begin, self._at = self._at, self._filled.before(key, self._at)
        return self._filled.part(begin, self._at)

    def of_key(self, key: Any) -> Iterator[R]:
        """Take the records of the key, those in blocks to come too; none of a lesser key may be left."""
        while self.fill() and self._filled.key(self._at) == key:
            begin, self._at = self._at, self._filled.up_to(key, self._at)
            yield self._filled.part(begin, self._at)

    @property
    def _filled(self) -> R:
        if self._block is None:
            raise RuntimeError("no block is in memory")
        return self._block


def merged(inputs: Iterable[Iterator[R]], joined: Callable[[Sequence[R]], R]) -> Iterator[R]:
    """Merge; equal keys keep the order of the inputs. `joined` makes one of several."""
    live = [each for each in map(_Input, inputs) if each.fill()]
    while live:
        bound = min(each.last_key() for each in live)
        below = joined([each.before(bound) for each in live])
        if len(below):
            yield below.sorted()
        for each in live:
            yield from each.of_key(bound)
        live = [each for each in live if each.fill()]
