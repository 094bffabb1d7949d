"""Files that user code writes beside its output are told with the attempt, whole, and under names that can be kept."""

import pytest

from murmuration.node.executor.formats.outputs import pieces_of
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.programs.side_files import SIDE_FILES_MAX, SideFiles
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.ring.digests import chunk_digest
from murmuration.scheduling.jobs import Program

PROGRAM = """
from murmuration import Mapper, Reducer

class Sift(Mapper):
    def setup(self):
        self.rejects = self.context.open("rejects.txt")

    def map(self, key, value):
        if value.isdigit():
            yield int(value), 1
        else:
            print(value, file=self.rejects)

class Total(Reducer):
    def reduce(self, key, values):
        with self.context.open("keys", "ab") as keys:
            keys.write(b"%d\\n" % key)
        yield key, sum(values)
"""


def test_side_files_of_both_phases_are_told_with_what_is_in_them(tmp_path):
    program = Program("source", "job.py", PROGRAM.encode())
    loaded = load_program(program, input_format="text", output_format="text")
    load = LoadProgram("0" * 16, "p", program, {}, "text", "text", 1)
    (tmp_path / "in").write_text("1\nü\n2\nx\n1\n")
    extents = (Extent(str(tmp_path / "in"), 0, 11),)
    task = MapTask("m", 0, "in", 1, 0, extents, str(tmp_path / "run"), str(tmp_path / "side-m-"))
    mapped = MapAttempt(loaded, load, task).carry_out()
    runs = (RunSegment(0, str(tmp_path / "run"), mapped.digest),)
    task = ReduceTask("r", 0, runs, str(tmp_path / "part"), str(tmp_path / "side-r-"))
    reduced = ReduceAttempt(loaded, load, task).carry_out()
    for finished, path, name, content in (
        (mapped, "side-m-rejects.txt", "rejects.txt", "ü\nx\n"),
        (reduced, "side-r-keys", "keys", "1\n2\n"),
    ):
        (side,) = finished.side
        (piece,) = side.pieces
        assert (tmp_path / path).read_text() == content
        assert (side.name, piece.newlines, piece.digest) == (name, 2, chunk_digest(content.encode()))


def test_file_is_cut_into_pieces_that_follow_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("murmuration.node.executor.formats.outputs.READ_BYTES", 4)
    (tmp_path / "file").write_bytes(b"y" * 25)
    pieces = pieces_of(str(tmp_path / "file"), 10)
    assert [(piece.offset, piece.size) for piece in pieces] == [(0, 10), (10, 10), (20, 5)]


@pytest.mark.parametrize("name", ["", ".hidden", "_x", "a/b", "../a", "a" * 65, "a\n", "ä"])
def test_name_that_no_output_could_have_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="a side file is called"):
        SideFiles(str(tmp_path / "x-")).open(name, "w")


@pytest.mark.parametrize("mode", ["r", "r+", "w+", "", "rb"])
def test_side_file_is_only_written(tmp_path, mode):
    with pytest.raises(ValueError, match="open it with w"):
        SideFiles(str(tmp_path / "x-")).open("name", mode)


def test_too_many_side_files_are_refused(tmp_path):
    files = SideFiles(str(tmp_path / "x-"))
    for number in range(SIDE_FILES_MAX):
        files.open(f"f{number}", "w")
    files.open("f0", "a")
    with pytest.raises(ValueError, match="one too many"):
        files.open("more", "w")
    assert len(files.finish()) == SIDE_FILES_MAX
