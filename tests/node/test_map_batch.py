"""A mapper may take many records at once; what it gives, or passes on, is what one of single records would give."""

import random
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor.batches import gathering
from murmuration.node.executor.batches.counting import NUMPY_PAYS_BYTES, NewlineCounter
from murmuration.node.executor.batches.lines import LineBatch
from murmuration.node.executor.faults.careful import check_skipping
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.formats import blocks
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.sampling import sampled
from murmuration.node.executor.shuffle.dealing import dealer_of
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.cuts import chosen_cuts, original
from murmuration.scheduling.jobs import MEMORY_PER_TASK, Program, Sampling
from murmuration.scheduling.partitioners import canonical
from murmuration.scheduling.splits import cut_lines, splits_of_file, splits_of_records

PASS_ON = "def map_batch(batch):\n    return batch\nreducer = 'identity'\n"
ONE_BY_ONE = "def map(number, line):\n    yield line, line\nreducer = 'identity'\n"
IDENTITY = "mapper = reducer = 'identity'\n"
COUNT = "from collections import Counter\ndef map_batch(batch):\n    return Counter(' '.join(batch).split())\n"
COUNT_ONE_BY_ONE = "def map(number, line):\n    for word in line.split(): yield word, 1\n"


class Job:
    """Runs a whole job over one file in this process."""

    def __init__(self, folder, source, *, reads="text", writes="text", partitions=1, memory=MEMORY_PER_TASK, cuts=None):
        program = Program("source", "job.py", source.encode())
        self.folder, self.partitions, self.reads = folder, partitions, reads
        self.load = LoadProgram("0" * 16, "p", program, {}, reads, writes, partitions, memory, cuts=cuts)
        self.program = load_program(program, input_format=reads, output_format=writes)

    def map(self, content, split_size=1 << 20):
        path = self.folder / "in"
        path.write_bytes(content)
        self.done = []
        for number, split in enumerate(self._splits(content, split_size)):
            extents = (Extent(str(path), split.begin, split.end - split.begin),)
            run = str(self.folder / f"{number}.run")
            task = MapTask(f"m{number}", number, "in", split.first_line, split.begin, extents, run)
            self.done.append(MapAttempt(self.program, self.load, task).carry_out())
        return self.done

    def parts(self, content, split_size=1 << 20):
        paths = [self.folder / f"{number}.run" for number in range(len(self.map(content, split_size)))]
        if not self.partitions:
            return [path.read_bytes() for path in paths]
        runs = tuple(
            RunSegment(number, str(path), done.digest)
            for number, (path, done) in enumerate(zip(paths, self.done, strict=True))
        )
        return [self._reduced(number, runs) for number in range(self.partitions)]

    def _reduced(self, number, runs):
        output = self.folder / f"part{number}"
        ReduceAttempt(self.program, self.load, ReduceTask("r", number, runs, str(output))).carry_out()
        return output.read_bytes()

    def _splits(self, content, split_size):
        if not self.reads.startswith("fixed"):
            cut = cut_lines(lambda begin, length: content[begin : begin + length], len(content), split_size)
            return splits_of_file(0, len(content), cut)
        width = int(self.reads.split(":")[1])
        return splits_of_records(0, len(content) // width, width, max(1, len(content) // split_size))


def drawn_records(width, count, letters=b"ab\0\n\xff"):
    chance = random.Random(width * count)
    return [bytes(chance.choices(letters, k=width)) for _ in range(count)]


@pytest.mark.parametrize("reduce", ["", "reducer = 'sum'\n", "combiner = reducer = 'sum'\n"])
@given(words=st.lists(st.sampled_from(["a", "b a", "ü", ""]), max_size=25), split_size=st.integers(1, 40))
@settings(max_examples=10)
def test_pairs_of_a_batch_are_combined_and_reduced_as_those_of_lines(tmp_path_factory, reduce, words, split_size):
    text = "\n".join(words).encode()
    folder = tmp_path_factory.mktemp("job")
    counted = Counter()
    for part in Job(folder, COUNT + reduce, partitions=3).parts(text, split_size):
        for line in part.decode().splitlines():
            word, count = line.split("\t")
            counted[word] += int(count)
    assert counted == Counter(text.decode().split())
    if reduce:
        one_by_one = Job(folder, COUNT_ONE_BY_ONE + reduce, partitions=3).parts(text, split_size)
        assert Job(folder, COUNT + reduce, partitions=3).parts(text, split_size) == one_by_one


@pytest.mark.parametrize(
    ("reads", "wanted"),
    [
        ("text", ["a\tb", "é", "c"]),
        ("offset-text", ["a\tb", "é", "c"]),
        ("key-value", ["a\tb", "é", "c"]),
        ("bytes-lines", [b"a\tb", "é".encode(), b"c"]),
    ],
)
def test_batch_of_a_line_format_is_its_lines_and_knows_their_block_and_text(tmp_path, reads, wanted):
    source = "def map_batch(batch):\n    return [(n, line) for n, line in enumerate(batch, batch.first_line)]\n"
    content = "a\tb\r\né\nc\n".encode()
    (part,) = Job(tmp_path, source, reads=reads, writes="values", partitions=0).parts(content)
    assert part == b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in wanted)
    seen = f"def map_batch(batch):\n    assert list(batch) == {wanted!r} and batch[1:] == {wanted[1:]!r}\n"
    seen += f"    assert batch.block == {content!r} and batch.text == {content.decode()!r}\n"
    (done,) = Job(tmp_path, seen, reads=reads, partitions=0).map(content)
    assert (done.records_in, done.records_out) == (3, 0)


