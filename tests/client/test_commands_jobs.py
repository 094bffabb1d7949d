"""Commands about jobs: what they hand to the library, what they print, and how they end."""

import json

import pytest

from murmuration.client.commands.main import run_command
from murmuration.client.jobs.failures import JobFailed, JobKilled, WaitTimedOut
from murmuration.client.jobs.history import Removed
from murmuration.node.wire.replies import PeerView
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness
from murmuration.ring.terms import Member
from murmuration.scheduling.jobs import JobState, StoredFile, UserError
from murmuration.scheduling.status import JobStatus, TaskState

JOB = "00112233445566ff"
ERROR = UserError(kind="KeyError", message="'x'", traceback="Traceback ...", file="a.txt", line=4, record="x y")


def status_of(**changes):
    fields = {
        "id": JOB,
        "name": "wordcount",
        "state": JobState.DONE,
        "tracker": "B",
        "epoch": 2,
        "version": 7,
        "elapsed_s": 1.5,
        "map_states": bytes([TaskState.DONE] * 3),
        "reduce_states": bytes([TaskState.DONE]),
        "attempts": 5,
        "duplicates": 1,
        "speculative": 0,
        "records": 30,
        "bytes": 300,
        "local_bytes": 200,
        "bytes_total": 300,
        "counters": {"words": 12},
    }
    return JobStatus(**(fields | changes))


class FakeJob:
    """A job whose statuses are given beforehand; `finish` fails as its last state wants."""

    def __init__(self, *statuses, parts=(), interrupts=0):
        self.id = JOB
        self.statuses = list(statuses)
        self.interrupts = interrupts
        self.killed = self.finished = False
        self._parts = parts

    @property
    def status(self):
        return self.statuses[-1]

    def watch(self):
        for status in self.statuses:
            yield status
            if self.interrupts:
                self.interrupts -= 1
                raise KeyboardInterrupt

    def side_files(self):
        return ()

    def parts(self):
        return self._parts

    def kill(self):
        self.killed = True
        self.statuses.append(status_of(state=JobState.KILLED))

    def wait(self, timeout=None):
        if not self.status.state.ended:
            raise WaitTimedOut(f"job {JOB} is still {self.status.state.title} after {timeout:g} s")
        return self.finish()

    def finish(self):
        if self.status.state is JobState.FAILED:
            raise JobFailed(self.id, "wordcount", ERROR, 1)
        if self.status.state is JobState.KILLED:
            raise JobKilled("job wordcount was killed")
        self.finished = True
        return self.status


class OneJob(list):
    """The chain of a program without steps."""

    at_last = True

    def __init__(self, client):
        super().__init__([client.attached])
        self._client = client

    def __iter__(self):
        self._client.started = True
        return super().__iter__()


class FakeClient:
    """Hands out one job, and remembers what was submitted; `bare` is the job without a place for its output."""

    def __init__(self, job):
        self.bare = job
        self.attached = job
        self.submitted = None
        self.started = False
        self.members = ()
        self.homes_missing = False
        self.removed = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit_steps(self, program, inputs, output, **choices):
        self.submitted = (program, inputs, output, choices)
        return OneJob(self)

    def job(self, ref):
        return self.bare

    def attach(self, ref, *, overwrite=False):
        return self.attached

    def jobs(self):
        return (self.bare.status,)

    def history(self):
        if self.homes_missing:
            raise WorldError("2 of 5 homes are silent")
        return (self.bare.status,)

    def ended_jobs(self, names, older_than_s):
        self.asked = (names, older_than_s)
        return (self.bare.status,)

    def remove_job(self, status):
        self.removed.append(status.id)
        return Removed(status=status, silent=("B",))

    def peers(self):
        return self.members


@pytest.fixture
def client_of(monkeypatch):
    def install(job):
        client = FakeClient(job)
        monkeypatch.setattr("murmuration.client.api.Client", lambda _peers: client)
        return client

    return install


def running(**changes):
    return status_of(state=JobState.RUNNING_MAP, map_states=bytes(3), reduce_states=bytes(1), **changes)


def test_submit_hands_on_what_was_given_and_leaves_the_rest_to_the_library(client_of):
    client = client_of(FakeJob(status_of()))
    words = "submit count.py a.txt b.txt -o out --split-size 16MiB --reducers 4 --param x=1 --param y=a=b"
    limits = ["--timeout-per-split", "90s", "--client-patience", "1m", "--memory-per-task", "64MiB"]
    assert run_command([*words.split(), *limits, "--plain"]) == 0
    program, inputs, output, choices = client.submitted
    assert (program, inputs, output) == ("count.py", ("a.txt", "b.txt"), "out")
    del choices["progress"]
    assert choices == {
        "split_size": 16 << 20,
        "reducers": 4,
        "params": {"x": "1", "y": "a=b"},
        "timeout_per_split_s": 90.0,
        "client_patience_s": 60.0,
        "memory_per_task": 64 << 20,
        "overwrite": False,
        "resume": "",
    }


