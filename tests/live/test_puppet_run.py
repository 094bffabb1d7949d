"""`murmur puppet` from the outside: crooked scripts, exit codes, several sessions, and a master that dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from free_ports import free_port

from murmuration.puppetmaster.masters.processes import is_stopped

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

COMMAND = [sys.executable, "-c", "from murmuration.client.commands.main import main; main()", "puppet"]
MAPPERS = """
from murmuration import Mapper

class Own(Mapper):
    def map(self, line):
        return [(line, len(line))]
"""
LINES = "".join(f"line {number}\n" * (number % 3) for number in range(30))


def murmur(*words: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, words)], input=typed, capture_output=True, text=True, timeout=100)


@contextmanager
def background(directory: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command that is killed in the end, and may leave its temporary files in a directory that goes anyway."""
    environment = {**os.environ, "TMPDIR": str(directory)}
    with subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Data").mkdir()
    (tmp_path / "Data" / "pl.txt").write_text(LINES)
    (tmp_path / "own.py").write_text(MAPPERS)
    return tmp_path


@pytest.fixture
def ports() -> Sequence[int]:
    return [free_port() for _ in range(4)]


def workers(ports: Sequence[int]) -> list[str]:
    first = f"TCP://LOCALHOST:{ports[0]}/W"
    return [f"worker W{n}  TCP://LOCALHOST:20001/PM tcp://localhost:{port}/W {first} " for n, port in enumerate(ports)]


def options(folder: Path) -> list[object]:
    return ["--files", folder / "Data", "--mappers", folder / "own.py", "--out", folder / "out", "--json"]


def test_students_script_runs_unmodified_and_its_bad_lines_are_reported(folder: Path, ports: Sequence[int]) -> None:
    submit = f"SUBMIT tcp://localhost:{ports[1]}/W ..\\..\\Data\\pl.txt ..\\..\\result\\ 7 Lib.Own ..\\Lib.dll"
    lines = ["\ufeff% a script", *workers(ports[:3]), "STATUS", "START EVERYTHING", submit, "WAIT", "", submit, "  "]
    script = folder / "script.txt"
    script.write_bytes("\r\n".join(lines).encode())
    ran = murmur("run", script, *options(folder))
    summary = json.loads(ran.stdout)
    assert ran.returncode == 1, "two lines were no commands"
    assert [problem.split(" ")[1] for problem in summary["problems"]] == ["6", "8"]
    assert summary["failures"] == []
    assert [(job["state"], job["files"], job["pairs"]) for job in summary["jobs"]] == [("done", 7, 30)] * 2
    outputs = folder / "out" / "outputs" / "result"
    assert sorted(path.name for path in outputs.iterdir()) == [f"{number}.out" for number in range(1, 8)]
    found = "".join((outputs / f"{number}.out").read_text() for number in range(1, 8))
    assert found == "".join(f"{line}\t{len(line)}\n" for line in LINES.splitlines())
    status = json.loads((folder / "out" / "status-1.json").read_text())
    assert [peer["name"] for peer in status["peers"]] == ["W0", "W1", "W2"]


def test_scripts_continue_each_other_and_assertions_decide_the_exit_code(folder: Path, ports: Sequence[int]) -> None:
    first, second = folder / "first.txt", folder / "second.txt"
    first.write_text("\n".join([*workers(ports[:2]), "JOIN", "ASSERT ALIVE = 2"]))
    submit = f"SUBMIT tcp://localhost:{ports[0]}/W pl.txt out 40 CharCountMapper"
    held = ["JOIN-JOBS", "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL", "ASSERT TRACKER JOB 1 = W0"]
    second.write_text("\n".join([submit, *held]))
    ran = murmur("run", first, second, *options(folder))
    assert ran.returncode == 0, ran.stderr
    second.write_text("\n".join([submit, *held, "ASSERT EPOCH JOB 1 > 1"]))
    ran = murmur("run", first, second, *options(folder))
    assert ran.returncode == 1
    assert "EPOCH is 1" in ran.stderr


