"""Records that stay rows of bytes are dealt, sorted, merged and written as the same records one by one would be."""

import random
from bisect import bisect_right
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor.batches.gathering import RecordGathering, Unlike
from murmuration.node.executor.batches.layout import Layout, fixed_layout
from murmuration.node.executor.batches.merging import merged
from murmuration.node.executor.batches.records import (
    bodies_of,
    columns_of_body,
    joined,
    records_of,
    records_of_body,
    records_of_lines,
    write_to,
)
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.formats.formats import output_format
from murmuration.node.executor.formats.outputs import PartWriter
from murmuration.node.executor.formats.pair_parts import FixedLength
from murmuration.node.executor.shuffle.runs import encoded

BYTES = st.sampled_from([0, 10, 65, 66, 255])


@st.composite
def layouts(draw):
    width = draw(st.integers(1, 20))
    return Layout(width, draw(st.integers(1, width)))


@st.composite
def lists_of(draw, layout, most=60):
    """Draw records, many of which begin alike for more bytes than are compared as one number."""
    width = layout.width
    stem = bytes(draw(st.lists(BYTES, min_size=width, max_size=width)))
    shared = draw(st.lists(st.integers(0, width), max_size=most))
    rest = st.lists(BYTES, min_size=width, max_size=width).map(bytes)
    return [stem[:length] + draw(rest)[length:] for length in shared]


@st.composite
def some_records(draw):
    layout = draw(layouts())
    return layout, draw(lists_of(layout))


def rows(layout, records):
    return records_of(layout, b"".join(records))


def by_key(layout):
    return lambda record: record[: layout.key_bytes]


@given(some_records())
def test_sorted_records_are_in_the_order_of_their_keys_and_equal_keys_keep_theirs(drawn):
    layout, records = drawn
    assert rows(layout, records).sorted().values() == sorted(records, key=by_key(layout))


@given(some_records(), st.data())
def test_records_are_dealt_by_cuts_as_single_keys_are(drawn, data):
    layout, records = drawn
    cut = st.lists(BYTES, max_size=layout.key_bytes).map(bytes)
    of_keys = st.sampled_from([record[: layout.key_bytes] for record in records] or [b""])
    cuts = sorted(set(data.draw(st.lists(cut | of_keys, max_size=5))))
    numbers = rows(layout, records).ranges(cuts)
    assert numbers.tolist() == [bisect_right(cuts, by_key(layout)(record)) for record in records]
    shares = rows(layout, records).dealt(numbers, len(cuts) + 1)
    assert [share.values() for share in shares] == [
        [record for record, at in zip(records, numbers, strict=True) if at == number] for number in range(len(cuts) + 1)
    ]


def test_keys_that_begin_alike_are_dealt_and_sorted_by_what_follows():
    chance = random.Random(4)
    layout = Layout(14, 12)
    records = [b"alike so far"[:10] + chance.randbytes(4) for _ in range(500)]
    cuts = sorted(record[:12] for record in records[::70])
    numbers = rows(layout, records).ranges(cuts)
    assert numbers.tolist() == [bisect_right(cuts, by_key(layout)(record)) for record in records]
    assert rows(layout, records).sorted().values() == sorted(records, key=by_key(layout))


@given(layouts(), st.data())
def test_merged_records_are_all_of_the_inputs_sorted_stably(layout, data):
    inputs = data.draw(st.lists(lists_of(layout), max_size=4))
    size = data.draw(st.integers(1, 9))
    blocks = []
    for records in inputs:
        whole = rows(layout, records).sorted()
        blocks.append(iter([whole.part(at, at + size) for at in range(0, len(whole), size)]))
    told = [value for some in merged(blocks, joined) for value in some.values()]
    assert told == sorted([record for records in inputs for record in records], key=by_key(layout))


@given(some_records(), st.integers(1, 200))
def test_blocks_hold_all_records_in_order_and_can_be_read_as_pairs(drawn, block_bytes):
    layout, records = drawn
    whole = rows(layout, records)
    bodies = list(bodies_of([whole.part(0, 7), whole.part(7, len(whole))], block_bytes))
    assert [count for _, count in bodies] == [len(records_of_body(body)) for body, _ in bodies]
    columns = [columns_of_body(body) for body, _ in bodies]
    assert [value for _, values in columns for value in values] == records
    assert [key for keys, _ in columns for key in keys] == list(map(by_key(layout), records))
    assert all(records_of_body(body).rows.nbytes <= max(block_bytes, layout.width) for body, _ in bodies)