@given(
    block=st.lists(st.sampled_from([b"\n", b"a", b"\r\n"]), max_size=50).map(b"".join),
    times=st.sampled_from([1, 2 * NUMPY_PAYS_BYTES]),
    share=st.floats(0, 1),
)
def test_newlines_of_a_piece_are_counted_alike_before_and_after_numpy_pays(block, times, share):
    counter, many = NewlineCounter(pays_bytes=1), block * times
    begin = int(share * len(many))
    assert counter.count(b"\n\n", 0, 2) == 2
    assert counter.count(many, 0, begin) + counter.count(many, begin, len(many)) == block.count(b"\n") * times


@given(lines=st.lists(st.sampled_from([b"", b"xx", b"axxa", b"b"]), min_size=1), asked=st.sets(st.integers(0, 9)))
def test_lines_are_numbered_alike_however_often_and_in_whatever_order_they_are_looked_for(lines, asked):
    batch = LineBatch(b"".join(line + b"\n" for line in lines), 7, decode=bytes.decode)
    wanted = [(number, line.decode()) for number, line in enumerate(lines, 7) if b"xx" in line]
    for question in sorted(asked):
        if question % 2:
            assert len(batch) == len(lines)
        else:
            assert next(batch.containing(b"xx"), None) == (wanted[0] if wanted else None)
        assert list(batch.containing(b"xx")) == wanted


def test_lines_that_contain_bytes_are_found_with_their_numbers_and_no_other_is_decoded(tmp_path):
    source = "def map_batch(batch):\n    return batch.containing(b'xx')\n"
    content = b"xx one\n\xff\xfe\ntwo xx xx\n\nthree\nxx"
    (part,) = Job(tmp_path, source, partitions=0).parts(content)
    assert part == b"1\txx one\n3\ttwo xx xx\n6\txx\n"


@pytest.mark.parametrize("partitions", [0, 1, 3])
@pytest.mark.parametrize("reads", ["bytes-lines", "text"])
@pytest.mark.parametrize("lengths", [(5,), (5, 0, 7)])
def test_lines_that_are_passed_on_come_out_as_one_by_one(tmp_path, reads, lengths, partitions):
    chance = random.Random(3)
    lines = [bytes(chance.choices(b"ab c", k=chance.choice(lengths))) for _ in range(300)]
    content = b"".join(line + b"\n" for line in lines)
    settings_ = {"reads": reads, "writes": "values", "partitions": partitions}
    passed = Job(tmp_path, PASS_ON, **settings_).parts(content, 200)
    assert passed == Job(tmp_path, ONE_BY_ONE, **settings_).parts(content, 200)
    assert sorted(b"".join(passed).splitlines()) == sorted(lines)


