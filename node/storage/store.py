"""Carry out the ring's store operations durably: one writer thread, one commit for all that waits (group commit)."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NoReturn

from ...ring.copies.replica import apply
from ...ring.errors import InvariantBroken, WorldError
from ...ring.operations import READS, IndexCopies, MintVersion, Operation, ReadVersions
from ...ring.outcomes import CopiesIndexed, StoreFailed, StoreOutcome, VersionsMerged
from ...ring.terms import VNODES
from .draft import Draft
from .lazy_sync import LazySync
from .recent import RecentRows
from .rows import Rows
from .unsettled import UnsettledWrites

Ticketed = tuple[int, Operation]
Outcomes = list[tuple[int, StoreOutcome]]
Foretold = list[tuple[int, VersionsMerged]]

CLOSING_S: Final = 30.0
"""Time for the operations that wait when the store is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How safe and how wide commits are.

    `relaxed` syncs once a second: a power cut may take the commits since, though a killed process loses none.
    At most `batch_max` operations share a commit: past 64 each costs 24 µs, so more would only add latency. Rows of
    `recent_bytes` in all are kept in memory beside the disk. The trees are those of `vnodes`, the same at all peers.
    """

    relaxed: bool = False
    batch_max: int = 256
    recent_bytes: int = 16 << 20
    vnodes: int = VNODES


class Store:
    """The durable half of a ring machine."""

    def __init__(
        self,
        directory: Path,
        settings: StoreSettings,
        deliver: Callable[[Outcomes], None],
        foretell: Callable[[Foretold], None] = lambda _: None,
    ) -> None:
        """Open the store and begin to write; `deliver` is called in the writer thread, after each commit.

        Before a commit `foretell` is called there with the mints in it that are to be foretold.

        Raises:
            WorldError: the disk refused.
        """
        self.is_relaxed = settings.relaxed
        self._deliver = deliver
        self._foretell = foretell
        self._batch_max = settings.batch_max
        self._vnodes = settings.vnodes
        self._is_indexed = False
        self._waiting: SimpleQueue[Ticketed | None] = SimpleQueue()
        self._closing = False
        self._unix_ms = 0
        self._recent = RecentRows(settings.recent_bytes)
        self._unsettled = UnsettledWrites()
        self._rows = Rows(directory, full_sync=not settings.relaxed)
        self._rows.close()  # this thread's connection; the writer opens its own
        self._lazy_sync = LazySync(directory) if settings.relaxed else None
        self._writer = threading.Thread(target=self._write, name="store", daemon=True)
        self._writer.start()

    def submit(self, ticket: int, operation: Operation) -> None:
        """Queue an operation without blocking; its outcome is delivered under `ticket` once its writes are durable.

        What comes after `close` is dropped, as if the process had ended by then.

        Raises:
            InvariantBroken: the writer thread has met an error that nobody foresaw.
        """
        if not self._closing and not self._writer.is_alive():
            raise InvariantBroken("the store's writer has ended; its last words are on stderr")
        self._unsettled.begin(operation)
        self._waiting.put((ticket, operation))

    def read_now(self, operation: Operation) -> StoreOutcome | None:
        """Give the outcome of a read at once, if its row is in memory and no write submitted before may change it."""
        if not isinstance(operation, ReadVersions) or self._unsettled.may_change(operation.key):
            return None
        try:
            find = self._recent.find
            return apply(operation, find, _nothing_else, unix_ms=self._clock_ms(), vnodes=self._vnodes)[1]
        except KeyError:
            return None

    def hints(self) -> dict[str, float]:
        """Count the hints that wait for their peers, their bytes, and the age of the oldest; in any thread.

        Raises:
            WorldError: the disk refused.
        """
        try:
            rows, size, oldest = self._rows.tally(b"h/")
        finally:
            self._rows.close()  # this thread's connection
        age_s = 0.0 if oldest is None else max(0.0, time.time() - oldest)
        return {"hints.waiting": rows, "hints.waiting_bytes": size, "hints.oldest_s": age_s}

    def close(self) -> None:
        """Carry out what waits, then close.

        Raises:
            WorldError: the disk did not take it in time.
        """
        self._closing = True
        self._waiting.put(None)
        self._writer.join(CLOSING_S)
        if self._writer.is_alive():
            raise WorldError(
                f"the disk has not taken the last writes within {CLOSING_S:.0f} s; they are not acknowledged"
            )
        if self._lazy_sync is not None:
            self._lazy_sync.close()

    def _write(self) -> None:
        try:
            self._index()
            while batch := self._next_batch():
                if not self._is_indexed:
                    self._index()
                self._carry_out(batch)
        finally:
            self._rows.close()

    def _index(self) -> None:
        """Index a store that is older than its index, a page a commit; where the disk refuses, the next batch tries."""
        outcome = self._alone(IndexCopies())
        while isinstance(outcome, CopiesIndexed) and outcome.more:
            outcome = self._alone(IndexCopies())
        self._is_indexed = isinstance(outcome, CopiesIndexed)

    def _next_batch(self) -> list[Ticketed]:
        """Wait for an operation and take all that wait with it; nothing once the store is being closed."""
        batch: list[Ticketed] = []
        waiting = self._waiting.get()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == self._batch_max:
                return batch
            try:
                waiting = self._waiting.get_nowait()
            except Empty:
                return batch
        if batch:
            self._waiting.put(None)  # seen too early: it ends the next round
        return batch

    def _carry_out(self, batch: Sequence[Ticketed]) -> None:
        """Run a batch in one commit; if the disk refuses that, run them one by one, so that each fails for itself."""
        outcomes = self._in_one_commit(batch)
        if outcomes is not None:
            self._settle(batch, outcomes)
            return
        for ticket, operation in batch:
            self._settle([(ticket, operation)], [(ticket, self._alone(operation))])

    def _settle(self, batch: Sequence[Ticketed], outcomes: Outcomes) -> None:
        for _, operation in batch:
            self._unsettled.end(operation)
        self._deliver(outcomes)

    def _in_one_commit(self, batch: Sequence[Ticketed]) -> Outcomes | None:
        draft = Draft(self._rows, self._recent)
        outcomes = [(ticket, self._step(draft, operation)) for ticket, operation in batch]
        foretold = list(_foretold(batch, outcomes))
        if foretold:
            self._foretell(foretold)
        try:
            draft.commit()
        except WorldError:
            return None  # the reason comes out again, for each operation that meets it
        return outcomes

    def _alone(self, operation: Operation) -> StoreOutcome:
        draft = Draft(self._rows, self._recent)
        outcome = self._step(draft, operation)
        try:
            draft.commit()
        except WorldError as error:
            return StoreFailed(reason=str(error))
        return outcome

    def _step(self, draft: Draft, operation: Operation) -> StoreOutcome:
        """Run one operation of a batch; a copy that cannot be read fails this one only."""
        if not (self._is_indexed or isinstance(operation, (*READS, IndexCopies))):
            return StoreFailed(reason="the disk is full or fails: the store's index could not be written yet")
        try:
            read, scan = draft.read, draft.scan
            writes, outcome = apply(operation, read, scan, unix_ms=self._clock_ms(), vnodes=self._vnodes)
        except WorldError as error:
            return StoreFailed(reason=str(error))
        draft.write(writes)
        return outcome

    def _clock_ms(self) -> int:
        """Tell the time by which values end; it is not let run back, so that none is seen again."""
        self._unix_ms = max(self._unix_ms, time.time_ns() // 1_000_000)
        return self._unix_ms


def _foretold(batch: Sequence[Ticketed], outcomes: Outcomes) -> Iterator[tuple[int, VersionsMerged]]:
    for (ticket, operation), (_, outcome) in zip(batch, outcomes, strict=True):
        if isinstance(operation, MintVersion) and operation.is_foretold and isinstance(outcome, VersionsMerged):
            yield ticket, outcome


def _nothing_else(prefix: bytes, after: bytes, limit: int) -> NoReturn:  # noqa: ARG001, for it stands for a scan
    raise KeyError(prefix)