def test_dead_peer_is_removed_and_a_new_one_stands_in_for_it(folder: Path, ports: Sequence[int]) -> None:
    script = folder / "script.txt"
    moves = ["KILL W3", "REMOVE W3", "RESTART W3 empty", "JOIN", "ASSERT ALIVE = 4", "REMOVE W2"]
    script.write_text("\n".join([*workers(ports), "JOIN", *moves]))
    ran = murmur("run", script, *options(folder))
    assert json.loads(ran.stdout)["failures"] == []
    assert "W2 lives: only a dead peer is removed" in ran.stdout + ran.stderr


def test_shell_plays_what_is_typed_and_a_frozen_peer_does_not_hold_up_its_status(
    folder: Path, ports: Sequence[int]
) -> None:
    typed = [
        *workers(ports[:2]),
        "JOIN",
        "FREEZEW W1",
        "SLOWW W1 2",
        "STATUS",
        "UNFREEZEW W1",
        "JOIN",
        "QUIT",
        "STATUS",
    ]
    ran = murmur("shell", *options(folder), typed="\n".join(typed))
    assert ran.returncode == 0, ran.stderr
    (status,) = (folder / "out").glob("status-*.json")
    peers = {peer["name"]: peer for peer in json.loads(status.read_text())["peers"]}
    assert peers["W1"]["process"] == "frozen"
    assert peers["W0"]["present"]
    assert peers["W0"]["gate"]["messages_out"] > 0


def test_every_command_of_the_language_is_listed_and_help_in_the_shell_lists_them_too(folder: Path) -> None:
    listed = murmur("language").stdout.splitlines()
    assert {"STATUS", "KILL ID", "SLOWW ID SECS"} <= set(listed)
    typed = murmur("shell", "--out", folder / "out", typed="help\nexit\nKILL nobody\n")
    assert typed.returncode == 0, "what comes after EXIT is not played"
    assert set(listed) - set(typed.stderr.splitlines()) <= {listed[0]}, "the first stands behind the prompt"


def test_peers_even_frozen_ones_end_with_their_puppet_master(folder: Path, ports: Sequence[int]) -> None:
    script = folder / "script.txt"
    script.write_text("\n".join([*workers(ports[:2]), "JOIN", "WAIT 3", "FREEZEW W1", "STATUS", "WAIT 100"]))
    with background(folder, "run", script, *options(folder)) as master:
        peers = _await_status(folder / "out" / "status-1.json")
        assert [is_stopped(peer["pid"]) for peer in peers] == [False, True]
        master.kill()
        master.wait()
        _await_end([peer["pid"] for peer in peers])
        _await_end(peers[0]["gate"]["executors"])
        _end_those_left(peers[1]["gate"]["executors"])


def test_workers_of_another_puppet_master_are_started_and_ordered_about_there(
    folder: Path, ports: Sequence[int]
) -> None:
    with background(folder, "serve", "--listen", f"tcp://127.0.0.1:{ports[3]}") as served:
        assert served.stdout is not None
        url = served.stdout.readline().strip()
        abroad = [line.replace("TCP://LOCALHOST:20001/PM", f"{url}/PM") for line in workers(ports[:3])]
        submit = f"SUBMIT tcp://localhost:{ports[0]}/W lines.txt out 20 NapMapper"
        faults = ["AT 30% OF JOB 1 KILL @tracker", "CUT W1|W2", "HEAL", "SLOWW W2 1", "KILL nobody", "JOIN-JOBS"]
        held = ["RESTART W0", "JOIN", "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL", "ASSERT EPOCH JOB 1 >= 2", "STATUS"]
        script = folder / "script.txt"
        script.write_text("\n".join([*abroad, abroad[0], "JOIN", submit, *faults, *held]))
        ran = murmur("run", script, *options(folder))
        summary = json.loads(ran.stdout)
        assert [problem.split(" ")[1] for problem in summary["problems"]] == ["4", "11"], ran.stderr
        assert summary["failures"] == []
        script.write_text("\n".join([*abroad, "JOIN", "ASSERT ALIVE = 3"]))
        again = murmur("run", script, *options(folder))
        assert again.returncode == 0, f"the first run ends its peers, so that the next can start: {again.stderr}"