def test_submit_prints_nothing_of_its_own_on_stdout(client_of, capsys):
    client_of(FakeJob(running(), status_of()))
    assert run_command(["submit", "wordcount", "ring:/in", "-o", "out"]) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "done after 1.5 s" in output.err


def test_chain_that_is_broken_off_says_how_to_go_on(client_of, capsys, monkeypatch):
    client_of(FakeJob(status_of(state=JobState.FAILED)))
    monkeypatch.setattr(OneJob, "__len__", lambda _: 2)
    assert run_command(["submit", "top-words", "ring:/in", "-o", "ring:/out", "--plain"]) == 1
    assert f"go on with the same command and --resume {JOB}" in capsys.readouterr().err


def test_detach_is_refused_for_a_program_with_steps(client_of, capsys, monkeypatch):
    client = client_of(FakeJob(running()))
    monkeypatch.setattr(OneJob, "__len__", lambda _: 2)
    assert run_command(["submit", "top-words", "ring:/in", "-o", "ring:/out", "--detach"]) == 2
    assert "do not detach" in capsys.readouterr().err
    assert not client.started


def test_submit_with_detach_prints_the_id_alone(client_of, capsys):
    client_of(FakeJob(running()))
    assert run_command(["submit", "wordcount", "ring:/in", "-o", "ring:/out", "--detach"]) == 0
    assert capsys.readouterr().out == f"{JOB}\n"


