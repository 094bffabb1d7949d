"""A sample of keys is alike in every attempt, bounded, and of what the job sorts by."""

import pytest

from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.sampling import sampled
from murmuration.node.executor.shuffle.dealing import dealer_of
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask
from murmuration.scheduling.cuts import original
from murmuration.scheduling.jobs import Program, Sampling
from murmuration.scheduling.partitioners import canonical

LINES = "def map(number, line):\n    yield line, number\nreducer = 'identity'\n"
WITH_CLEANUP = """
from murmuration import Mapper
class Lengths(Mapper):
    def setup(self):
        self.lengths = set()
    def map(self, line):
        self.lengths.add(len(line))
    def cleanup(self):
        for length in self.lengths:
            yield length, 1
reducer = "identity"
"""
GROUPED = """
def map(number, line):
    yield (line[:1], number), line
def grouping(key):
    return key[0]
def reduce(key, values):
    yield key, len(values)
"""


def loaded(source):
    return load_program(Program("source", "job.py", source.encode()), input_format="text", output_format="text")


def sample(folder, source, lines, rate=1.0, keys=1000, split=0):
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / "in").write_bytes(content)
    sampling = Sampling(rate=rate, keys=keys)
    load = LoadProgram("0" * 16, "p", Program("source", "job.py", b""), {}, "text", "text", 0, sampling=sampling)
    task = MapTask("m", split, "in", 1, 0, (Extent(str(folder / "in"), 0, len(content)),), str(folder / "out"))
    MapAttempt(sampled(loaded(source), sampling), load, task).carry_out()
    return [original(bytes.fromhex(line)) for line in (folder / "out").read_text().splitlines()]


def test_sample_of_all_records_is_all_keys(tmp_path):
    assert sample(tmp_path, LINES, "cab") == ["c", "a", "b"]


def test_sample_is_about_its_share_and_alike_in_every_attempt_and_unlike_in_other_splits(tmp_path):
    lines = [f"{number:05}" for number in range(20_000)]
    first = sample(tmp_path, LINES, lines, rate=0.1)
    assert len(first) == 1000
    assert sample(tmp_path, LINES, lines, rate=0.1) == first
    assert sample(tmp_path, LINES, lines, rate=0.1, split=1) != first
    assert 1800 < len(sample(tmp_path, LINES, lines, rate=0.1, keys=100_000)) < 2200


def test_bounded_sample_is_of_the_whole_split(tmp_path):
    found = sample(tmp_path, LINES, [f"{number:05}" for number in range(20_000)], keys=1000)
    halves = [sum(key >= "10000" for key in found), sum(key < "10000" for key in found)]
    assert min(halves) > 400


def test_keys_that_a_mapper_gives_at_its_end_are_sampled(tmp_path):
    assert sorted(sample(tmp_path, WITH_CLEANUP, ["a", "bb", "cc"])) == [1, 2]


def test_keys_are_sampled_as_they_are_grouped(tmp_path):
    assert sample(tmp_path, GROUPED, ["ax", "b", "ay"]) == ["a", "b", "a"]


def test_groups_are_dealt_by_ranges_as_one(tmp_path):
    deal = dealer_of(loaded(GROUPED), 2, (canonical("b"),))
    assert deal([("a", 9), ("b", 0), ("a", 0), ("c", 1)]) == [0, 1, 0, 1]


def test_partitioner_beside_a_total_order_is_refused():
    program = loaded(LINES + "def partitioner(key, n):\n    return 0\n")
    with pytest.raises(UserFault, match="total-order"):
        dealer_of(program, 2, ())
