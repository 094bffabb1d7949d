"""Splits tile their file on line borders, and know the number of their first line."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.ring.errors import WorldError
from murmuration.scheduling import splits as splits_module
from murmuration.scheduling.jobs import ChunkRef, Split
from murmuration.scheduling.splits import (
    Cut,
    chunks_to_cut,
    cut_into,
    cut_lines,
    split_size_for,
    splits_of_chunks,
    splits_of_file,
)

ENDS = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r", "\u2028".encode(), b""])
WORDS = st.sampled_from([b"", b"a", "ü€😀".encode(), b"word " * 9, b"\x00\xff", b"x" * 70])
TEXTS = st.lists(st.tuples(WORDS, ENDS), max_size=30).map(lambda lines: b"".join(w + e for w, e in lines))


def reader(data: bytes):
    return lambda offset, length: data[offset : offset + length]


def cut_of(data: bytes, split_size: int) -> Cut:
    return cut_lines(reader(data), len(data), split_size)


def assert_tiles(data: bytes, splits: list[Split]) -> None:
    assert b"".join(data[split.begin : split.end] for split in splits) == data
    assert splits[0].begin == 0
    for before, after in pairwise(splits):
        assert before.end == after.begin
    for split in splits:
        assert split.begin in (0, len(data)) or data[split.begin - 1] == ord("\n")
        if split.begin < split.end:
            assert split.first_line == data[: split.begin].count(b"\n") + 1


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(splits_module, "WINDOW_BYTES", 7)


@given(TEXTS, st.integers(1, 100))
def test_splits_of_any_text_and_size_tile_it_with_true_line_numbers(data, split_size):
    cut = cut_of(data, split_size)
    splits = splits_of_file(3, len(data), cut)
    assert_tiles(data, splits)
    assert {split.file for split in splits} == {3}
    assert all(split.begin < split.end for split in splits) or data == b""
    assert cut.newlines == data.count(b"\n")
    assert cut.ends_line == data.endswith(b"\n")


@given(TEXTS, st.integers(1, 100))
def test_borders_are_the_nearest_at_or_after_each_multiple(data, split_size):
    starts = [0] + [at + 1 for at, byte in enumerate(data) if byte == ord("\n")]
    wanted = {0}
    for multiple in range(0, len(data), split_size):
        wanted.update([start for start in starts if start >= multiple][:1])
    if data.endswith(b"\n"):
        wanted.add(len(data))
    assert [position for position, _ in cut_of(data, split_size).borders] == sorted(wanted)


@given(TEXTS, st.integers(1, 40))
def test_cut_into_m_gives_exactly_m_splits_that_tile(data, m):
    splits = splits_of_file(0, len(data), cut_into(reader(data), len(data), m))
    assert len(splits) == m
    assert_tiles(data, splits)


def test_splits_of_empty_file_are_one_empty_split():
    assert splits_of_file(0, 0, cut_of(b"", 10)) == [Split(file=0, begin=0, end=0, first_line=1)]
    assert splits_of_chunks(0, (), {}) == [Split(file=0, begin=0, end=0, first_line=1)]


def test_one_huge_line_is_one_split():
    data = b"x" * 1000
    assert splits_of_file(0, 1000, cut_of(data, 10)) == [Split(file=0, begin=0, end=1000, first_line=1)]


def test_cut_of_a_file_that_shrank_raises_world_error():
    with pytest.raises(WorldError, match="ended after 3 of 10"):
        cut_lines(reader(b"abc"), 10, 4)


def test_split_size_for_m_splits_is_rounded_up():
    assert [split_size_for(total, 4) for total in (0, 1, 4, 5)] == [1, 1, 1, 2]


def chunked(data: bytes, chunk_size: int) -> list[tuple[ChunkRef, bytes]]:
    """Cut after the last newline within `chunk_size`, or inside the line where there is none."""
    chunks, begin = [], 0
    while begin < len(data):
        end = min(begin + chunk_size, len(data))
        newline = data.rfind(b"\n", begin, end)
        if end < len(data) and newline >= 0:
            end = newline + 1
        body = data[begin:end]
        open_line = end < len(data) and not body.endswith(b"\n")
        chunks.append(
            (ChunkRef(digest=bytes(16), size=len(body), newlines=body.count(b"\n"), open_line=open_line), body)
        )
        begin = end
    return chunks


@given(TEXTS, st.integers(1, 100), st.integers(1, 100))
@settings(max_examples=300)
def test_splits_of_chunks_tile_the_file_inside_chunks(data, chunk_size, split_size):
    chunks = chunked(data, chunk_size)
    refs = [ref for ref, _ in chunks]
    cuts = {number: cut_of(chunks[number][1], split_size) for number in chunks_to_cut(refs, split_size)}
    splits = splits_of_chunks(1, refs, cuts)
    assert_tiles(data, splits)
    position, edges = 0, {0}
    for ref in refs:
        position += ref.size
        if not ref.open_line:
            edges.add(position)
    assert edges <= {split.begin for split in splits} | {len(data)}


def test_a_split_size_above_the_chunk_size_makes_each_chunk_one_split():
    data = b"one\ntwo\nthree\nfour\n"
    refs = [ref for ref, _ in chunked(data, 9)]
    assert chunks_to_cut(refs, 9) == []
    assert [(s.begin, s.end, s.first_line) for s in splits_of_chunks(0, refs, {})] == [
        (0, 8, 1),
        (8, 14, 3),
        (14, 19, 4),
    ]
