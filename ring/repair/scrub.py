"""Read all that lies on the disk in turn, slowly, so that damage is found while there are still sound copies elsewhere.

    rows    ScrubRows ──> RowsScrubbed            some rows of the store, in the order of their keys
    chunks  ScrubChunks ──> ChunksScrubbed        some whole chunks, and those that a reader has found damaged meanwhile
    rest    until the next pass; only what readers have found damaged is asked for, for it must not wait so long

How long the next step waits follows from how much the last one has read, so the disk is kept at one small rate. What is
found is mended by `Mending`. A restart begins a pass anew: a cursor on the disk would cost a write for each step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..alarm import Alarm
from ..effects import Operate, RingEffect, ScrubChunks
from ..events import ChunksScrubbed, OperationDone, RingEvent, ScrubDue, Started
from ..operations import ScrubRows
from ..outcomes import RowsScrubbed
from ..terms import Instant
from .mending import Mending

ROWS_MAX: Final = 256
"""Rows that one step reads at most: it goes through the store's only writer, and others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubSettings:
    """Set the pace; all times in seconds.

    At `bytes_per_s` a terabyte takes three days, and a disk is busy for a few hundredths of its time. `rest_s` passes
    between two passes; small stores would else be read without end.
    """

    bytes_per_s: float = 4 << 20
    step_s: float = 0.25
    step_bytes: int = 256 << 10
    look_s: float = 5.0
    rest_s: float = 600.0

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pace or a pause is not positive.
        """
        if min(self.bytes_per_s, self.step_s, self.step_bytes, self.look_s, self.rest_s) <= 0:
            raise ValueError(f"the scrub's pace and pauses must be positive: {self}")


class Stage(Enum):
    """What a pass is at."""

    ROWS = "rows"
    CHUNKS = "chunks"
    REST = "rest"


def pause_s(bytes_read: int, settings: ScrubSettings) -> float:
    """Tell how long to wait after a step that has read so much."""
    return max(settings.step_s, bytes_read / settings.bytes_per_s)


def rows_next(rows: int, bytes_read: int, settings: ScrubSettings) -> int:
    """Tell how many rows the next step takes, if they are as large as those of the last one."""
    return max(1, min(ROWS_MAX, settings.step_bytes * max(1, rows) // max(1, bytes_read)))


class Scrub:
    """Where the pass is, and what it has read so far."""

    def __init__(self, *, tickets: Iterator[int], settings: ScrubSettings, mending: Mending) -> None:
        self._tickets = tickets
        self._settings = settings
        self._mending = mending
        self._alarm = Alarm(ScrubDue())
        self._asked: int | None = None
        self._after = b""
        self._rows_wanted = 1
        self._rested_until = Instant(0.0)
        self.stage = Stage.ROWS
        self.passes = 0
        """Passes that have come to their end since the start."""
        self.rows_read = 0
        self.bytes_read = 0

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take the start, a wake or the outcome of a step; all else is no business of this part."""
        match event:
            case Started():
                return self._alarm.set(Instant(now + self._settings.look_s))
            case ScrubDue() if self._alarm.rings(now):
                return self._step(now)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._asked:
                self._asked = None
                if not isinstance(outcome, RowsScrubbed):  # the disk refuses just now
                    return self._alarm.set(Instant(now + self._settings.look_s))
                return self._rows_scrubbed(now, outcome)
            case ChunksScrubbed(ticket=ticket) if ticket == self._asked:
                self._asked = None
                return self._chunks_scrubbed(now, event)
            case _:
                return []

    def _step(self, now: Instant) -> list[RingEffect]:
        if self.stage is Stage.REST and now >= self._rested_until:
            self._enter(Stage.ROWS)
        self._asked = ticket = next(self._tickets)
        if self.stage is Stage.ROWS:
            return [Operate(ticket=ticket, operation=ScrubRows(after=self._after, limit=self._rows_wanted))]
        bytes_max = 0 if self.stage is Stage.REST else self._settings.step_bytes
        return [ScrubChunks(ticket=ticket, after=self._after, bytes_max=bytes_max)]

    def _rows_scrubbed(self, now: Instant, step: RowsScrubbed) -> list[RingEffect]:
        self.rows_read += step.rows
        self._mending.found_rows(step)
        self._rows_wanted = rows_next(step.rows, step.bytes_read, self._settings)
        if step.after is None:
            self._enter(Stage.CHUNKS)
        else:
            self._after = step.after
        return self._wait(now, step.bytes_read)

    def _chunks_scrubbed(self, now: Instant, step: ChunksScrubbed) -> list[RingEffect]:
        self._mending.found_chunks(step.damaged)
        if self.stage is Stage.REST:
            return self._alarm.set(Instant(now + self._settings.look_s))
        if step.after is None:
            self._enter(Stage.REST)
            self._rested_until = Instant(now + self._settings.rest_s)
            self.passes += 1
        else:
            self._after = step.after
        return self._wait(now, step.bytes_read)

    def _enter(self, stage: Stage) -> None:
        self.stage, self._after = stage, b""

    def _wait(self, now: Instant, bytes_read: int) -> list[RingEffect]:
        self.bytes_read += bytes_read
        return self._alarm.set(Instant(now + pause_s(bytes_read, self._settings)))
