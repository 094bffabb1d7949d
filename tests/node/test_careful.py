"""A careful attempt sets bad records aside, whole and with their place, and notes which one is at hand."""

import json
from collections import Counter

import pytest

from murmuration.node.executor.faults.line_note import LineNote, noted_line
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask
from murmuration.scheduling.jobs import DIED, SKIPPED, Program

HALVES = """
def map(number, line):
    for word in line.split():
        yield word, 1
    if line.endswith("bad"):
        raise ValueError("a bad one")
"""
LINES = "a b\nc bad\nd\ne bad\nf\n"


def careful(folder, source=HALVES, skip=(), allowed=9, lines=LINES, input_format="text", partitions=0):
    program = Program("source", "job.py", source.encode())
    loaded = load_program(program, input_format=input_format, output_format="text")
    load = LoadProgram("0" * 16, "p", program, {}, input_format, "text", partitions, skip_bad_records=allowed)
    content = lines if isinstance(lines, bytes) else lines.encode()
    (folder / "in").write_bytes(content)
    extents = (Extent(str(folder / "in"), 0, len(content)),)
    paths = {"output": str(folder / "out"), "side": str(folder / "side-"), "note": str(folder / "note")}
    return MapAttempt(loaded, load, MapTask("m", 0, "in", 11, 0, extents, skip=skip, **paths)).carry_out()


def quarantine(folder):
    return [json.loads(line) for line in (folder / "side-quarantine.jsonl").read_text().splitlines()]


def test_records_that_raise_are_set_aside_with_all_their_pairs(tmp_path):
    finished = careful(tmp_path)
    assert (tmp_path / "out").read_text() == "a\t1\nb\t1\nd\t1\nf\t1\n"
    assert finished.counters == {SKIPPED: 2}
    assert [side.name for side in finished.side] == ["quarantine.jsonl"]
    first = {"file": "in", "line": 12, "kind": "ValueError", "message": "a bad one", "record": "c bad"}
    assert quarantine(tmp_path)[0] == first
    assert [record["line"] for record in quarantine(tmp_path)] == [12, 14]


def test_lines_to_skip_are_not_mapped(tmp_path):
    source = "import os\ndef map(line):\n    if line == 'd':\n        os._exit(3)\n    yield line, 1\n"
    careful(tmp_path, source, skip=(13,))
    assert (tmp_path / "out").read_text().split("\t1\n")[:-1] == ["a b", "c bad", "e bad", "f"]
    assert (quarantine(tmp_path)[0]["kind"], quarantine(tmp_path)[0]["record"]) == (DIED, "d")


def test_attempt_that_sets_more_aside_than_is_allowed_fails_at_that_record(tmp_path):
    with pytest.raises(UserFault) as caught:
        careful(tmp_path, allowed=1)
    assert (caught.value.error.kind, caught.value.error.line) == ("ValueError", 14)


def test_what_is_no_pair_is_a_bad_record_too(tmp_path):
    careful(tmp_path, "def map(line):\n    return [(line, 1)] if len(line) == 1 else [line]\n")
    assert Counter(record["kind"] for record in quarantine(tmp_path)) == {"TypeError": 3}


@pytest.mark.parametrize(
    ("input_format", "lines", "bad"),
    [
        ("text", b"a\nb\xff\nc\r\n", [(12, "b\\xff")]),
        ("jsonl", b'"a"\nnone\n\n"c"\n', [(12, "none"), (13, "")]),
        ("key-value", b"1\ta\n\xc3\n3\tc\n", [(12, "\\xc3")]),
    ],
)
def test_line_that_the_format_cannot_read_is_a_bad_record(tmp_path, input_format, lines, bad):
    careful(tmp_path, "def map(key, value):\n    yield value, 1\n", lines=lines, input_format=input_format)
    assert (tmp_path / "out").read_text() == "a\t1\nc\t1\n"
    assert [(record["line"], record["record"]) for record in quarantine(tmp_path)] == bad


def test_key_that_cannot_be_partitioned_is_a_bad_record(tmp_path):
    source = "def map(line):\n    yield [line] if line == 'd' else line, 1\n"
    finished = careful(tmp_path, source, partitions=2)
    assert (finished.records_out, finished.counters) == (4, {SKIPPED: 1})


def test_line_is_noted_while_it_is_mapped_and_none_after_the_last(tmp_path):
    source = (
        "from murmuration.node.executor.faults.line_note import noted_line\n"
        f"def map(line):\n    yield line, noted_line({str(tmp_path / 'note')!r})\n"
    )
    careful(tmp_path, source, lines="a\nb\n")
    assert (tmp_path / "out").read_text() == "a\t11\nb\t12\n"
    assert noted_line(str(tmp_path / "note")) == 0


def test_note_that_was_never_made_or_is_cut_short_tells_of_no_line(tmp_path):
    assert noted_line(str(tmp_path / "none")) == 0
    (tmp_path / "short").write_bytes(b"123")
    assert noted_line(str(tmp_path / "short")) == 0
    LineNote(str(tmp_path / "note")).write(1 << 40)
    assert noted_line(str(tmp_path / "note")) == 1 << 40