def test_submit_with_detach_and_json_prints_an_object_with_the_id(client_of, capsys):
    client_of(FakeJob(running()))
    assert run_command(["submit", "wordcount", "ring:/in", "-o", "-", "--detach", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": JOB}


@pytest.mark.parametrize(("source", "code"), [("ring:/in", 0), ("here.txt", 2)])
def test_detach_is_refused_where_a_peer_abroad_would_need_this_client(client_of, source, code):
    client = client_of(FakeJob(running()))
    abroad = Member(id="0" * 32, name="far", url="tcp://h:1", bulk_url="tcp://h:2", host="elsewhere", directory="/d")
    client.members = (PeerView(member=abroad, liveness=Liveness.ALIVE, incarnation=1),)
    assert run_command(["submit", "wordcount", source, "-o", "ring:/out", "--detach"]) == code
    assert client.started == (code == 0)


@pytest.mark.parametrize(("state", "code"), [(JobState.DONE, 0), (JobState.FAILED, 1), (JobState.KILLED, 4)])
@pytest.mark.parametrize("command", [["submit", "wordcount", "ring:/in", "-o", "out"], ["attach", "@"], ["wait", "@"]])
def test_following_a_job_ends_as_the_job_does(client_of, capsys, command, state, code):
    client_of(FakeJob(status_of(state=state)))
    assert run_command(command) == code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("state", "code"), [(JobState.DONE, 0), (JobState.FAILED, 1), (JobState.KILLED, 4)])
def test_following_with_json_prints_the_document_however_the_job_ended(client_of, capsys, state, code):
    client_of(FakeJob(status_of(state=state)))
    assert run_command(["wait", "@", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["state"] == state.title


def test_wait_that_times_out_ends_with_1_and_leaves_the_job(client_of, capsys):
    job = FakeJob(running())
    client_of(job)
    assert run_command(["wait", "@", "--timeout", "250ms"]) == 1
    assert "still running-map after 0.25 s" in capsys.readouterr().err
    assert not job.killed


def test_output_that_another_client_received_is_not_received_again(client_of, tmp_path):
    (tmp_path / "part-r-00000").write_bytes(b"a\t1\n")
    part = StoredFile(name="part-r-00000", size=4, chunks=())
    client = client_of(FakeJob(status_of(output=str(tmp_path)), parts=(part,)))
    client.bare = FakeJob(status_of(output=str(tmp_path)))
    assert run_command(["attach", "@"]) == 0
    assert not client.attached.finished
    assert run_command(["attach", "@", "--overwrite"]) == 0
    assert client.attached.finished


def test_place_that_holds_something_else_than_the_output_is_not_taken_for_it(client_of, tmp_path):
    (tmp_path / "part-r-00000").write_bytes(b"something else")
    part = StoredFile(name="part-r-00000", size=4, chunks=())
    client = client_of(FakeJob(status_of(output=str(tmp_path)), parts=(part,)))
    client.bare = FakeJob(status_of())
    assert run_command(["attach", "@"]) == 0
    assert client.attached.finished  # which is where the library refuses to overwrite


def test_interrupt_without_a_terminal_leaves_the_job_running_and_says_how_to_return(client_of, capsys):
    job = FakeJob(running(), interrupts=1)
    client_of(job)
    assert run_command(["attach", "@"]) == 130
    assert f"murmur attach {JOB}" in capsys.readouterr().err
    assert not job.killed


@pytest.fixture
def on_terminal(monkeypatch):
    """Give a function that puts the command on a terminal whose user answers a word."""

    def answer(word):
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.prompt", lambda *_, **__: word)

    return answer


@pytest.mark.parametrize(("word", "code", "killed"), [("d", 0, False), ("k", 4, True)])
def test_interrupt_on_a_terminal_asks_whether_to_detach_or_to_kill(client_of, on_terminal, word, code, killed):
    job = FakeJob(running(), interrupts=1)
    client_of(job)
    on_terminal(word)
    assert run_command(["attach", "@", "--plain"]) == code
    assert job.killed == killed


def test_interrupt_on_a_terminal_may_be_taken_back(client_of, on_terminal):
    job = FakeJob(running(), status_of(), interrupts=1)
    client_of(job)
    on_terminal("c")
    assert run_command(["attach", "@", "--plain"]) == 0
    assert job.finished


def test_leaving_top_is_no_error_and_changes_nothing(client_of):
    job = FakeJob(running(), interrupts=1)
    client_of(job)
    assert run_command(["top"]) == 0
    assert not job.killed


def test_status_as_json_has_the_promised_keys(client_of, capsys):
    client_of(FakeJob(status_of(state=JobState.FAILED, error=ERROR, error_split=1)))
    assert run_command(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    promised = (
        "id name state tracker epoch splits attempts duplicates speculative records bytes local_bytes counters error"
    )
    assert set(promised.split()) <= document.keys()
    assert document["state"] == "failed"
    assert document["splits"] == {
        "waiting": 0,
        "claimed": 0,
        "running": 0,
        "speculative": 0,
        "failed": 0,
        "done": 3,
    }
    assert document["counters"] == {"words": 12}
    assert document["error"]["kind"] == "KeyError"
    assert document["error"]["split"] == 1


def test_status_into_a_pipe_is_a_picture_without_control_codes(client_of, capsys):
    client_of(FakeJob(status_of()))
    assert run_command(["status", JOB]) == 0
    told = capsys.readouterr().out
    assert "map     ###" in told
    assert "\x1b" not in told


def test_jobs_lists_a_line_for_each_and_as_json_a_list(client_of, capsys):
    client_of(FakeJob(status_of()))
    assert run_command(["jobs"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["ID", "NAME", "STATE"]
    assert line.split()[:5] == [JOB, "wordcount", "done", "3/3", "1/1"]
    assert run_command(["jobs", "--json"]) == 0
    assert [job["id"] for job in json.loads(capsys.readouterr().out)] == [JOB]


def test_jobs_in_mind_are_listed_where_the_history_may_be_incomplete_and_this_is_said(client_of, capsys):
    client_of(FakeJob(status_of())).homes_missing = True
    assert run_command(["jobs", "--json"]) == 0
    output = capsys.readouterr()
    assert [job["id"] for job in json.loads(output.out)] == [JOB]
    assert "may be missing: 2 of 5 homes are silent" in output.err


def test_jobs_rm_removes_what_was_chosen_and_names_who_did_not_answer(client_of, capsys):
    client = client_of(FakeJob(status_of()))
    assert run_command(["jobs", "rm", "a", "b", "--older-than", "2h"]) == 0
    output = capsys.readouterr()
    assert (client.asked, client.removed) == ((("a", "b"), 7200.0), [JOB])
    assert output.out == f"{JOB} wordcount done\n"
    assert "B did not answer" in output.err


def test_jobs_rm_removes_nothing_in_a_dry_run_or_without_a_choice(client_of, capsys):
    client = client_of(FakeJob(status_of()))
    assert run_command(["jobs", "rm", "a", "--dry-run", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["silent"], client.removed) == (JOB, None, [])
    assert run_command(["jobs", "rm"]) == 2


def test_kill_waits_for_the_end_and_tells_it(client_of, capsys):
    job = FakeJob(running())
    client_of(job)
    assert run_command(["kill", "@", "--json"]) == 0
    assert job.killed
    assert json.loads(capsys.readouterr().out)["state"] == "killed"