@settings(max_examples=20)
@given(some_records())
def test_gathered_records_come_sorted_whether_they_fit_into_memory_or_not(drawn):
    layout, records = drawn
    for memory in (1 << 20, 200):
        gathering = RecordGathering(memory, "/tmp/part")
        for body, _ in bodies_of([rows(layout, records)], 50):
            gathering.take(body)
        told = [value for some in gathering.ordered() for value in some.values()]
        gathering.close()
        assert told == sorted(records, key=by_key(layout))
        assert gathering.records == len(records)


def test_gathering_gives_up_on_pairs_and_on_records_of_another_layout():
    gathering = RecordGathering(1 << 20, "/tmp/part")
    with pytest.raises(Unlike):
        gathering.take(encoded((["key"], [["value"]])))
    ((four, _),) = bodies_of([rows(Layout(4, 4), [b"abcd"])], 50)
    ((five, _),) = bodies_of([rows(Layout(5, 4), [b"abcde"])], 50)
    gathering.take(four)
    with pytest.raises(Unlike):
        gathering.take(five)


@given(st.lists(st.binary(max_size=5).map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_lines_are_rows_exactly_if_all_are_of_one_length(lines):
    block = b"".join(line + b"\n" for line in lines)
    found = records_of_lines(block)
    if found is None:
        assert len(set(map(len, lines))) > 1 or b"\r" in block or not lines[0]
    else:
        assert found.values() == found.keys() == lines


@pytest.mark.parametrize("block", [b"ab\ncd", b"ab\r\ncd\r\n", b"\n\n", b"a\nb\n\n\n", b""])
def test_blocks_that_are_no_rows_of_lines_are_not_taken_for_them(block):
    assert records_of_lines(block) is None


@given(some_records(), st.sampled_from(["fixed", "values"]))
def test_records_are_written_as_pairs_are(drawn, name):
    layout, records = drawn
    in_bulk, one_by_one = BytesIO(), BytesIO()
    encode = output_format(name)
    part = PartWriter(in_bulk, encode)
    write_to(part, rows(layout, records), encode)
    pairs = PartWriter(one_by_one, output_format(name))
    pairs.write([(None, record) for record in records])
    assert part.finish() == pairs.finish()
    assert in_bulk.getvalue() == one_by_one.getvalue()


def test_rows_of_lines_are_written_with_their_ends_or_without():
    lines = records_of_lines(b"ab\ncd\n")
    for name, wanted in (("values", b"ab\ncd\n"), ("fixed", b"abcd")):
        file = BytesIO()
        encode = output_format(name)
        write_to(PartWriter(file, encode), lines, encode)
        assert file.getvalue() == wanted


def test_fixed_output_refuses_values_of_another_length():
    encode = FixedLength()
    encode([(1, b"ab"), (2, b"cd")])
    with pytest.raises(UserFault, match="2 and 3 bytes"):
        encode([(1, b"abc")])
    with pytest.raises(UserFault, match="writes bytes"):
        encode([(1, "ab")])


def test_joined_records_are_one_after_the_other():
    layout = Layout(2, 1)
    assert joined([rows(layout, [b"ab"]), rows(layout, [b"cd"])]).values() == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("name", "wanted"), [("fixed:100", (100, None)), ("fixed:100:10", (100, 10)), ("text", None), ("fixedly", None)]
)
def test_fixed_formats_are_read(name, wanted):
    assert fixed_layout(name) == wanted


@pytest.mark.parametrize("name", ["fixed", "fixed:", "fixed:0", "fixed:x", "fixed:4:5", "fixed:4:0", "fixed:1:2:3"])
def test_fixed_formats_that_cannot_be_are_refused_with_the_way_to_spell_them(name):
    with pytest.raises(UserFault) as refused:
        fixed_layout(name)
    assert "fixed:N" in refused.value.error.hint
