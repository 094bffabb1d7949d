"""The scrub: its pace follows what it reads, and what it finds is mended, checked and counted."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.copies.scrubbing import scrub_rows
from murmuration.ring.effects import MendChunk, Operate, RingEffect, ScrubChunks, WakeAt
from murmuration.ring.errors import Corrupt
from murmuration.ring.events import ChunkPulled, ChunksScrubbed, DamagedChunk, OperationDone, RingEvent, Started
from murmuration.ring.operations import ReadVersions, ScrubRows
from murmuration.ring.outcomes import RowsScrubbed, StoreFailed, VersionsRead
from murmuration.ring.repair.mending import PULLS_AT_ONCE, TRIES_MAX, Mending
from murmuration.ring.repair.scrub import ROWS_MAX, Scrub, ScrubSettings, Stage, pause_s, rows_next
from murmuration.ring.terms import Instant

SETTINGS = ScrubSettings()


@given(st.integers(0, 1 << 40), st.integers(0, ROWS_MAX))
def test_pace_never_exceeds_the_bytes_a_second_nor_asks_for_nothing(bytes_read: int, rows: int) -> None:
    assert bytes_read / pause_s(bytes_read, SETTINGS) <= SETTINGS.bytes_per_s
    assert 1 <= rows_next(rows, bytes_read, SETTINGS) <= ROWS_MAX


def test_settings_without_a_pace_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        ScrubSettings(bytes_per_s=0)


# --- rows ---


def scrub_of(rows: dict[bytes, bytes | None], after: bytes = b"", limit: int = 100) -> tuple[dict, RowsScrubbed]:
    def read(row: bytes) -> bytes | None:
        if row in rows and rows[row] is None:
            raise Corrupt("flipped")
        return rows.get(row)

    def scan(prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        return [(row, rows[row]) for row in sorted(rows) if row.startswith(prefix) and row > after][:limit]

    return scrub_rows(ScrubRows(after=after, limit=limit), read, scan)


def test_damaged_rows_are_told_apart_by_what_can_be_done_about_them() -> None:
    rows = {b"v/a": None, b"v/b": b"sound", b"p/r": None, b"h/peer/v/b": None}
    writes, found = scrub_of(rows)
    assert (found.keys, found.others, found.hints, found.after) == ((b"a",), (b"p/r",), 1, None)
    assert writes == {b"h/peer/v/b": b"sound"}


def test_damaged_hint_of_a_key_that_is_damaged_as_well_is_dropped() -> None:
    writes, _ = scrub_of({b"v/a": None, b"h/peer/v/a": None})
    assert writes == {b"h/peer/v/a": None}


def test_damaged_hint_for_a_key_with_slashes_is_made_of_that_key() -> None:
    writes, _ = scrub_of({b"v/a/b/c": b"sound", b"h/peer/v/a/b/c": None})
    assert writes == {b"h/peer/v/a/b/c": b"sound"}


@given(st.dictionaries(st.binary(min_size=1, max_size=4).map(b"v/".__add__), st.sampled_from([b"sound", None])))
def test_pass_in_steps_sees_every_row_once(rows: dict[bytes, bytes | None]) -> None:
    after: bytes | None = b""
    keys: list[bytes] = []
    read = 0
    while after is not None:
        _, step = scrub_of(rows, after, 2)
        keys += step.keys
        read += step.rows
        after = step.after
    assert read == len(rows)
    assert [b"v/" + key for key in keys] == sorted(row for row in rows if rows[row] is None)


# --- a pass ---


class Pass:
    """A scrub and its mending, whose wakes are carried out at once."""

    def __init__(self) -> None:
        self.mending = Mending(tickets=count(1))
        self.scrub = Scrub(tickets=count(100), settings=SETTINGS, mending=self.mending)
        self.now = 0.0

    def wake(self, effects: list[RingEffect]) -> list[RingEffect]:
        (wake,) = [effect for effect in effects if isinstance(effect, WakeAt)]
        self.now = wake.at
        return self.feed(wake.event)

    def feed(self, event: RingEvent) -> list[RingEffect]:
        now = Instant(self.now)
        return [*self.scrub.handle(now, event), *self.mending.handle(now, event)]


def step(after: bytes | None, *keys: bytes) -> RowsScrubbed:
    return RowsScrubbed(keys=keys, hints=0, others=(), after=after, rows=1, bytes_read=100)


def test_pass_reads_all_rows_then_all_chunks_and_rests() -> None:
    run = Pass()
    (asked,) = run.wake(run.feed(Started(seeds=())))
    assert isinstance(asked, Operate)
    (asked,) = run.wake(run.feed(OperationDone(ticket=asked.ticket, outcome=step(b"v/k"))))
    assert asked.operation == ScrubRows(after=b"v/k", limit=ROWS_MAX)
    (asked,) = run.wake(run.feed(OperationDone(ticket=asked.ticket, outcome=step(None))))
    assert isinstance(asked, ScrubChunks)
    assert (asked.after, asked.bytes_max) == (b"", SETTINGS.step_bytes)
    (asked,) = run.wake(run.feed(ChunksScrubbed(ticket=asked.ticket, damaged=(), after=None, bytes_read=0)))
    assert isinstance(asked, ScrubChunks)
    assert (run.scrub.stage, run.scrub.passes, asked.bytes_max) == (Stage.REST, 1, 0)


def test_disk_that_refuses_is_asked_again_from_the_same_place() -> None:
    run = Pass()
    (asked,) = run.wake(run.feed(Started(seeds=())))
    assert isinstance(asked, Operate)
    (again,) = run.wake(run.feed(OperationDone(ticket=asked.ticket, outcome=StoreFailed(reason="full"))))
    assert isinstance(again, Operate)
    assert again.operation == asked.operation


# --- mending ---


def test_key_counts_as_mended_only_when_it_can_be_read() -> None:
    run = Pass()
    run.mending.found_keys([b"k"])
    assert run.wake(run.mending.wake(Instant(0.0))) == []
    assert run.mending.take_keys() == [b"k"]
    for outcome in (StoreFailed(reason="still bad"), VersionsRead(versions=None)):
        (check,) = run.wake(run.mending.wake(Instant(run.now)))
        assert isinstance(check, Operate)
        assert check.operation == ReadVersions(key=b"k")
        assert run.mending.mended == 0
        run.feed(OperationDone(ticket=check.ticket, outcome=outcome))
    assert (run.mending.found, run.mending.mended, run.mending.waiting) == (1, 1, 0)


def test_chunk_that_nobody_has_is_given_up_until_it_is_found_again() -> None:
    run = Pass()
    damaged = DamagedChunk(digest=b"d" * 32, size=9)
    run.mending.found_chunks([damaged, damaged])
    for _ in range(TRIES_MAX + 1):
        (pull,) = run.wake(run.mending.wake(Instant(run.now)))
        assert isinstance(pull, MendChunk)
        run.feed(ChunkPulled(ticket=pull.ticket, error="nobody has it"))
    assert (run.mending.found, run.mending.given_up, run.mending.waiting) == (1, 1, 0)
    assert run.mending.wake(Instant(run.now)) == []
    run.mending.found_chunks([damaged])
    assert run.mending.waiting == 1


def test_few_chunks_are_pulled_at_once() -> None:
    run = Pass()
    run.mending.found_chunks(DamagedChunk(digest=bytes([number]) * 32, size=1) for number in range(10))
    pulls = run.wake(run.mending.wake(Instant(0.0)))
    assert len(pulls) == PULLS_AT_ONCE
    assert run.mending.waiting == 10
