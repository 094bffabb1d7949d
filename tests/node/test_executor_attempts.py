"""Map and reduce attempts give what a sequential run gives, whatever the splits, the combiner and the partitions."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor.faults.wording import InputUnreadable, UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.shuffle import combining
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment, TaskFinished
from murmuration.scheduling.jobs import Program
from murmuration.scheduling.ordering import order_key
from murmuration.scheduling.partitioners import partition_of
from murmuration.scheduling.splits import cut_lines, splits_of_file

WORDS = "def map(number, line):\n    for word in line.split():\n        yield word, number\n"
SUM = """
from murmuration import Reducer
class Sum(Reducer):
    def reduce(self, key, values):
        yield key, sum(values)
"""
JOIN = "def reduce(key, values):\n    yield key, ','.join(str(value) for value in values)\n"


class Job:
    """Runs a whole job in this process."""

    def __init__(self, folder, source: str, partitions: int = 1, **load: object) -> None:
        self.folder = folder
        program = Program(kind="source", name="job.py", body=source.encode())
        settings = {"params": {}, "input_format": "text", "output_format": "text", **load}
        self.load = LoadProgram(job="0" * 16, peer="p", program=program, partitions=partitions, **settings)
        self.program = load_program(program, input_format="text", output_format="text")

    def map(self, content: bytes, split_size: int = 1 << 20) -> list[TaskFinished]:
        path = self.folder / "in.txt"
        path.write_bytes(content)
        cut = cut_lines(lambda offset, length: content[offset : offset + length], len(content), split_size)
        splits = splits_of_file(0, len(content), cut)
        return [
            MapAttempt(
                self.program,
                self.load,
                MapTask(
                    attempt=f"m{number}",
                    split=number,
                    file="in.txt",
                    first_line=split.first_line,
                    first_byte=split.begin,
                    extents=(Extent(path=str(path), offset=split.begin, length=split.end - split.begin),),
                    output=self.run(number),
                ),
            ).carry_out()
            for number, split in enumerate(splits)
        ]

    def run(self, split: int) -> str:
        return str(self.folder / f"{split}.run")

    def reduce(self, mapped: list[TaskFinished], partition: int = 0) -> TaskFinished:
        runs = tuple(RunSegment(split=n, path=self.run(n), digest=done.digest) for n, done in enumerate(mapped))
        output = str(self.folder / f"part{partition}")
        task = ReduceTask(attempt="r", partition=partition, runs=runs, output=output)
        return ReduceAttempt(self.program, self.load, task).carry_out()

    def parts(self, content: bytes, split_size: int = 1 << 20) -> list[str]:
        mapped = self.map(content, split_size)
        for partition in range(self.load.partitions):
            self.reduce(mapped, partition)
        return [(self.folder / f"part{p}").read_text() for p in range(self.load.partitions)]


def sequential(text: str, reduce) -> dict[str, object]:
    groups: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for word in line.split():
            groups.setdefault(word, []).append(number)
    return {word: reduce(numbers) for word, numbers in groups.items()}


def joined(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


PROGRAMS = [
    (WORDS + JOIN, joined),
    (WORDS + SUM, sum),
    (WORDS + SUM + "combiner = Sum\n", sum),
    (WORDS + SUM + "combiner = 'sum'\n", sum),
    (WORDS + "reduce = 'sum'\n", sum),
    (WORDS + "reduce = 'count'\n", len),
    (WORDS + "reduce = 'first'\n", lambda numbers: numbers[0]),
    (WORDS + "reduce = 'list'\n", list),
    (WORDS + "reduce = 'mean'\n", lambda numbers: sum(numbers) / len(numbers)),
]
TEXTS = st.lists(st.sampled_from(["a", "b a", "c b a", "ü é", "", "z" * 50, "a a a"]), max_size=25).map("\n".join)


@pytest.mark.parametrize(("source", "reduce"), PROGRAMS)
@given(text=TEXTS, split_size=st.integers(1, 60), partitions=st.integers(1, 3))
@settings(max_examples=12)
def test_a_job_gives_the_answer_of_a_sequential_run(tmp_path_factory, source, reduce, text, split_size, partitions):
    combining_each_batch = pytest.MonkeyPatch()
    combining_each_batch.setattr(combining, "BATCHES_PER_COMBINING", 1)
    with combining_each_batch.context():
        parts = Job(tmp_path_factory.mktemp("job"), source, partitions).parts(text.encode(), split_size)
    combining_each_batch.undo()
    answer = sequential(text, reduce)
    for number, part in enumerate(parts):
        mine = sorted((word for word in answer if partition_of(word, partitions) == number), key=order_key)
        assert part == "".join(f"{word}\t{answer[word]}\n" for word in mine)


@given(text=TEXTS)
@settings(max_examples=12)
def test_two_attempts_at_a_split_give_equal_digests(tmp_path_factory, text):
    digests = set()
    for _ in range(2):
        done = Job(tmp_path_factory.mktemp("job"), WORDS + JOIN, 2).map(text.encode(), 30)
        digests.add(tuple(attempt.digest for attempt in done))
    assert len(digests) == 1


def test_keys_that_are_equal_come_together_as_the_first_of_them(tmp_path):
    source = "def map(n, line):\n    yield (True, 1.0, 1, 'x', None, (1, 'a'))[n - 1], n\n" + JOIN
    assert Job(tmp_path, source).parts(b"\n" * 6, 2) == ["None\t5\nTrue\t1,2,3\nx\t4\n(1, 'a')\t6\n"]


def test_without_a_reducer_the_pairs_are_written_in_key_order_as_they_came(tmp_path):
    assert Job(tmp_path, WORDS).parts(b"b a\na\n", 4) == ["a\t1\na\t2\nb\t1\n"]


def test_without_partitions_a_map_attempt_writes_its_part_in_the_order_of_the_input(tmp_path):
    job = Job(tmp_path, WORDS, partitions=0)
    done = job.map(b"b a\nc\n")[0]
    assert (tmp_path / "0.run").read_bytes() == b"b\t1\na\t1\nc\t2\n"
    assert (done.records_in, done.records_out, done.bytes_in, done.bytes_out) == (2, 3, 6, 12)
    assert [(piece.offset, piece.size, piece.newlines) for piece in done.pieces] == [(0, 12, 3)]


def test_an_empty_split_without_partitions_gives_an_empty_part(tmp_path):
    done = Job(tmp_path, WORDS, partitions=0).map(b"")[0]
    assert (done.bytes_out, done.pieces) == (0, ())


def test_setup_cleanup_params_and_counters_serve_user_code(tmp_path):
    source = (
        "from murmuration import Mapper\n"
        "class M(Mapper):\n"
        "    def setup(self):\n        self.seen = 0\n"
        "    def map(self, line):\n        self.seen += 1\n        self.context.counter('lines').increment()\n"
        "    def cleanup(self):\n        yield self.context.params['name'], (self.seen, self.context.split)\n"
    )
    job = Job(tmp_path, source, partitions=0, params={"name": "total"})
    done = job.map(b"a\nb\nc\n")[0]
    assert (tmp_path / "0.run").read_text() == "total\t(3, 0)\n"
    assert done.counters == {"lines": 3}


def test_a_partitioner_of_the_program_decides(tmp_path):
    source = WORDS + "def partitioner(key, partitions):\n    return ord(key) % partitions\n" + JOIN
    assert Job(tmp_path, source, 2).parts(b"a b c d\n") == ["b\t1\nd\t1\n", "a\t1\nc\t1\n"]


def error_of(call):
    with pytest.raises(UserFault) as caught:
        call()
    return caught.value.error


def test_an_exception_in_map_names_file_line_and_record(tmp_path):
    job = Job(tmp_path, "def map(key, value):\n    yield value, 1 / len(value)\n")
    error = error_of(lambda: job.map(b"a\nb\n\nc\n"))
    assert (error.kind, error.message, error.file, error.line) == ("ZeroDivisionError", "division by zero", "in.txt", 3)
    assert "yield value, 1 / len(value)" in error.traceback
    assert "murmuration/node" not in error.traceback


@pytest.mark.parametrize(
    "raised", ["SystemExit(3)", "KeyboardInterrupt()", "type('Odd', (Exception,), {'x': lambda: 1})()"]
)
def test_whatever_map_raises_is_reported(tmp_path, raised):
    error = error_of(lambda: Job(tmp_path, f"def map(key, value):\n    raise {raised}\n").map(b"a\n"))
    assert error.kind in ("SystemExit", "KeyboardInterrupt", "Odd")
    assert error.record == "a"


def test_an_exception_in_reduce_names_the_key(tmp_path):
    job = Job(tmp_path, WORDS + "def reduce(key, values):\n    yield key, values[1]\n")
    mapped = job.map(b"a a b\n")
    error = error_of(lambda: job.reduce(mapped))
    assert (error.kind, error.record) == ("IndexError", "b")


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("yield [value], 1", "make it a tuple"),
        ("yield value", "`yield key, value`"),
        ("return 5", "`yield key, value`"),
        ("yield 'ab'", "`yield key, value`"),
        ("yield b'ab'", "`yield key, value`"),
        ("yield {'a', 'b'}", "`yield key, value`"),
        ("return 'ab', 1", "`yield key, value`"),
    ],
)
def test_what_map_may_not_give_is_said_with_the_way_out(tmp_path, body, hint):
    error = error_of(lambda: Job(tmp_path, f"def map(key, value):\n    {body}\n").map(b"abc\n"))
    assert hint in error.hint
    assert error.line == 1


@pytest.mark.parametrize("key", ["frozenset()", "float('nan')", "object()"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_keys_without_a_place_in_the_order_are_refused_for_any_number_of_partitions(tmp_path, key, partitions):
    error = error_of(lambda: Job(tmp_path, f"def map(n, line):\n    yield {key}, 1\n", partitions).map(b"a\n"))
    assert "key" in error.message


@pytest.mark.parametrize("pair", ["float('nan'), 1", "line, threading.Lock()", "line, lambda: 1", "object(), 1"])
@pytest.mark.parametrize("partitions", [1, 2])
def test_pair_that_cannot_go_into_a_run_is_blamed_on_its_record(tmp_path, pair, partitions):
    source = f"import threading\ndef map(n, line):\n    yield ({pair}) if line == 'bad' else (line, 1)\n"
    error = error_of(lambda: Job(tmp_path, source, partitions).map(b"good\n" * 4 + b"bad\ngood\n"))
    assert (error.file, error.line, error.record) == ("in.txt", 5, "bad")


def test_text_of_two_letters_is_no_pair_for_reducers_and_combiners_either(tmp_path):
    for source in ("def reduce(k, values):\n    yield k\n", "combiner = lambda k, values: [k]\n" + JOIN):
        job = Job(tmp_path, "def map(n, line):\n    yield line, 1\n" + source)
        error = error_of(lambda job=job: job.reduce(job.map(b"ab\nab\n")))
        assert ("'ab' is no pair" in error.message, "`yield key, value`" in error.hint) == (True, True)


def test_lists_of_two_are_pairs(tmp_path):
    assert Job(tmp_path, "def map(n, line):\n    return [[line, n]]\n").parts(b"ab\n") == ["ab\t1\n"]


def test_a_combiner_that_changes_the_key_is_refused(tmp_path):
    source = WORDS + "def combiner(key, values):\n    yield key + '!', 1\n" + JOIN
    assert error_of(lambda: Job(tmp_path, source).map(b"a a\n")).kind == "BadCombiner"


def test_a_partitioner_out_of_range_is_refused(tmp_path):
    source = WORDS + "def partitioner(key, partitions):\n    return partitions\n"
    assert error_of(lambda: Job(tmp_path, source, 2).map(b"a\n")).hint == "it must give a whole number from 0 to 1"


def test_missing_and_damaged_runs_are_named_by_their_splits(tmp_path):
    job = Job(tmp_path, WORDS + JOIN)
    mapped = job.map(b"a\nb\nc\n", 2)
    (tmp_path / "0.run").unlink()
    (tmp_path / "2.run").write_bytes(b"junk")
    with pytest.raises(InputUnreadable) as caught:
        job.reduce(mapped)
    assert caught.value.splits == (0, 2)


def test_fractions_grow_to_one_while_an_attempt_goes_on(tmp_path):
    job = Job(tmp_path, WORDS + JOIN)
    mapped = job.map(b"a b c d\n")
    task = ReduceTask(
        attempt="r",
        partition=0,
        runs=(RunSegment(split=0, path=job.run(0), digest=mapped[0].digest),),
        output=str(tmp_path / "part"),
    )
    attempt = ReduceAttempt(job.program, job.load, task)
    seen = [attempt.fraction]
    real = job.program.reducer.reduce
    job.program.reducer.reduce = staticmethod(lambda key, values: (seen.append(attempt.fraction), real(key, values))[1])
    attempt.carry_out()
    seen.append(attempt.fraction)
    assert all(before < after for before, after in pairwise(seen[:-1]))
    assert (seen[0], seen[-1]) == (0.0, 1.0)
