"""Keep the records that a map attempt passes on, dealt out to partitions, until its run is written."""

from collections.abc import Iterator, Sequence
from os.path import dirname

import numpy as np

from ..shuffle.dealing import Dealer
from ..shuffle.memory import HELD_SHARE, block_bytes
from .records import Places, Records, bodies_of, records_of_body
from .spilling import RecordSpills

RECORDS_SHARE = HELD_SHARE / 2
"""What records may take of an attempt's budget, for pairs may come after them."""


class RecordShuffle:
    """Takes records batch by batch, and gives each partition its own as blocks for a run, in the order they came.

    What is too much for memory is spilled, a segment for each partition. It is not sorted, for the reducer sorts
    everything at once.
    """

    def __init__(self, partitions: int, dealer: Dealer, cuts: Sequence[bytes] | None, memory: int, output: str) -> None:
        """Deal by `cuts` where these are given, else as the dealer does; `memory` is the attempt's budget in bytes."""
        self._partitions = partitions
        self._dealer = dealer
        self._cuts = cuts
        self._memory = memory
        self._folder = dirname(output)  # noqa: PTH120 - spares the import of pathlib
        self._held: list[list[Records]] = [[] for _ in range(partitions)]
        self._bytes = 0
        self._spills: RecordSpills | None = None

    def add(self, records: Records) -> None:
        """Take records; raises `UserFault` for what the partitioner did wrong, `OSError` for a full disk."""
        for held, share in zip(self._held, self._dealt(records), strict=True):
            if len(share):
                held.append(share)
        self._bytes += records.rows.nbytes
        if self._bytes > self._memory * RECORDS_SHARE:
            self._spill()

    def bodies(self, partition: int) -> Iterator[tuple[bytes, int]]:
        """Give a partition's blocks, each with its records; nothing can be added any more.

        Raises `InputUnreadable` if what was spilled is damaged.
        """
        if self._spills is not None:
            for segment in range(partition, self._spills.segments, self._partitions):
                for body in self._spills.bodies(segment):
                    yield body, len(records_of_body(body))
        yield from bodies_of(self._held[partition], block_bytes(self._memory))
        self._held[partition].clear()

    def close(self) -> None:
        """Give back the room that spills take."""
        if self._spills is not None:
            self._spills.close()

    def _dealt(self, records: Records) -> list[Records]:
        if self._partitions == 1:
            return [records]
        return records.dealt(self._numbers(records), self._partitions)

    def _numbers(self, records: Records) -> Places:
        if self._cuts is None or any(len(cut) > records.layout.key_bytes for cut in self._cuts):
            return np.array(self._dealer(records.keys()), np.intp)
        return records.ranges(self._cuts)

    def _spill(self) -> None:
        self._spills = self._spills or RecordSpills(self._folder, self._memory)
        for held in self._held:
            self._spills.add(held)
            held.clear()
        self._bytes = 0