@pytest.mark.parametrize("source", [IDENTITY, PASS_ON])
@pytest.mark.parametrize("memory", [MEMORY_PER_TASK, 2000])
@pytest.mark.parametrize("partitions", [1, 4])
def test_records_of_one_length_are_sorted_by_their_first_bytes_in_each_part(tmp_path, source, memory, partitions):
    records = drawn_records(11, 500)
    job = Job(tmp_path, source, reads="fixed:11:3", writes="fixed", partitions=partitions, memory=memory)
    dealt = dealer_of(job.program, partitions, None)([record[:3] for record in records])
    for number, part in enumerate(job.parts(b"".join(records), 1500)):
        mine = [record for record, at in zip(records, dealt, strict=True) if at == number]
        assert part == b"".join(sorted(mine, key=lambda record: record[:3]))
    assert sum(done.records_in for done in job.done) == sum(done.records_out for done in job.done) == 500


@pytest.mark.parametrize("key_bytes", [3, 9, 11])
def test_records_in_total_order_are_sorted_end_to_end(tmp_path, key_bytes):
    records = drawn_records(11, 800)
    cuts = chosen_cuts([canonical(record[:key_bytes]) for record in records[::9]], 5)
    job = Job(tmp_path, IDENTITY, reads=f"fixed:11:{key_bytes}", writes="fixed", partitions=5, cuts=cuts)
    parts = job.parts(b"".join(records), 2000)
    assert b"".join(parts) == b"".join(sorted(records, key=lambda record: record[:key_bytes]))
    assert sum(map(bool, parts)) > 2


def test_records_that_are_passed_on_never_become_pairs(tmp_path, monkeypatch):
    def forbidden(*_):
        raise AssertionError("records were taken apart")

    monkeypatch.setattr("murmuration.node.executor.batches.records.Records.pairs", forbidden)
    monkeypatch.setattr("murmuration.node.executor.batches.records.Records.values", forbidden)
    monkeypatch.setattr("murmuration.node.executor.reducing.Gathering", forbidden)
    records = drawn_records(8, 100)
    cuts = (canonical(b"a\0\0\0\0\0\0\0"),)
    parts = Job(tmp_path, IDENTITY, reads="fixed:8", writes="fixed", partitions=2, cuts=cuts).parts(b"".join(records))
    assert b"".join(parts) == b"".join(sorted(records))


def test_a_reducer_sees_passed_on_records_as_pairs(tmp_path):
    source = "def map_batch(batch):\n    return batch\ndef reduce(key, values):\n    yield key, b','.join(values)\n"
    records = drawn_records(3, 40, b"ab")
    (part,) = Job(tmp_path, source, reads="fixed:3:1").parts(b"".join(records), 30)
    groups = {letter: b",".join(each for each in records if each[:1] == letter) for letter in (b"a", b"b")}
    assert part == b"".join(b"%b\t%b\n" % pair for pair in groups.items())


def test_pairs_after_passed_on_records_keep_the_order_of_the_input(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2)  # so that an attempt sees several batches
    source = """
import numpy
def map_batch(batch):
    records = batch.tolist()
    return numpy.array([b'k2', b'k3']) if records == [b'xx'] else [(b'k2', records[0])]
reducer = 'identity'
"""
    job = Job(tmp_path, source, reads="fixed:2", writes="values")
    assert job.parts(b"xxp1xxp2") == [b"k2\np1\nk2\np2\nk3\nk3\n"]


def test_map_sees_records_of_one_length_under_their_numbers_or_their_first_bytes(tmp_path):
    source = "def map(key, value):\n    yield key, value\n"
    content = b"aabbcc"
    for reads, wanted in (("fixed:2", b"1\taa\n2\tbb\n3\tcc\n"), ("fixed:2:1", b"a\taa\nb\tbb\nc\tcc\n")):
        assert b"".join(Job(tmp_path, source, reads=reads, partitions=0).parts(content, 2)) == wanted


def test_array_of_records_is_what_map_batch_gets_of_fixed(tmp_path):
    source = """
def map_batch(batch):
    assert batch.dtype == 'S2' and batch.tolist() == [b'bb', b'aa'], batch
    batch = batch.copy()
    batch.sort()
    return batch
"""
    assert Job(tmp_path, source, reads="fixed:2", writes="fixed", partitions=0).parts(b"bbaa") == [b"aabb"]


