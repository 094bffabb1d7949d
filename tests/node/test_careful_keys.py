"""A careful reduce attempt sets bad keys aside, whole and with what was wrong, and notes which one is at hand."""

import json

import pytest

from murmuration.node.executor.faults.line_note import noted_line
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import DIED, SKIPPED, Program

WORDS = "def map(number, line):\n    for word in line.split():\n        yield word, number\n"
FRAIL = """
def reduce(key, values):
    yield key, len(list(values))
    if key.startswith("bad"):
        raise ValueError("a bad one")
"""
LINES = "a bad1 c\nbad2 d a\n"


def reduced(folder, source=WORDS + FRAIL, skip=(), allowed=9, memory=1 << 29):
    program = Program("source", "job.py", source.encode())
    loaded = load_program(program, input_format="text", output_format="text")
    load = LoadProgram("0" * 16, "p", program, {}, "text", "text", 1, memory_per_task=memory, skip_bad_records=allowed)
    (folder / "in").write_text(LINES)
    extents = (Extent(str(folder / "in"), 0, len(LINES)),)
    run = str(folder / "run")
    digest = MapAttempt(loaded, load, MapTask("m", 0, "in", 1, 0, extents, run)).carry_out().digest
    paths = {"output": str(folder / "out"), "side": str(folder / "side-"), "note": str(folder / "note")}
    task = ReduceTask("r", 0, (RunSegment(0, run, digest),), skip=skip, **paths)
    return ReduceAttempt(loaded, load, task).carry_out()


def quarantine(folder):
    return [json.loads(line) for line in (folder / "side-quarantine.jsonl").read_text().splitlines()]


def test_keys_that_raise_are_set_aside_with_all_their_pairs(tmp_path):
    finished = reduced(tmp_path)
    assert (tmp_path / "out").read_text() == "a\t2\nc\t1\nd\t1\n"
    assert finished.counters == {SKIPPED: 2}
    assert [side.name for side in finished.side] == ["quarantine.jsonl"]
    first = {"partition": 0, "kind": "ValueError", "message": "a bad one", "key": "bad1"}
    assert quarantine(tmp_path)[0] == first
    assert [entry["key"] for entry in quarantine(tmp_path)] == ["bad1", "bad2"]


def test_keys_to_skip_are_not_reduced(tmp_path):
    source = WORDS + "import os\ndef reduce(key, values):\n    if key == 'c': os._exit(3)\n    yield key, 1\n"
    reduced(tmp_path, source, skip=(4,))
    assert (tmp_path / "out").read_text() == "a\t1\nbad1\t1\nbad2\t1\nd\t1\n"
    assert [(entry["kind"], entry["key"]) for entry in quarantine(tmp_path)] == [(DIED, "c")]


def test_attempt_that_sets_more_keys_aside_than_is_allowed_fails_at_that_key(tmp_path):
    with pytest.raises(UserFault) as caught:
        reduced(tmp_path, allowed=1)
    assert (caught.value.error.kind, caught.value.error.record) == ("ValueError", "bad2")


def test_key_at_hand_is_noted_by_its_number(tmp_path):
    source = (
        WORDS
        + f"""
def reduce(key, values):
    from murmuration.node.executor.faults.line_note import noted_line
    yield key, noted_line({str(tmp_path / "note")!r})
"""
    )
    reduced(tmp_path, source)
    assert (tmp_path / "out").read_text() == "a\t1\nbad1\t2\nbad2\t3\nc\t4\nd\t5\n"
    assert noted_line(str(tmp_path / "note")) == 0


def test_group_of_keys_is_one_key(tmp_path):
    source = WORDS + FRAIL + "def grouping(key):\n    return key[:3]\n"
    reduced(tmp_path, source)
    assert (tmp_path / "out").read_text() == "a\t2\nc\t1\nd\t1\n"
    assert [entry["key"] for entry in quarantine(tmp_path)] == ["bad"]
