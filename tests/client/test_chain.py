"""A chain submits its steps in turn, hands on what each has written, and can be taken up where it was left."""

import pytest

from murmuration.client.jobs.chain import BETWEEN, Chain
from murmuration.client.jobs.programs import declared, reduces, step_names
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import JobSpec, JobState, Program

SOURCE = """
from murmuration import Mapper

class First:
    def map(key, value):
        yield value, 1
    reducer = "sum"

class Second:
    def map(key, value):
        yield value, key
    input_format: str = "text"
    reducers = 1

class Third:
    output_format = "jsonl"
    def map(key, value):
        yield key, value

steps = [First, Second, Third]
"""
PROGRAM = Program(kind="source", name="dir/job.py", body=SOURCE.encode())


class FakeJob:
    def __init__(self, client, place, fails):
        self.id, self._client, self._place, self._fails = f"job of {place}", client, place, fails
        self.finished = 0

    def finish(self):
        if self._fails:
            raise CallerError("the step failed")
        self.finished += 1
        self._client.files.add(self._place)

    wait = finish


class FakeStatus:
    def __init__(self, place, state):
        self.id, self.output, self.state = f"job of {place}", place, state


class FakeClient:
    """Runs jobs at once when they are finished; keeps what they have written; is its own file system."""

    def __init__(self):
        self.fs = self
        self.files = set()
        self.submitted = []
        self.removed = []
        self.running = []
        self.failing = set()

    def submit(self, program, inputs, output, **choices):
        self.submitted.append((program.name, list(inputs), output, choices))
        return FakeJob(self, output, program.name in self.failing)

    def job(self, ref):
        return FakeJob(self, ref.removeprefix("job of "), fails=False)

    def jobs(self):
        return self.running

    def exists(self, place):
        return place in self.files

    def rm(self, place, *, recursive):
        assert recursive
        self.removed.append(place)


def chain_of(client, program=PROGRAM, **choices):
    return Chain(client, program, ["in"], "out", choices, overwrite=True)


def test_each_step_reads_what_the_one_before_has_written_and_nothing_is_left():
    client = FakeClient()
    chain = chain_of(client, params={"x": "1"}, splits=5, output_format="values")
    assert [chain.at_last for _ in chain] == [False, False, True]
    names, inputs, outputs, choices = zip(*client.submitted, strict=True)
    assert names == ("dir/job.py::1", "dir/job.py::2", "dir/job.py::3")
    assert inputs == (["in"], [outputs[0]], [outputs[1]])
    assert outputs[2] == "out"
    assert all(place.startswith(BETWEEN) for place in outputs[:2])
    assert client.removed == [outputs[0].rpartition("/")[0]]
    assert [each["overwrite"] for each in choices] == [False, False, True]
    assert [each["name"] for each in choices] == ["job-1", "job-2", "job-3"]
    assert all(each["params"] == {"x": "1"} for each in choices)
    assert [each.get("splits") for each in choices] == [5, None, None]
    assert [each.get("input_format") for each in choices] == [None, "text", "key-value"]
    assert [each.get("output_format") for each in choices] == [None, None, "values"]


def test_number_of_reducers_is_the_steps_own_else_that_given():
    client = FakeClient()
    chain_of(client, reducers=4).wait()
    assert [choices.get("reducers") for *_, choices in client.submitted] == [4, 1, 4]


def test_program_without_steps_is_a_chain_of_one_job_that_removes_nothing():
    client = FakeClient()
    chain = chain_of(client, Program(kind="source", name="a.py::Words", body=b"def map(k, v): pass\n"), splits=2)
    job = chain.wait()
    assert (len(chain), chain.at_last, job.id) == (1, True, "job of out")
    assert client.submitted[0][:3] == ("a.py::Words", ["in"], "out")
    assert "name" not in client.submitted[0][3]
    assert client.removed == []


def test_failed_step_ends_the_chain_and_leaves_what_was_done_for_one_that_takes_it_up():
    client = FakeClient()
    client.failing = {"dir/job.py::2"}
    with pytest.raises(CallerError, match="the step failed"):
        chain_of(client).wait()
    assert client.removed == []
    first = client.submitted[0][2]
    client.failing = set()
    client.submitted.clear()
    again = chain_of(client)
    again.take_up(JobSpec(name="job-1", program=PROGRAM, output=first, reducers=1, split_size=1))
    again.wait()
    assert [name for name, *_ in client.submitted] == ["dir/job.py::2", "dir/job.py::3"]
    assert client.submitted[0][1] == [first]
    assert client.removed == [first.rpartition("/")[0]]


def test_step_that_still_runs_is_waited_for_and_not_begun_again():
    client = FakeClient()
    chain = chain_of(client)
    chain.take_up(JobSpec(name="job-1", program=PROGRAM, output=f"{BETWEEN}/c/1", reducers=1, split_size=1))
    client.running = [FakeStatus(f"{BETWEEN}/c/1", JobState.RUNNING_MAP), FakeStatus(f"{BETWEEN}/c/2", JobState.FAILED)]
    chain.wait()
    assert [name for name, *_ in client.submitted] == ["dir/job.py::2", "dir/job.py::3"]


def test_only_a_step_of_the_same_program_can_be_taken_up():
    other = Program(kind="source", name="dir/job.py", body=SOURCE.encode() + b"# changed\n")
    for program, output, reason in ((other, f"{BETWEEN}/c/1", "another program"), (PROGRAM, "ring:/out", "no step")):
        with pytest.raises(CallerError, match=reason):
            chain_of(FakeClient()).take_up(
                JobSpec(name="job-1", program=program, output=output, reducers=1, split_size=1)
            )


def test_what_a_step_sets_is_read_from_its_class_alone():
    steps = [Program(kind="source", name=f"job.py::{number}", body=PROGRAM.body) for number in (1, 2, 3)]
    assert step_names(PROGRAM) == ["First", "Second", "Third"]
    assert [reduces(step) for step in steps] == [True, False, False]
    assert [declared(step, "output_format") for step in steps] == [None, None, "jsonl"]


@pytest.mark.parametrize("line", ["steps = []", "steps = [First()]", "steps = make()", "steps = [First, Missing]"])
def test_steps_that_cannot_be_told_without_running_the_program_are_refused(line):
    program = Program(kind="source", name="job.py", body=f"class First:\n    pass\n\n{line}\n".encode())
    with pytest.raises(CallerError, match=r"job.py:4: steps must be a list of classes"):
        step_names(program)