def test_run_goes_on_when_another_puppet_master_is_killed(folder: Path, ports: Sequence[int]) -> None:
    with background(folder, "serve", "--listen", f"tcp://127.0.0.2:{ports[3]}") as served:
        assert served.stdout is not None
        url = served.stdout.readline().strip()
        here = workers(ports[:3])
        here[2] = here[2].replace("TCP://LOCALHOST:20001/PM", f"{url}/PM")
        submit = f"SUBMIT tcp://localhost:{ports[0]}/W lines.txt out 40 NapMapper"
        held = ["JOIN-JOBS", "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL", "KILL W2", "STATUS", "JOIN", "ASSERT ALIVE = 2"]
        script = folder / "script.txt"
        script.write_text("\n".join([*here, "JOIN", submit, "WAIT 1", "STATUS", "WAIT 2", *held]))
        with background(folder, "run", script, *options(folder)) as master:
            _await_status(folder / "out" / "status-1.json")
            served.kill()
            answer, _ = master.communicate(timeout=100)
    summary = json.loads(answer)
    assert [problem.split(" ")[1] for problem in summary["problems"]] == ["11"], "the peer cannot be killed there"
    assert summary["failures"] == []
    peers = json.loads((folder / "out" / "status-2.json").read_text())["peers"]
    assert [peer["process"] for peer in peers] == ["running", "running", "ended"]


def test_run_compares_with_itself_without_faults_and_counts_messages(folder: Path, ports: Sequence[int]) -> None:
    submit = f"SUBMIT tcp://localhost:{ports[0]}/W lines.txt out 20 NapMapper"
    script = folder / "script.txt"
    lines = [*workers(ports[:2]), "JOIN", submit, "SLOWW W1 2", "SLOWW W0 2", "JOIN-JOBS", "ASSERT TIME JOB 1 > 2"]
    script.write_text("\n".join(lines))
    ran = murmur("run", script, "--compare", *options(folder))
    assert ran.returncode == 0, ran.stderr
    (job,) = json.loads(ran.stdout)["jobs"]
    assert job["ratio"] == pytest.approx(job["seconds"] / job["seconds_without_faults"], abs=0.01)
    assert job["messages"] > 0
    assert job["message_bytes"] > job["messages"]
    assert (job["pairs"], job["files"]) == (1000, 20)
    assert (folder / "out" / "without-faults" / "events.jsonl").exists()


def test_output_that_is_spoilt_after_its_job_ended_is_not_equal(folder: Path, ports: Sequence[int]) -> None:
    submit = f"SUBMIT tcp://localhost:{ports[0]}/W pl.txt out 4 CharCountMapper"
    check = "ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL"
    with background(folder, "shell", *options(folder)) as shell:
        assert shell.stdin is not None
        shell.stdin.write("\n".join([*workers(ports[:1]), submit, "JOIN-JOBS", "STATUS", ""]))
        shell.stdin.flush()
        _await_status(folder / "out" / "status-1.json")
        (folder / "out" / "outputs" / "out" / "2.out").write_text("late\n")
        answer, _ = shell.communicate(f"{check}\n", timeout=60)
    (failure,) = json.loads(answer)["failures"]
    assert "it was right when the job ended, and now 1 of 4 files differ, as 2.out" in failure


def _await_status(path: Path) -> list[dict]:
    """Wait for a report, and give what it says of the peers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().endswith("}\n"):
            return json.loads(path.read_text())["peers"]
    raise AssertionError("no report came")


def _await_end(pids: Sequence[int]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(map(_lives, pids)):
            return
    _end_those_left(pids)
    raise AssertionError(f"still there: {pids}")


def _end_those_left(pids: Sequence[int]) -> None:
    """End executors that were frozen before they had asked the kernel to end with their peer."""
    for pid in filter(_lives, pids):
        os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