def test_fault_in_map_batch_names_the_file_and_the_first_line_of_the_batch(tmp_path):
    source = "def map_batch(batch):\n    if 'bad' in list(batch): raise ValueError('no')\n"
    with pytest.raises(UserFault) as failed:
        Job(tmp_path, source, partitions=0).map(b"a\nb\nc\nbad\n", 4)
    error = failed.value.error
    assert (error.kind, error.file, error.line) == ("ValueError", "in", 3)


def test_key_that_cannot_be_one_is_blamed_on_its_batch(tmp_path):
    source = "def map_batch(batch):\n    for line in batch:\n        yield (object if line == 'bad' else line), 1\n"
    with pytest.raises(UserFault) as failed:
        Job(tmp_path, source).map(b"a\nb\nc\nbad\n", 4)
    assert (failed.value.error.file, failed.value.error.line) == ("in", 3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def map_batch(batch):\n    return 7\n", "not iterable"),
        ("def map_batch(batch):\n    return 'ab'\n", "no pair"),
        ("import numpy\ndef map_batch(batch):\n    return numpy.zeros(3)\n", "array of float64"),
    ],
)
def test_what_is_no_batch_and_no_pairs_is_refused(tmp_path, source, message):
    with pytest.raises(UserFault, match=message):
        Job(tmp_path, source, partitions=0).map(b"ab\n")


@pytest.mark.parametrize(
    "source",
    [
        "def map(key, value): yield key, value\ndef map_batch(batch): return batch\n",
        "from murmuration import Mapper\nclass M(Mapper):\n    def map(s, k, v): pass\n    def map_batch(s, b): pass\n",
    ],
)
def test_program_with_map_and_map_batch_is_told_to_choose(source):
    with pytest.raises(UserFault, match="both map and map_batch"):
        load_program(Program("source", "job.py", source.encode()), input_format="text", output_format="text")


def test_bad_records_cannot_be_skipped_in_batches(tmp_path):
    program = Job(tmp_path, PASS_ON).program
    load = LoadProgram("0" * 16, "p", Program("source", "job.py", b""), {}, "text", "text", 1, skip_bad_records=3)
    with pytest.raises(UserFault, match="one record at a time"):
        check_skipping(program, load)


@pytest.mark.parametrize(("source", "reads"), [(PASS_ON, "fixed:4:2"), (PASS_ON, "bytes-lines"), (COUNT, "text")])
def test_sample_of_batches_is_of_the_keys_that_the_job_sorts_by(tmp_path, source, reads):
    lines = [f"{number:03}\n" for number in range(400)]
    keys = {"fixed:4:2": [line[:2].encode() for line in lines], "text": [line[:-1] for line in lines]}
    wanted = keys.get(reads, [line[:-1].encode() for line in lines])
    for rate, least, most in ((1.0, 400, 400), (0.1, 20, 70)):
        sampling = Sampling(rate=rate, keys=1000)
        job = Job(tmp_path, source, reads=reads, partitions=0)
        job.program = sampled(job.program, sampling)
        sample = [
            original(bytes.fromhex(line.decode()))
            for part in job.parts("".join(lines).encode())
            for line in part.split()
        ]
        assert least <= len(sample) <= most
        assert sorted(sample) == sample
        assert set(sample) <= set(wanted)
        assert rate < 1 or sample == wanted


def test_spilled_records_keep_to_the_budget(tmp_path, monkeypatch):
    sizes = []
    spill = gathering.RecordGathering._spill
    monkeypatch.setattr(
        gathering.RecordGathering, "_spill", lambda self, layout: (sizes.append(len(self._held)), spill(self, layout))
    )
    records = drawn_records(100, 3000)
    job = Job(tmp_path, IDENTITY, reads="fixed:100", writes="fixed", memory=1 << 17)
    assert job.parts(b"".join(records)) == [b"".join(sorted(records))]
    assert len(sizes) > 4
    assert max(sizes) < 1 << 17


def test_executor_that_runs_pairs_never_imports_numpy():
    code = (
        "import sys; from murmuration.node.executor import process; from murmuration.node import main;"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'pyarrow')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
