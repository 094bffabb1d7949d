"""A job whose data does not fit into memory gives, byte for byte, what it gives when all fits."""

from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor import mapping
from murmuration.node.executor.faults.wording import InputUnreadable, UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.shuffle import memory, spilling
from murmuration.node.executor.shuffle.spilling import Spills, sorted_columns
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program
from murmuration.scheduling.ordering import sorted_by_key

AMPLE = 1 << 30
WORDS = "def map(number, line):\n    for word in line.split():\n        yield word, number\n"
TENTHS = "def map(number, line):\n    for word in line.split():\n        yield word, number / 10\n"
ONES = "def map(number, line):\n    for word in line.split():\n        yield word, 1\n"
MIXED = """
KEYS = [None, 0, 1, True, 1.0, 2.5, "a", b"a", (1, "x"), (1.0, "x"), ()]
def map(number, line):
    for word in line.split():
        yield KEYS[len(word) * 7 % 11], number
"""
JOIN = "def reduce(key, values):\n    yield key, ','.join(str(value) for value in values)\n"
TOTAL = "from murmuration import Reducer\nclass Total(Reducer):\n    def reduce(self, key, values):\n"
TOTAL += "        yield key, sum(values)\ncombiner = Total\n"
PROGRAMS = {
    "lists": WORDS + JOIN,
    "mixed keys": MIXED + JOIN,
    "no reducer": WORDS,
    "combiner class": WORDS + TOTAL,
    "combiner class over tallies": ONES + TOTAL,
    "tallies": ONES + JOIN,
    "combiner by name": WORDS
    + "combiner = 'sum'\n"
    + JOIN.replace("','.join(str(value) for value in values)", "sum(values)"),
    **{
        name: WORDS + f"reduce = '{name}'\n"
        for name in ("sum", "count", "min", "first", "list", "set", "mean", "top_k:2")
    },
}
LINES = st.lists(st.sampled_from(["a", "b a", "c b a", "ü é dd ccc", "", "z" * 50, "a a a", "q w e r t"]), max_size=40)


