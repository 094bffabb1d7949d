"""Keep the records that a map attempt passes on, dealt out to partitions, until its run is written."""

from collections.abc import Callable, Iterator, Sequence
from os.path import dirname
from typing import Generic

import numpy as np

from ..shuffle.dealing import Dealer
from ..shuffle.memory import HELD_SHARE, block_bytes
from .records import Records
from .rows import R, RowKind
from .spilling import RowSpills

RECORDS_SHARE = HELD_SHARE / 2
"""What records may take of an attempt's budget, for pairs may come after them."""


class RowShuffle(Generic[R]):
    """Takes rows batch by batch, and gives each partition its own as blocks for a run, in the order they came.

    What is too much for memory is spilled, a segment for each partition. It is not sorted, for the reducer sorts
    everything at once.
    """

    def __init__(
        self, kind: RowKind[R], deal: Callable[[R], list[R]], partitions: int, memory: int, output: str
    ) -> None:
        """Let `deal` give each partition its rows; `memory` is the attempt's budget in bytes."""
        self._kind = kind
        self._deal = deal
        self._partitions = partitions
        self._memory = memory
        self._folder = dirname(output)  # noqa: PTH120 - spares the import of pathlib
        self._held: list[list[R]] = [[] for _ in range(partitions)]
        self._bytes = 0
        self._spills: RowSpills[R] | None = None

    def add(self, rows: R) -> None:
        """Take rows; raises `UserFault` for what the partitioner did wrong, `OSError` for a full disk."""
        for held, share in zip(self._held, self._deal(rows), strict=True):
            if len(share):
                held.append(share)
        self._bytes += rows.nbytes
        if self._bytes > self._memory * RECORDS_SHARE:
            self._spill()

    def bodies(self, partition: int) -> Iterator[tuple[bytes, int]]:
        """Give a partition's blocks, each with its rows; nothing can be added any more.

        Raises `InputUnreadable` if what was spilled is damaged.
        """
        if self._spills is not None:
            for segment in range(partition, self._spills.segments, self._partitions):
                for body in self._spills.bodies(segment):
                    yield body, len(self._kind.of_body(body))
        yield from self._kind.bodies(self._held[partition], block_bytes(self._memory))
        self._held[partition].clear()

    def close(self) -> None:
        """Give back the room that spills take."""
        if self._spills is not None:
            self._spills.close()

    def _spill(self) -> None:
        self._spills = self._spills or RowSpills(self._kind, self._folder, self._memory)
        for held in self._held:
            self._spills.add(held)
            held.clear()
        self._bytes = 0


def dealing_records(
    partitions: int, dealer: Dealer, cuts: Sequence[bytes] | None
) -> Callable[[Records], list[Records]]:
    """Give what deals records by `cuts` where these are given, else as the dealer does."""

    def deal(records: Records) -> list[Records]:
        if partitions == 1:
            return [records]
        if cuts is None or any(len(cut) > records.layout.key_bytes for cut in cuts):
            return records.dealt(np.array(dealer(records.keys()), np.intp), partitions)
        return records.dealt(records.ranges(cuts), partitions)

    return deal
