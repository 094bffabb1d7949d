"""The shipped examples load by their files, and do what they say."""

from pathlib import Path

import pytest

import murmuration
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program

EXAMPLES = Path(murmuration.__file__).parent / "examples"
TEXT = b"to be, or\nnot to be\n"


def run_example(name: str, folder: Path, *, partitions: int = 1, **params: str) -> tuple[str, dict[str, int]]:
    body = (EXAMPLES / f"{name}.py").read_bytes()
    program = Program(kind="source", name=f"{name}.py", body=body)
    loaded = load_program(program, input_format="text", output_format="text")
    load = LoadProgram("0" * 16, "p", program, params, "text", "text", partitions)
    (folder / "in.txt").write_bytes(TEXT)
    extents = (Extent(str(folder / "in.txt"), 0, len(TEXT)),)
    output = folder / "map-output"
    done = MapAttempt(loaded, load, MapTask("m", 0, "in.txt", 1, 0, extents, str(output))).carry_out()
    if partitions:
        run = RunSegment(0, str(output), done.digest)
        output = folder / "part"
        ReduceAttempt(loaded, load, ReduceTask("r", 0, (run,), str(output))).carry_out()
    return output.read_text(), done.counters


@pytest.mark.parametrize("name", ["wordcount", "wordcount_class"])
def test_wordcount_counts_words(tmp_path, name):
    assert run_example(name, tmp_path)[0] == "be\t1\nbe,\t1\nnot\t1\nor\t1\nto\t2\n"


def test_grep_finds_matching_lines_with_their_numbers(tmp_path):
    assert run_example("grep", tmp_path, partitions=0, pattern="no.") == ("2\tnot to be\n", {"matches": 1})


def test_inverted_index_lists_files_and_lines(tmp_path):
    wanted = "be\tin.txt:1 in.txt:2\nnot\tin.txt:2\nor\tin.txt:1\nto\tin.txt:1 in.txt:2\n"
    assert run_example("inverted_index", tmp_path)[0] == wanted


def test_examples_are_short_and_open_with_a_description():
    for path in EXAMPLES.glob("[a-z]*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 40, path
        assert lines[0].startswith('"""'), path
