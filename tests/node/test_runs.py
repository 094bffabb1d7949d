"""A run keeps its partitions apart, is named by its content, and is read only if every byte is right."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segments import read_segment

from murmuration.node.executor.faults.wording import InputUnreadable, UserFault
from murmuration.node.executor.formats import outputs
from murmuration.node.executor.formats.formats import output_format
from murmuration.node.executor.formats.outputs import PartWriter
from murmuration.node.executor.shuffle.run_layout import FOOTER, index_range, segment_of
from murmuration.node.executor.shuffle.runs import RunWriter, decoded, segment_bodies, write_run
from murmuration.ring.digests import chunk_digest

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.binary(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)
SEGMENTS = st.lists(
    st.lists(st.tuples(st.text(max_size=3), st.lists(VALUES, min_size=1, max_size=3))), min_size=1, max_size=4
)


def columns(rows):
    return [key for key, _ in rows], [values for _, values in rows]


def write(path, segments):
    with path.open("wb") as file:
        return write_run(file, [columns(rows) for rows in segments])


@given(SEGMENTS)
@settings(max_examples=40)
def test_segments_are_read_as_they_were_written(tmp_path_factory, segments):
    path = tmp_path_factory.mktemp("run") / "a.run"
    written = write(path, segments)
    assert written.size == path.stat().st_size
    assert written.records == sum(len(values) for rows in segments for _, values in rows)
    for number, rows in enumerate(segments):
        assert read_segment(str(path), number, written.digest) == columns(rows)


def copied(thing):
    """Build an equal object out of fresh ones, so that nothing in it is shared."""
    match thing:
        case str():
            return "".join(list(thing))
        case bytes():
            return bytes(bytearray(thing))
        case list():
            return [copied(item) for item in thing]
        case tuple():
            return tuple(copied(item) for item in thing)
        case dict():
            return {copied(key): copied(value) for key, value in thing.items()}
        case _:
            return thing


@given(SEGMENTS)
@settings(max_examples=40)
def test_equal_content_has_equal_digests_whichever_objects_are_shared(tmp_path_factory, segments):
    folder = tmp_path_factory.mktemp("run")
    shared = [rows + rows for rows in segments]
    assert write(folder / "a", shared).digest == write(folder / "b", copied(shared)).digest
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


@given(st.data())
def test_any_flipped_bit_makes_a_run_unreadable(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("run") / "a.run"
    written = write(path, [[("a", [1])], [("b", ["x", 2])]])
    body = bytearray(path.read_bytes())
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(body)
    with pytest.raises(InputUnreadable):
        for partition in (0, 1):
            read_segment(str(path), partition, written.digest)


@pytest.mark.parametrize("kept", [0, 5, 100])
def test_a_truncated_or_missing_run_is_unreadable(tmp_path, kept):
    path = tmp_path / "a.run"
    written = write(path, [[("a", [1])]])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputUnreadable):
        read_segment(str(path), 0, written.digest)
    with pytest.raises(InputUnreadable):
        read_segment(str(tmp_path / "none"), 0, written.digest)


def test_another_run_is_not_taken_for_the_sealed_one(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    digest = write(mine, [[("a", [1])]]).digest
    write(other, [[("a", [2])]])
    with pytest.raises(InputUnreadable, match="not the run that was sealed"):
        read_segment(str(other), 0, digest)


def test_a_sparse_copy_with_one_segment_is_enough_for_its_partition(tmp_path):
    whole, sparse = tmp_path / "whole", tmp_path / "sparse"
    written = write(whole, [[("a", [1])], [("b", [2])], [("c", [3])]])
    body = whole.read_bytes()
    begin, length = index_range(body[-FOOTER.size :])
    segment = segment_of(body[begin : begin + length], 1)
    copy = bytearray(len(body))
    for at, size in ((len(body) - FOOTER.size, FOOTER.size), (begin, length), (segment.offset, segment.length)):
        copy[at : at + size] = body[at : at + size]
    sparse.write_bytes(copy)
    assert read_segment(str(sparse), 1, written.digest) == (["b"], [[2]])
    with pytest.raises(InputUnreadable, match="damaged"):
        read_segment(str(sparse), 0, written.digest)


def test_values_that_cannot_be_pickled_are_the_users_fault():
    loop = []
    loop.append(loop)
    for value in ((n for n in "ab"), lambda: 1, loop):
        with pytest.raises(UserFault):
            write_run(io.BytesIO(), [(["a"], [[value]])])


ROWS = st.lists(st.tuples(st.text(max_size=3), st.lists(st.binary(max_size=40), min_size=1, max_size=30)), max_size=60)


@given(rows=ROWS, aim=st.integers(16, 400), streamed=st.booleans())
@settings(max_examples=60)
def test_blocks_are_cut_near_their_aim_and_give_the_rows_as_they_were(tmp_path_factory, rows, aim, streamed):
    path = tmp_path_factory.mktemp("run") / "a.run"
    with path.open("wb") as file:
        writer = RunWriter(file, aim)
        if streamed:
            writer.write_rows((key, iter(values)) for key, values in rows)
        else:
            writer.write_columns(columns(rows))
        writer.end_segment()
        written = writer.finish()
    bodies = list(segment_bodies(str(path), 0, written.digest))
    assert all(len(body) <= 2 * aim or single(decoded(body)) for body in bodies)
    keys, lists = read_segment(str(path), 0, written.digest)
    assert [(k, v) for k, values in zip(keys, lists, strict=True) for v in values] == [
        (key, value) for key, values in rows for value in values
    ]


def single(block) -> bool:
    keys, values = block
    return len(keys) == 1 and (isinstance(values, tuple) or len(values[0]) == 1)


def test_a_damaged_block_is_found_when_it_is_reached_and_not_before(tmp_path):
    path = tmp_path / "a.run"
    with path.open("wb") as file:
        written = write_run(file, [([f"{n:04}" for n in range(1000)], (b"x" * 100,) * 1000)], block_bytes=4096)
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    bodies = segment_bodies(str(path), 0, written.digest)
    assert decoded(next(bodies))[0][0] == "0000"
    with pytest.raises(InputUnreadable, match="damaged"):
        list(bodies)


def test_a_part_is_cut_into_pieces_after_whole_lines(monkeypatch):
    monkeypatch.setattr(outputs, "PIECE_BYTES_MAX", 20)
    monkeypatch.setattr(outputs, "PAIRS_PER_WRITE", 5)
    file = io.BytesIO()
    part = PartWriter(file, output_format("text"))
    part.write([(f"key{n}", n) for n in range(12)])
    part.write([("long" * 10, 1)])
    written = part.finish()
    body = file.getvalue()
    assert (written.records, written.size) == (13, len(body))
    assert b"".join(body[p.offset : p.offset + p.size] for p in written.pieces) == body
    for piece in written.pieces:
        content = body[piece.offset : piece.offset + piece.size]
        assert content.endswith(b"\n")
        assert piece.newlines == content.count(b"\n")
        assert piece.digest == chunk_digest(content)
        assert piece.size <= 20 or piece.newlines == 1
