"""Carry out the ring's store operations durably: one writer thread, one commit for all that waits (group commit)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from ...ring.copies.replica import apply
from ...ring.errors import InvariantBroken, WorldError
from ...ring.operations import Operation, StoreFailed, StoreOutcome
from .rows import Rows

Ticketed = tuple[int, Operation]
Outcomes = list[tuple[int, StoreOutcome]]

CLOSING_S: Final = 30.0
"""Time for the operations that wait when the store is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How safe and how wide commits are.

    `relaxed` syncs only now and then: a power cut may take the newest commits, though a killed process loses none.
    At most `batch_max` operations share a commit: past 64 each costs 24 µs, so more would only add latency.
    """

    relaxed: bool = False
    batch_max: int = 256


class Store:
    """The durable half of a ring machine."""

    def __init__(self, directory: Path, settings: StoreSettings, deliver: Callable[[Outcomes], None]) -> None:
        """Open the store and begin to write; `deliver` is called in the writer thread, after each commit.

        Raises:
            WorldError: the disk refused.
        """
        self._deliver = deliver
        self._batch_max = settings.batch_max
        self._waiting: SimpleQueue[Ticketed | None] = SimpleQueue()
        self._closing = False
        self._rows = Rows(directory, full_sync=not settings.relaxed)
        self._rows.close()  # this thread's connection; the writer opens its own
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
        self._waiting.put((ticket, operation))

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

    def _write(self) -> None:
        try:
            while batch := self._next_batch():
                self._carry_out(batch)
        finally:
            self._rows.close()

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
            self._deliver(outcomes)
            return
        for ticket, operation in batch:
            self._deliver([(ticket, self._alone(operation))])

    def _in_one_commit(self, batch: Sequence[Ticketed]) -> Outcomes | None:
        try:
            with self._rows.transaction():
                return [(ticket, self._step(operation)) for ticket, operation in batch]
        except WorldError:
            return None  # the reason comes out again, for each operation that meets it

    def _alone(self, operation: Operation) -> StoreOutcome:
        try:
            with self._rows.transaction():
                return self._step(operation)
        except WorldError as error:
            return StoreFailed(reason=str(error))

    def _step(self, operation: Operation) -> StoreOutcome:
        """Run one operation inside the open transaction; a copy that cannot be read fails this one only."""
        try:
            writes, outcome = apply(operation, self._rows.get, self._rows.scan)
        except WorldError as error:
            return StoreFailed(reason=str(error))
        for key, value in writes.items():
            if value is None:
                self._rows.delete(key)
            else:
                self._rows.put(key, value)
        return outcome
