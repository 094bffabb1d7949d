"""A grouping gives a reducer several keys at once, in their order; identities pass everything on."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program

VISITS = """
from murmuration import Mapper, Reducer

class Visits(Mapper):
    def map(self, number, line):
        user, time = line.split()
        yield (user, int(time)), int(time)

class Trails(Reducer):
    def setup(self):
        self.groups = 0

    def reduce(self, user, times):
        self.groups += 1
        if user == "bad":
            raise ValueError("no trail")
        yield user, " ".join(map(str, times))

    def cleanup(self):
        yield "groups", self.groups

def grouping(key):
    return key[0]
"""
IDENTITIES = "mapper = reducer = 'identity'\ninput_format = 'key-value'\n"


def run(folder, source, content, partitions=1):
    program = Program(kind="source", name="job.py", body=source.encode())
    loaded = load_program(program, input_format="text", output_format="text")
    load = LoadProgram("0" * 16, "p", program, {}, "text", "text", partitions)
    (folder / "in").write_bytes(content)
    extents = (Extent(str(folder / "in"), 0, len(content)),)
    done = MapAttempt(loaded, load, MapTask("m", 0, "in", 1, 0, extents, str(folder / "run"))).carry_out()
    runs = (RunSegment(0, str(folder / "run"), done.digest),)
    parts = []
    for partition in range(partitions):
        ReduceAttempt(loaded, load, ReduceTask("r", partition, runs, str(folder / "part"))).carry_out()
        parts.append((folder / "part").read_text())
    return parts


@given(visits=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9))), partitions=st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_values_of_a_group_come_once_and_in_the_order_of_the_whole_keys(tmp_path_factory, visits, partitions):
    content = "".join(f"{user} {time}\n" for user, time in visits).encode()
    parts = run(tmp_path_factory.mktemp("job"), VISITS, content, partitions)
    lines = [line.split("\t") for part in parts for line in part.splitlines()]
    trails = {user: trail for user, trail in lines if user != "groups"}
    wanted = {
        user: " ".join(str(time) for _, time in mine)
        for user, mine in groupby(sorted(visits), key=lambda visit: visit[0])
    }
    assert trails == wanted
    assert sum(int(count) for user, count in lines if user == "groups") == len(wanted)
    assert len(lines) == len(wanted) + partitions


def test_group_that_fails_is_blamed_and_not_the_key_after_it(tmp_path):
    with pytest.raises(UserFault) as caught:
        run(tmp_path, VISITS, b"bad 1\nbad 2\nnext 1\n")
    assert (caught.value.error.kind, caught.value.error.record) == ("ValueError", "bad")


def test_grouping_without_a_reducer_to_call_is_refused(tmp_path):
    source = "def map(n, line):\n    yield line, 1\n\ndef grouping(key):\n    return key\n\nreduce = 'sum'\n"
    with pytest.raises(UserFault) as caught:
        run(tmp_path, source, b"")
    assert "grouping(key) needs a reducer" in caught.value.error.message


def test_identities_sort_by_key_and_change_nothing(tmp_path):
    content = b"b\t2\na\t1\nb\t1\n"
    assert run(tmp_path, IDENTITIES, content) == ["a\t1\nb\t2\nb\t1\n"]


def test_reduce_only_job_takes_the_pairs_of_its_input_as_they_are(tmp_path):
    source = "mapper = 'identity'\ninput_format = 'key-value'\n\ndef reduce(key, values):\n    yield key, len(values)\n"
    assert run(tmp_path, source, b"b\t2\na\t1\nb\t1\n") == ["a\t1\nb\t2\n"]