@contextmanager
def small_steps():
    """Weigh after each record and block, cut small blocks, and merge few spills at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "RECORDS_UNWEIGHED", 1)
        patch.setattr("murmuration.node.executor.shuffle.memory.EXPANSION_MAX", 1 << 40)
        patch.setattr(memory, "BLOCK_BYTES_MIN", 48)
        patch.setattr(spilling, "FAN_IN", 3)
        yield


class Job:
    """Runs a job in this process; each text is a split."""

    def __init__(self, folder, source: str, texts: list[str], partitions: int = 2) -> None:
        self.folder = folder
        self.texts = texts
        self.partitions = partitions
        self.code = Program(kind="source", name="job.py", body=source.encode())
        self.program = load_program(self.code, input_format="text", output_format="text")

    def load(self, budget: int) -> LoadProgram:
        return LoadProgram("0" * 16, "p", self.code, {}, "text", "text", self.partitions, budget)

    def map(self, budget: int) -> tuple[RunSegment, ...]:
        runs = []
        for split, text in enumerate(self.texts):
            path, run = self.folder / f"{split}.txt", str(self.folder / f"{split}-{budget}.run")
            path.write_bytes(text.encode())
            task = MapTask("m", split, "in", 1, 0, (Extent(str(path), 0, len(text.encode())),), run)
            digest = MapAttempt(self.program, self.load(budget), task).carry_out().digest
            runs.append(RunSegment(split, run, digest))
        return tuple(runs)

    def reduce(self, runs: tuple[RunSegment, ...], budget: int) -> list[bytes]:
        parts = []
        for partition in range(self.partitions):
            output = self.folder / f"part-{partition}"
            task = ReduceTask("r", partition, runs, str(output))
            ReduceAttempt(self.program, self.load(budget), task).carry_out()
            parts.append(output.read_bytes())
        return parts


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
@given(lines=LINES, splits=st.integers(1, 4), budget=st.integers(200, 12_000))
@settings(max_examples=10, deadline=None)
def test_job_that_spills_gives_the_answer_of_one_that_does_not(tmp_path_factory, source, lines, splits, budget):
    texts = ["".join(f"{line}\n" for line in lines[n::splits]) for n in range(splits)]
    job = Job(tmp_path_factory.mktemp("job"), source, texts)
    in_memory = job.reduce(job.map(AMPLE), AMPLE)
    with small_steps():
        assert job.reduce(job.map(budget), budget) == in_memory


@pytest.mark.parametrize("tail", ["reduce = 'sum'\n", "reduce = 'mean'\n", TOTAL, "combiner = 'sum'\n" + JOIN])
@given(lines=LINES, budget=st.integers(200, 8_000))
@settings(max_examples=15, deadline=None)
def test_reduce_adds_floats_in_the_same_order_whether_or_not_it_spills(tmp_path_factory, tail, lines, budget):
    job = Job(tmp_path_factory.mktemp("job"), TENTHS + tail, [f"{line}\n" * 3 for line in lines])
    runs = job.map(AMPLE)
    in_memory = job.reduce(runs, AMPLE)
    with small_steps():
        assert job.reduce(runs, budget) == in_memory


@pytest.mark.parametrize("source", [TENTHS + "reduce = 'sum'\n", WORDS + JOIN, ONES + TOTAL, MIXED + JOIN])
def test_attempts_that_spill_give_equal_digests_whatever_else_is_in_memory(tmp_path, source):
    job = Job(tmp_path, source, ["the quick brown fox jumps over the lazy dog\n" * 50, "a b c\n" * 30])
    with small_steps():
        first = [run.digest for run in job.map(2_000)]
        ballast = [bytearray(1000) for _ in range(10_000)]
        assert [run.digest for run in job.map(2_000)] == first
    del ballast
    assert [run.digest for run in job.map(AMPLE)] != first


def spilled(folder, rows, cuts) -> Spills:
    spills = Spills(str(folder), 4_000)
    bounds = sorted({0, *(cut for cut in cuts if cut < len(rows)), len(rows)})
    for begin, end in pairwise(bounds):
        groups = {}
        for key, value in rows[begin:end]:
            groups.setdefault(key, []).append(value)
        spills.add([sorted_columns(groups, groups.values())])
    return spills


KEYS = st.sampled_from([None, 1, 1.0, 2.5, "a", "b", b"x", (1, "y"), ("z",)])


@given(rows=st.lists(st.tuples(KEYS, st.integers()), max_size=60), cuts=st.sets(st.integers(1, 60)))
@settings(max_examples=60, deadline=None)
def test_spills_at_any_points_give_the_reducer_what_a_sort_in_memory_does(tmp_path_factory, rows, cuts):
    groups = {}
    for key, value in rows:
        groups.setdefault(key, []).append(value)
    with small_steps():
        spills = spilled(tmp_path_factory.mktemp("spills"), rows, cuts)
        assert [(key, list(values)) for key, values in spills.merged(0)] == sorted_by_key(groups.items())
        spills.close()


def test_spills_leave_no_file_behind_and_need_few_open_ones(tmp_path):
    spills = Spills(str(tmp_path), 1 << 20)
    for number in range(3 * spilling.FAN_IN):
        spills.add([([number], (number,))])
    assert list(tmp_path.iterdir()) == []
    assert len(spills._levels[0]) == 0
    assert len(spills._levels[1]) == 3
    assert [key for key, _ in spills.merged(0)] == list(range(3 * spilling.FAN_IN))
    spills.close()


LARGE = "k " * 200 + "\n"


def test_reducer_of_a_large_key_may_give_many_pairs_and_leave_values_unread(tmp_path):
    job = Job(tmp_path, WORDS + "def reduce(key, values):\n    yield key, next(iter(values))\n", [LARGE * 5, "z\n"], 1)
    with small_steps():
        assert job.reduce(job.map(1_000), 1_000) == [b"k\t1\nz\t1\n"]
        job = Job(
            tmp_path,
            WORDS + "def reduce(key, values):\n    return ((key, value) for value in values)\n",
            [LARGE] * 30,
            1,
        )
        assert job.reduce(job.map(1_000), 1_000) == [b"k\t1\n" * 6_000]


@pytest.mark.parametrize("body", ["yield key, len(values)", "yield key, values[0]", "return sum(values) / 0"])
def test_error_of_a_reducer_with_a_large_key_names_the_key(tmp_path, body):
    job = Job(tmp_path, WORDS + f"def reduce(key, values):\n    {body}\n", [LARGE], 1)
    with small_steps(), pytest.raises(UserFault) as caught:
        job.reduce(job.map(1_000), 1_000)
    assert caught.value.error.record == "k"
    assert caught.value.error.kind in ("TypeError", "ZeroDivisionError")


def test_value_that_cannot_be_pickled_is_blamed_on_its_record_when_it_is_spilled(tmp_path):
    source = "def map(n, line):\n    yield n, (lambda: 1) if line == 'bad' else line\n"
    job = Job(tmp_path, source, ["good\n" * 60 + "bad\n" + "good\n" * 60], 1)
    with small_steps(), pytest.raises(UserFault) as caught:
        job.map(2_000)
    assert (caught.value.error.line, caught.value.error.record) == (61, "bad")


def test_damaged_spill_is_nobodys_fault(tmp_path, monkeypatch):
    job = Job(tmp_path, WORDS + JOIN, ["k l m\n" * 50], 1)
    runs = job.map(AMPLE)
    real = spilling._readable

    def damaged(file):
        file.seek(20)
        file.write(b"????")
        return real(file)

    monkeypatch.setattr(spilling, "_readable", damaged)
    with small_steps(), pytest.raises(InputUnreadable, match="damaged"):
        job.reduce(runs, 1_000)
