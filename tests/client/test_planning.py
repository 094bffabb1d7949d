"""Planning: splits tile the input on line borders, and what cannot work is said before a peer is asked."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmuration.client.jobs.inputs import LocalInput, find_inputs
from murmuration.client.jobs.options import JobOptions
from murmuration.client.jobs.planning import MIB, Planner, default_split_size, shares
from murmuration.client.jobs.programs import check_source, declared, example_names, find_program
from murmuration.client.progress import Silence
from murmuration.client.store.chunks import ChunkReader
from murmuration.client.store.files import RingFiles
from murmuration.client.store.share import Share
from murmuration.node.transport.bulk_pull import pull
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import SPLITS_MAX, JobRecord, Program

PROGRAM = Program(kind="source", name="count.py", body=b"def map(key, value):\n    yield value, 1\n")
LINES = [b"%d\n" % (number * 7919 % 100_003) for number in range(3000)]


@pytest.fixture
def planner(connection: Any, share: Share) -> Planner:
    return Planner(ChunkReader(connection), share.session(), 2, Silence())


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "text.txt"
    path.parent.mkdir()
    path.write_bytes(b"".join(LINES))
    return path


def plan(planner: Planner, fs: RingFiles, *words: object, **options: Any) -> JobRecord:
    return planner.plan(PROGRAM, find_inputs([str(word) for word in words], fs), "", JobOptions(**options))


def check_tiles(record: JobRecord, contents: list[bytes]) -> None:
    """Assert that the splits of each file tile it, begin at line borders and number their lines truly."""
    for number, content in enumerate(contents):
        splits = [split for split in record.splits if split.file == number]
        position = 0
        for split in splits:
            assert split.begin == position
            assert position == 0 or position == len(content) or content[position - 1 : position] == b"\n"
            assert split.first_line == content.count(b"\n", 0, position) + 1
            position = split.end
        assert position == len(content)


def test_local_file_is_cut_at_lines_and_shared(planner: Planner, fs: RingFiles, text: Path) -> None:
    record = plan(planner, fs, text, split_size=1000)
    check_tiles(record, [b"".join(LINES)])
    assert len(record.splits) == -(-text.stat().st_size // 1000)
    (file,) = record.files
    assert file.source is not None
    assert b"".join(pull(file.source, file.size)) == text.read_bytes()
    assert file.name == str(text)


def test_ring_file_is_cut_inside_chunks_only_where_splits_are_smaller(
    planner: Planner, fs: RingFiles, text: Path, peer: Any
) -> None:
    fs.put(text, "ring:/t", chunk_size=4000)
    located = len(peer.asked)
    whole = plan(planner, fs, "ring:/t", split_size=4000)
    assert not [request for request in peer.asked[located:] if type(request).__name__ == "LocateChunk"]
    check_tiles(whole, [b"".join(LINES)])
    assert len(whole.splits) == len(whole.files[0].chunks)
    small = plan(planner, fs, "ring:/t", split_size=500)
    check_tiles(small, [b"".join(LINES)])
    assert len(small.splits) > 7 * len(whole.splits)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from([b"\n", b"a\n", b"some line\n", b"x" * 50 + b"\n"]), max_size=30), st.integers(1, 40))
def test_number_of_splits_asked_for_is_made_exactly(
    planner: Planner, fs: RingFiles, tmp_path: Path, lines: list[bytes], wanted: int
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(lines))
    fs.put(path, "ring:/lines", chunk_size=32, overwrite=True)
    for word in (path, "ring:/lines"):
        record = plan(planner, fs, word, splits=wanted)
        assert len(record.splits) == wanted
        check_tiles(record, [b"".join(lines)])


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=12), st.integers(0, 500))
def test_shares_add_up_and_leave_no_file_out(sizes: list[int], spare: int) -> None:
    inputs = [LocalInput(name="x", path=Path("x"), size=size) for size in sizes]
    wanted = len(inputs) + spare
    counts = shares(inputs, wanted)
    assert sum(counts) == wanted
    assert min(counts) >= 1


def test_more_files_than_splits_is_refused(planner: Planner, fs: RingFiles, text: Path) -> None:
    with pytest.raises(CallerError, match="2 or more"):
        plan(planner, fs, text, text, splits=1)


def test_empty_file_makes_one_empty_split(planner: Planner, fs: RingFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    record = plan(planner, fs, tmp_path / "empty")
    assert [(split.begin, split.end, split.first_line) for split in record.splits] == [(0, 0, 1)]


def test_whole_file_format_makes_one_split_of_each_file(planner: Planner, fs: RingFiles, text: Path) -> None:
    fs.put(text, "ring:/t", chunk_size=1000)
    record = plan(planner, fs, text, "ring:/t", split_size=10, input_format="whole-file")
    size = text.stat().st_size
    assert [(split.file, split.begin, split.end) for split in record.splits] == [(0, 0, size), (1, 0, size)]


@pytest.mark.parametrize(
    ("total", "slots", "expected"),
    [(0, 4, MIB), (10 * MIB, 4, MIB), (320 * MIB, 4, 20 * MIB), (10_000 * MIB, 4, 32 * MIB), (64 * MIB, 0, 16 * MIB)],
)
def test_default_split_size_gives_every_slot_work(total: int, slots: int, expected: int) -> None:
    assert default_split_size(total, slots) == expected


def test_too_many_splits_names_a_size_that_does(planner: Planner, fs: RingFiles, tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_bytes(b"x\n" * (SPLITS_MAX + 1))
    with pytest.raises(CallerError, match=r"--split-size \d+") as refusal:
        plan(planner, fs, path, split_size=1)
    found = re.search(r"--split-size (\d+)", str(refusal.value))
    assert found
    assert len(plan(planner, fs, path, split_size=int(found[1])).splits) <= SPLITS_MAX


def test_far_too_many_splits_are_refused_before_any_cutting(fs: RingFiles, planner: Planner, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(CallerError, match=r"--split-size 53MiB"):
        plan(planner, fs, path, split_size=1)


@pytest.mark.parametrize(
    "options",
    [{"split_size": 0}, {"split_size": -1}, {"splits": 0}, {"splits": SPLITS_MAX + 1}, {"splits": 2, "split_size": 2}],
)
def test_choice_that_cuts_nothing_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(CallerError):
        JobOptions(**options)


@pytest.mark.parametrize("options", [{"reducers": -1}, {"output_names": "x"}, {"max_attempts": 0}, {"name": "x" * 200}])
def test_choice_that_no_record_can_hold_is_the_callers_error(
    planner: Planner, fs: RingFiles, text: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(CallerError, match="cannot be described"):
        plan(planner, fs, text, **options)


def test_ids_of_jobs_differ(planner: Planner, fs: RingFiles, text: Path) -> None:
    assert plan(planner, fs, text).id != plan(planner, fs, text).id


def test_input_words_mean_files_globs_and_directories(fs: RingFiles, text: Path) -> None:
    folder = text.parent
    for name in ("b.txt", "_log", ".hidden", "sub/c.txt", "odd[1].txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)

    def names(word: object) -> list[str]:
        return [str(Path(item.name).relative_to(folder)) for item in find_inputs([str(word)], fs)]

    assert names(folder) == ["b.txt", "odd[1].txt", "sub/c.txt", "text.txt"]
    assert names(folder / "*.txt") == ["b.txt", "odd[1].txt", "text.txt"]
    assert names(folder / "odd[1].txt") == ["odd[1].txt"]
    assert [item.size for item in find_inputs([folder.as_uri() + "/b.txt"], fs)] == [5]


def test_input_in_the_ring_may_be_a_directory(fs: RingFiles, text: Path) -> None:
    fs.put([text, text.parent / "text.txt"][:1], "ring:/d/")
    fs.put(text, "ring:/d/_skipped")
    assert [item.name for item in find_inputs(["ring:/d"], fs)] == ["ring:/d/text.txt"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nowhere.txt", "input nowhere.txt: No such file"),
        ("nowhere*.txt", "no file matches"),
        ("ring:/nowhere", "ring:/nowhere does not exist"),
        ("s3://bucket/key", "cannot be read as input"),
        ("empty", "without files"),
        ("text.gz", "compressed"),
        ("pipe", "no regular file"),
    ],
)
def test_input_that_is_none_is_said_in_one_line(
    fs: RingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.gz").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CallerError, match=message) as refusal:
        find_inputs([word], fs)
    assert "\n" not in str(refusal.value)


def test_no_input_is_refused(fs: RingFiles) -> None:
    with pytest.raises(CallerError, match="no input"):
        find_inputs([], fs)


@pytest.mark.parametrize(
    "source",
    [
        "from murmuration import Mapper\nclass M(Mapper):\n    pass\n",
        "import murmuration as mm\nclass M(mm.Mapper): pass\n",
        "def map(key, value): yield key, value\n",
        "class Base:\n    def map(self, key, value): ...\nclass M(Base): pass\n",
        "from mylib import MyMapper\n",
        "from mylib import *\n",
        "map = lambda key, value: []\n",
        "try:\n    from fast import map\nexcept ImportError:\n    def map(k, v): ...\n",
    ],
)
def test_source_with_a_mapper_is_accepted(source: str) -> None:
    check_source("p.py", source.encode())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def map(key, value)\n    pass\n", r"^p\.py:1: expected ':'"),
        ("x = 1\n\nif x:\npass\n", r"^p\.py:4: expected an indented block"),
        ("from murmuration import Mapper, Reducer\nclass R(Reducer): pass\n", r"^p\.py:1: no subclass of Mapper"),
        ("", r"^p\.py:1: no subclass of Mapper"),
        ("\0", r"^p\.py:1: "),
    ],
)
def test_source_without_one_is_refused_with_file_and_line(source: str, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        check_source("p.py", source.encode())


def test_source_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef map(key, value): ...\n")
    assert find_program(str(path)).body == path.read_bytes()
    assert not (tmp_path / "ran").exists()


def test_program_may_choose_one_of_its_mappers(tmp_path: Path) -> None:
    path = tmp_path / "p.py"
    path.write_bytes(PROGRAM.body)
    assert find_program(f"{path}::Some").name == f"{path}::Some"


def test_unknown_program_lists_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("murmuration.client.jobs.programs.EXAMPLES", tmp_path)
    (tmp_path / "__init__.py").touch()
    (tmp_path / "inverted_index.py").write_bytes(PROGRAM.body)
    assert example_names() == ["inverted-index"]
    assert find_program("inverted-index").body == PROGRAM.body
    with pytest.raises(CallerError, match="examples: inverted-index"):
        find_program("wordcoumt")
    with pytest.raises(CallerError, match=r"program nowhere\.py: No such file"):
        find_program("nowhere.py")


def test_format_that_a_source_sets_is_in_the_record(planner: Planner, fs: RingFiles, text: Path) -> None:
    program = Program(kind="source", name="p", body=PROGRAM.body + b"output_format = 'jsonl'\n")
    inputs = find_inputs([str(text)], fs)
    assert declared(program, "output_format") == "jsonl"
    assert planner.plan(program, inputs, "", JobOptions()).spec.output_format == "jsonl"
    chosen = JobOptions(output_format="values")
    assert planner.plan(program, inputs, "", chosen).spec.output_format == "values"


@pytest.mark.parametrize(
    ("source", "asked", "partitions"),
    [
        (b"def map(k, v):\n    yield k, v\n", None, 0),
        (b"def map(k, v):\n    yield k, v\n", 3, 3),
        (b"reducer = 'sum'\ndef map(k, v):\n    yield k, v\n", None, 2),
        (b"def map(k, v):\n    yield k, v\ndef reduce(k, vs):\n    yield k, sum(vs)\n", None, 2),
        (b"from lib import *\ndef map(k, v):\n    yield k, v\n", None, 2),
        (b"reducer = 'sum'\ndef map(k, v):\n    yield k, v\n", 0, 0),
    ],
)
def test_program_without_a_reducer_has_no_reduce_phase_unless_asked_for(
    planner: Planner, fs: RingFiles, text: Path, source: bytes, asked: int | None, partitions: int
) -> None:
    program = Program(kind="source", name="p.py", body=source)
    record = planner.plan(program, find_inputs([str(text)], fs), "", JobOptions(reducers=asked))
    assert record.partitions == partitions


def test_format_that_does_not_exist_is_refused_before_anything_starts(
    planner: Planner, fs: RingFiles, text: Path
) -> None:
    for options in (JobOptions(input_format="foo"), JobOptions(output_format="foo")):
        with pytest.raises(CallerError, match=r"there is no \w+ format 'foo'; there are .*text"):
            planner.plan(PROGRAM, find_inputs([str(text)], fs), "", options)


def test_split_size_beyond_any_file_makes_one_split_of_each(planner: Planner, fs: RingFiles, text: Path) -> None:
    record = planner.plan(PROGRAM, find_inputs([str(text)], fs), "", JobOptions(split_size=10**24))
    assert len(record.splits) == 1


@pytest.mark.parametrize("options", [{"split_size": 1000}, {"splits": 7}, {}])
def test_records_of_one_length_are_cut_between_records_and_numbered(
    planner: Planner, fs: RingFiles, tmp_path: Path, options: dict[str, int]
) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "empty"]
    for file, count in zip(files, (500, 3, 0), strict=True):
        file.write_bytes(b"\n2345\n7" * count)
    record = plan(planner, fs, *files, input_format="fixed:7:2", **options)
    for number, file in enumerate(files):
        splits = [split for split in record.splits if split.file == number]
        assert [split.begin for split in splits] == [0, *(split.end for split in splits[:-1])]
        assert splits[-1].end == file.stat().st_size
        assert all(split.begin % 7 == 0 and split.first_line == split.begin // 7 + 1 for split in splits)
        assert max(split.end - split.begin for split in splits) <= 1000 + 7 or not options.get("split_size")
    assert len(record.splits) == options.get("splits", len(record.splits))


def test_file_that_is_no_whole_number_of_records_is_told_before_a_peer_is_asked(
    planner: Planner, fs: RingFiles, tmp_path: Path
) -> None:
    (tmp_path / "odd").write_bytes(b"x" * 1003)
    with pytest.raises(CallerError, match=r"odd has 1003 bytes: 3 more than whole records of 10"):
        plan(planner, fs, tmp_path / "odd", input_format="fixed:10")


def test_skipping_bad_records_in_batches_is_told_before_a_peer_is_asked(
    planner: Planner, fs: RingFiles, text: Path
) -> None:
    program = Program(kind="source", name="batch.py", body=b"def map_batch(batch):\n    return batch\n")
    with pytest.raises(CallerError, match=r"one record at a time, and batch\.py writes map_batch"):
        planner.plan(program, find_inputs([str(text)], fs), "", JobOptions(skip_bad_records=3))
