"""Formats turn bytes into records and pairs into bytes, and name the line that they cannot read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.executor.faults.wording import InputUnreadable, UserFault
from murmuration.node.executor.formats import blocks
from murmuration.node.executor.formats.blocks import line_blocks
from murmuration.node.executor.formats.formats import input_format, output_format
from murmuration.node.executor.tasks import Extent, MapTask

TEXTS = st.lists(
    st.sampled_from(["a", "naïve €", "", "tab\there", "\x00", "lone\rreturn", "\u2028", "\n", "\n", "\r\n"]),
    max_size=40,
).map("".join)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 9)


@pytest.fixture
def task_of(tmp_path):
    return lambda content, **known: make_task(tmp_path, content, **known)


def make_task(folder, content: bytes, pieces: int = 1, first_line: int = 1, first_byte: int = 0) -> MapTask:
    extents = []
    for number in range(pieces):
        begin, end = number * len(content) // pieces, (number + 1) * len(content) // pieces
        path = folder / f"piece{number}"
        path.write_bytes(b"??" + content[begin:end] + b"!!")
        extents.append(Extent(path=str(path), offset=2, length=end - begin))
    return MapTask(
        attempt="a",
        split=0,
        file="in.txt",
        first_line=first_line,
        first_byte=first_byte,
        extents=tuple(extents),
        output="",
    )


def records(name: str, task: MapTask) -> list:
    return [pair for batch in input_format(name)(task) for pair in batch.pairs()]


@given(text=TEXTS, pieces=st.integers(1, 4), first_line=st.integers(1, 99))
def test_text_gives_each_line_with_its_global_number_whatever_files_it_lies_in(
    tmp_path_factory, text, pieces, first_line
):
    task = make_task(tmp_path_factory.mktemp("f"), text.encode(), pieces, first_line)
    lines = text.replace("\r\n", "\n").split("\n")
    wanted = lines[:-1] if lines[-1] == "" else lines
    assert records("text", task) == list(enumerate(wanted, first_line))
    assert records("bytes-lines", task) == [(n, line.encode()) for n, line in enumerate(wanted, first_line)]


@given(text=TEXTS, pieces=st.integers(1, 4))
def test_offset_text_gives_the_position_where_each_line_begins(tmp_path_factory, text, pieces):
    content = text.encode()
    for offset, line in records("offset-text", make_task(tmp_path_factory.mktemp("f"), content, pieces, 5, 1000)):
        rest = content[offset - 1000 :].split(b"\n")[0]
        assert line.encode() in (rest, rest.removesuffix(b"\r"))


@given(text=TEXTS, pieces=st.integers(2, 4))
def test_blocks_depend_on_the_bytes_alone(tmp_path_factory, text, pieces):
    folder = tmp_path_factory.mktemp("f")
    one = list(line_blocks(make_task(folder, text.encode()).extents))
    many = list(line_blocks(make_task(folder, text.encode(), pieces).extents))
    assert one == many
    assert b"".join(one) == text.encode()


def test_bytes_that_are_not_utf8_name_file_line_bytes_and_the_way_out(task_of):
    with pytest.raises(UserFault) as caught:
        records("text", task_of(b"first line\nsecond\nthe \xff\xfe third\nfourth\n", first_line=10))
    error = caught.value.error
    assert (error.kind, error.file, error.line) == ("UnicodeDecodeError", "in.txt", 12)
    assert "ff fe" in error.message
    assert "bytes-lines" in error.hint
    assert "third" in error.record


def test_key_value_splits_at_the_first_tab(task_of):
    assert records("key-value", task_of(b"a\t1\t2\nb\n")) == [("a", "1\t2"), ("b", "")]


def test_jsonl_parses_each_line(task_of):
    assert records("jsonl", task_of(b'{"a": 1}\n[2]\n')) == [(1, {"a": 1}), (2, [2])]


def test_whole_file_is_one_record(task_of):
    assert records("whole-file", task_of(b"\x00binary\n\xff", pieces=2)) == [("in.txt", b"\x00binary\n\xff")]


def test_whole_file_that_was_cut_says_to_raise_the_split_size(task_of):
    with pytest.raises(UserFault) as caught:
        records("whole-file", task_of(b"x", first_byte=7))
    assert "--split-size" in caught.value.error.hint


def test_batch_knows_the_record_that_was_taken_last(task_of):
    (batch,) = input_format("text")(task_of(b"a\nb\nc\n", first_line=7))
    walk = batch.pairs()
    next(walk)
    next(walk)
    assert (batch.taken, batch.line, batch.record) == (2, 8, "b")


def test_unknown_formats_name_the_known_ones():
    with pytest.raises(UserFault, match="no input format 'letters'; there are arrow, bytes-lines, csv, fixed"):
        input_format("letters")
    with pytest.raises(UserFault, match="no output format 'xml'; there are arrow, csv, fixed, jsonl, msgpack"):
        output_format("xml")


def test_a_file_that_is_gone_is_nobodys_fault(task_of, tmp_path):
    task = task_of(b"x\n")
    (tmp_path / "piece0").unlink()
    with pytest.raises(InputUnreadable, match="No such file"):
        records("text", task)


def test_a_file_that_shrank_is_reported_as_changed(task_of, tmp_path):
    task = task_of(b"some lines\n" * 9)
    (tmp_path / "piece0").write_bytes(b"??some")
    with pytest.raises(UserFault, match="95 bytes shorter"):
        records("text", task)


@pytest.mark.parametrize(
    ("name", "pairs", "wanted"),
    [
        ("text", [("a", 1), (2, 0.5)], b"a\t1\n2\t0.5\n"),
        ("text", [(b"raw\xff", "naïve")], b"raw\xff\tna\xc3\xafve\n"),
        ("text", [("\udcff", 1)], b"\xed\xb3\xbf\t1\n"),
        ("values", [("a", 1), ("b", b"x")], b"1\nx\n"),
        ("jsonl", [("ü", [1, None])], '{"key": "ü", "value": [1, null]}\n'.encode()),
    ],
)
def test_output_formats_write_pairs(name, pairs, wanted):
    assert output_format(name)(pairs) == wanted
