"""User code that raises, hangs, dies, forks, floods and spoils: its job is told plainly, and nothing else feels it."""

import json
import os
import pty
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gated_peers import until
from sound_cluster import MURMUR, PATIENCE_S, TEXT, SoundCluster, is_alive, noted

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.client.jobs.failures import JobKilled, UserCodeError
from murmuration.node.executor.hosting.logs import LOG_BYTES_MAX
from murmuration.scheduling.jobs import JobState

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("user-code-faults")]

KILL_S = 2.0
"""How long after the acknowledgement of a kill user code may still run."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=2) as cluster, Client(cluster) as client:
        yield SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)


@pytest.fixture
def stage(shared: SoundCluster) -> Iterator[SoundCluster]:
    """Give the cluster to a test, and see afterwards that it is as sound as before."""
    yield shared
    shared.assert_sound()


# --- user code raises (row 22) ---

RAISED = {
    "unpicklable": ("Locked('no entry')", "Locked", "no entry"),
    "str-raises": ("Unspeakable()", "Unspeakable", ""),
    "repr-and-str-raise": ("Unspeakable(Unspeakable())", "Unspeakable", ""),
    "SystemExit-0": ("SystemExit(0)", "SystemExit", "0"),
    "SystemExit-text": ("SystemExit('enough')", "SystemExit", "enough"),
    "KeyboardInterrupt": ("KeyboardInterrupt()", "KeyboardInterrupt", ""),
    "GeneratorExit": ("GeneratorExit('gone')", "GeneratorExit", "gone"),
    "BaseException": ("Deep('down')", "Deep", "down"),
    "group": (
        "ExceptionGroup('all', [ValueError('one'), KeyError('two')])",
        "ExceptionGroup",
        "all (2 sub-exceptions)",
    ),
    "MemoryError": ("MemoryError()", "MemoryError", ""),
    "huge": ("ValueError('x' * 10_000_000)", "ValueError", "[...]"),
    "not-text": ("ValueError('\\ud800 and \\0')", "ValueError", "\\ud800 and"),
}

RAISER = """
import threading

class Locked(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()

    def __reduce__(self):
        raise TypeError("never pickled")

class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__

class Deep(BaseException):
    pass

def map(number, line):
    if number == 42:
        trip(line)
    yield line, 1

def trip(line):
    raise RAISED
"""


@pytest.mark.parametrize("case", RAISED)
def test_what_user_code_raises_fails_the_job_with_its_type_message_frames_split_and_record(
    stage: SoundCluster, case: str
) -> None:
    expression, kind, message = RAISED[case]
    failed = stage.failure(RAISER.replace("RAISED", expression), splits=6)
    error = failed.error
    assert (error.kind, message in error.message) == (kind, True)
    assert (error.record, error.line) == (TEXT.splitlines()[41], 42)
    assert failed.split == 4
    assert ", in trip" in error.traceback
    assert "raise " in error.traceback
    assert "murmuration" not in error.traceback.replace("murmuration_program", "")
    assert isinstance(failed.__cause__, UserCodeError)
    assert all(words in str(failed) for words in (kind, "task 4", ":42", error.record))


@pytest.mark.parametrize("place", ["setup", "cleanup", "reduce"])
def test_exception_beside_map_fails_the_job_too(stage: SoundCluster, place: str) -> None:
    bodies = {"setup": "pass", "cleanup": "return ()", "reduce": "yield key, len(values)", place: "1 / 0"}
    source = (
        "from murmuration import Mapper, Reducer\n"
        "class M(Mapper):\n"
        f"    def setup(self):\n        {bodies['setup']}\n"
        "    def map(self, key, value):\n        yield value.split()[1], 1\n"
        f"    def cleanup(self):\n        {bodies['cleanup']}\n"
        f"class R(Reducer):\n    def reduce(self, key, values):\n        {bodies['reduce']}\n"
    )
    error = stage.failure(source, reducers=1).error
    assert (error.kind, error.message) == ("ZeroDivisionError", "division by zero")
    assert f", in {place}" in error.traceback
    assert error.record == ("0" if place == "reduce" else "")


def test_failing_attempt_is_made_again_until_the_budget_is_used_up(stage: SoundCluster) -> None:
    notes = stage.notes()
    source = (
        f"import os, uuid\ndef map(number, line):\n    open({str(notes)!r} + '/' + uuid.uuid4().hex, 'w').close()\n"
        "    raise ValueError(line)\n"
    )
    assert stage.failure(source, "one line\n", max_attempts=3).error.message == "one line"
    assert len(list(notes.iterdir())) == 3


def test_command_line_ends_with_one_and_tells_of_the_users_error(stage: SoundCluster) -> None:
    program = stage.file("def map(number, line):\n    raise KeyError(line)\n", ".py")
    command = [*MURMUR, "submit", program, stage.file("a\nb\n"), "-o", "-", "--peer", stage.cluster.urls[1], "--plain"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 1
    assert ended.stdout == ""
    for words in ("failed: KeyError: 'a'", "record: a", "in map", "raise KeyError(line)"):
        assert words in ended.stderr


# --- user code hangs (row 23), or forks (row 25) ---

HANGS = """
import ctypes, os, signal, threading, time

NOTES = {notes!r}

def note():
    open(os.path.join(NOTES, str(os.getpid())), "w").close()

def linger():
    note()
    while True:
        time.sleep(1000)

def spin():
    while True:
        pass

def deaf():
    for number in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            continue
    spin()

def lock():
    held = threading.Lock()
    held.acquire()
    held.acquire()

def still():
    os.kill(os.getpid(), signal.SIGSTOP)

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            linger()
        os._exit(0)
    os.wait()
    linger()

def bomb():
    for _ in range(50):
        if os.fork() == 0:
            linger()
    linger()

WAYS = [spin, lambda: time.sleep(1000), lock, ctypes.CDLL(None).pause, deaf, still, daemon, bomb]

def map(number, line):
    note()
    WAYS[number - 1]()
"""

PROCESSES = 8 + 1 + 50
"""One of each split, a daemon, and fifty children of one."""


def end_of_all(pids: list[int]) -> float:
    """Wait for the end of processes; give the seconds that it took."""
    began = time.monotonic()
    until(lambda: not any(map(is_alive, pids)), PATIENCE_S)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    """Give a cluster with a slot for each way of hanging."""
    with LocalCluster(peers=2, workers=4) as cluster, Client(cluster) as client:
        yield SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)


def test_kill_ends_user_code_that_hangs_in_any_way_and_all_its_processes(wide: SoundCluster) -> None:
    notes = wide.notes()
    job = wide.submit(HANGS.format(notes=str(notes)), "line\n" * 8, splits=8)
    pids = noted(notes, PROCESSES)
    assert all(map(is_alive, pids))
    ended = subprocess.run(
        [*MURMUR, "kill", job.id, "--json", "--peer", wide.cluster.urls[0]], capture_output=True, timeout=PATIENCE_S
    )
    assert end_of_all(pids) < KILL_S
    assert (ended.returncode, json.loads(ended.stdout)["state"]) == (0, "killed")
    with pytest.raises(JobKilled):
        job.wait(PATIENCE_S)
    wide.assert_sound()


def test_time_limit_of_a_split_ends_what_hangs_and_says_so(wide: SoundCluster) -> None:
    notes = wide.notes()
    failed = wide.failure(HANGS.format(notes=str(notes)), "line\n" * 8, splits=8, timeout_per_split_s=4.0)
    assert (failed.error.kind, failed.error.message) == ("TimedOut", "the attempt did not end within 4 s")
    assert "--timeout-per-split" in failed.error.hint
    assert end_of_all(noted(notes, 1)) < KILL_S
    wide.assert_sound()


LEAVER = """
import os, time

NOTES = {notes!r}

def map(number, line):
    for _ in range(25):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open(os.path.join(NOTES, str(os.getpid())), "w").close()
                time.sleep(1000)
            os._exit(0)
        os.wait()
    while len(os.listdir(NOTES)) < 25:
        time.sleep(0.005)
    yield line, 1
"""


def test_daemons_that_a_job_leaves_end_with_the_job(stage: SoundCluster) -> None:
    notes = stage.notes()
    assert stage.pairs(LEAVER.format(notes=str(notes)), "one\n") == {"one": "1"}
    assert end_of_all(noted(notes, 25)) < KILL_S


def test_daemons_of_a_killed_peer_end_with_it(tmp_path: Path) -> None:
    with LocalCluster(peers=1, workers=2) as cluster, Client(cluster) as client:
        stage = SoundCluster(tmp_path, cluster, client)
        notes = stage.notes()
        stage.submit(LEAVER.format(notes=str(notes)).replace("yield line, 1", "time.sleep(1000)"), "one\n")
        pids = noted(notes, 25)
        cluster.kill("peer-1")
        assert end_of_all(pids) < KILL_S
        cluster.restart("peer-1")


# --- user code takes all memory, or its process dies (rows 24 and 27) ---

DEATHS = {
    "os._exit(0)": "exited with code 0",
    "os._exit(7)": "exited with code 7",
    "os.kill(os.getpid(), signal.SIGKILL)": "was killed by SIGKILL (signal 9)",
    "os.abort()": "was killed by SIGABRT (signal 6)",
    "ctypes.string_at(0)": "was killed by SIGSEGV (signal 11)",
    "os.killpg(0, signal.SIGTERM)": "was killed by SIGTERM (signal 15)",
    "os.kill(os.getppid(), signal.SIGKILL); time.sleep(1000)": "was killed by SIGKILL (signal 9)",
    "os.closerange(0, 1000); time.sleep(1000)": "closed its link to the peer",
    "os.closerange(0, 1000)": "process that ran user code",
    "[os.write(n, b'junk' * 99) for n in links()]; time.sleep(1000)": "sent a malformed frame",
    "[os.write(n, bytes(4) * 99) for n in links()]; time.sleep(1000)": "sent a malformed frame",
    "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n    while True: pass": "was killed by SIGKILL (signal 9)",
}

DEATH = """
import ctypes, os, resource, signal, stat, sys, time

def links():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            continue

def map(number, line):
    print("last words", flush=True)
    DEATH
"""


@pytest.mark.parametrize("death", DEATHS)
def test_process_that_ends_before_its_attempt_fails_the_job_and_the_end_is_named(
    stage: SoundCluster, death: str
) -> None:
    error = stage.failure(DEATH.replace("DEATH", death), "one\n").error
    assert (error.kind, DEATHS[death] in error.message) == ("ProcessDied", True), error.message
    assert "last words" in error.message, error.message
    if death in ("os.abort()", "ctypes.string_at(0)"):
        assert "line 14 in map" in error.message


@pytest.mark.parametrize("death", ["os._exit(0)", "ctypes.string_at(0)", "os.kill(os.getpid(), 9)"])
def test_attempt_whose_process_dies_once_is_made_again_and_the_job_is_right(stage: SoundCluster, death: str) -> None:
    mark = stage.notes() / "died"
    source = (
        f"import ctypes, os\ndef map(number, line):\n    if number == 30 and not os.path.exists({str(mark)!r}):\n"
        f"        open({str(mark)!r}, 'w').close()\n        {death}\n"
        "    for word in line.split():\n        yield word, 1\nreduce = 'sum'\n"
    )
    counts = stage.pairs(source, splits=6, reducers=2)
    assert mark.exists()
    assert {word: int(number) for word, number in counts.items()} == Counter(TEXT.split())


def test_user_code_without_memory_left_fails_with_a_memory_error(stage: SoundCluster) -> None:
    source = (
        "import resource\ndef map(number, line):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
        "    held = []\n    while True: held.append(bytearray(1 << 24))\n"
    )
    error = stage.failure(source, "one\n").error
    assert (error.kind, error.record) == ("MemoryError", "one")
    assert "held.append" in error.traceback


LEAKER = """
held = []

def map(number, line):
    if line == "leak":
        while True:
            held.append(b"x" * (1 << 22))
    for word in line.split():
        yield word, 1

reduce = "sum"
"""


def test_mapper_that_leaks_fails_its_job_within_seconds_and_harms_no_other(stage: SoundCluster) -> None:
    other = stage.submit(LEAKER.replace("    for word", "    __import__('time').sleep(0.02)\n    for word"), splits=4)
    began = time.monotonic()
    failed = stage.failure(LEAKER, "one\ntwo\nleak\n", splits=3, memory_limit="512MiB", max_attempts=2)
    assert time.monotonic() - began < 15
    assert (failed.error.kind, failed.split) == ("MemoryLimitExceeded", 2)
    assert "MiB of memory" in failed.error.message
    assert "--memory-limit" in failed.error.hint
    counts = other.result(PATIENCE_S)
    assert {word: int(number) for word, number in counts} == Counter(TEXT.split())


def test_record_that_takes_all_memory_is_set_aside_where_the_job_skips_bad_ones(stage: SoundCluster) -> None:
    job = stage.submit(LEAKER, "one\nleak\ntwo\n", splits=1, memory_limit="512MiB", skip_bad_records=1)
    assert dict(job.result(PATIENCE_S)) == {"one": "1", "two": "1"}
    assert job.counters["skipped_records"] == 1


def test_executor_that_the_system_kills_for_memory_is_told_with_a_way_out(stage: SoundCluster) -> None:
    error = stage.failure(DEATH.replace("DEATH", "os.kill(os.getpid(), signal.SIGKILL)"), "one\n").error
    assert "--split-size" in error.hint


# --- user code floods and spoils (rows 26 and 28) ---


def test_flood_of_output_is_drained_and_kept_up_to_a_mebibyte(stage: SoundCluster) -> None:
    source = (
        "import sys\ndef map(number, line):\n    for _ in range(50):\n        sys.stdout.write('x' * (1 << 20))\n"
        "    yield line, 1\n"
    )
    job = stage.submit(source, "one\n")
    assert job.result(PATIENCE_S) == [("one", "1")]
    (log,) = stage.cluster.directory.glob(f"*/logs/{job.id}/*.log")
    assert LOG_BYTES_MAX < log.stat().st_size < LOG_BYTES_MAX + 200
    assert log.read_bytes().endswith(b"the rest is dropped]\n")
    (shown,) = job.logs().logs
    assert (shown.split, shown.partition, shown.text) == (0, None, log.read_text())


def test_what_user_code_prints_is_shown_by_its_split_and_its_partition(
    stage: SoundCluster, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source = (
        "def map(number, line):\n    print('mapping', line)\n    yield line, 1\n"
        "def reduce(key, values):\n    print('reducing', key)\n    yield key, sum(values)\n"
    )
    job = stage.submit(source, "one\n", reducers=1)
    job.result(PATIENCE_S)
    peer = ["--peer", stage.cluster.urls[0]]
    assert run_command(["logs", job.id, "--split", "0", *peer]) == 0
    assert capfdbinary.readouterr().out == b"mapping one\n"
    assert run_command(["logs", job.id, *peer]) == 0
    both = capfdbinary.readouterr().out
    assert b"==> split 0, attempt " in both
    assert b"==> partition 0, attempt " in both
    assert b"reducing one\n" in both
    assert run_command(["logs", job.id, "--split", "1", *peer]) == 0
    assert b"nothing was printed by such an attempt" in capfdbinary.readouterr().err


def rehearse(stage: SoundCluster, *words: str, typed: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run `murmur debug`, at a terminal if something is typed, and see that it leaves nothing behind."""
    notes = stage.notes()
    master, terminal = pty.openpty()
    os.write(master, typed)
    try:
        ran = subprocess.run(
            [*MURMUR, "debug", *words, "--peer", stage.cluster.urls[0]],
            stdin=terminal if typed else subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(notes)},
            capture_output=True,
            timeout=PATIENCE_S,
            text=True,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(master)
    assert list(notes.iterdir()) == []
    return ran


DIVIDES = "def map(number, line):\n    print('at', line)\n    yield line, 1 // (len(line) - 3)\nreduce = 'sum'\n"


def test_failed_split_is_run_again_here_by_itself_and_shows_what_it_prints(stage: SoundCluster) -> None:
    failed = stage.failure(DIVIDES, "four4\none\n")
    ran = rehearse(stage, failed.job)
    assert (ran.returncode, ran.stdout) == (1, "at four4\nat one\n")
    assert "ZeroDivisionError" in ran.stderr
    assert "at line 2 of" in ran.stderr
    well = rehearse(stage, stage.submit(DIVIDES, "four4\n").id, "0")
    assert (well.returncode, well.stdout) == (0, "at four4\n")
    assert "1 records in, 1 out" in well.stderr
    assert rehearse(stage, failed.job, "7").returncode == 2


def test_debugger_opens_at_the_line_of_the_user_that_failed(stage: SoundCluster) -> None:
    failed = stage.failure(DIVIDES, "four4\none\n")
    ran = rehearse(stage, failed.job, typed=b"p line, number\nq\n")
    assert "('one', 2)" in ran.stdout
    assert "-> yield line, 1 // (len(line) - 3)" in ran.stdout


SPOILER = """
import builtins, os, signal, sys

STATE = []

def look():
    STATE.append((
        os.path.basename(os.getcwd())[:8],
        oct(os.umask(0o22)),
        sorted(map_(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        os.environ.get("SPOILT"),
        "PATH" in os.environ,
        len(sys.path) > 0,
        hasattr(builtins, "spoilt"),
        builtins.sorted is sorted_,
        bool(sys.stdout),
    ))

map_, sorted_ = map, sorted

def map(number, line):
    seen = str(look() or STATE.pop())
    spoil()
    return [(seen, 1)]

def spoil():
    with open("rubbish", "wb") as file:
        file.write(bytes(1 << 24))
    os.chdir("/")
    os.umask(0o777)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    os.environ.clear()
    os.environ["SPOILT"] = "yes"
    sys.path.clear()
    builtins.spoilt = True
    builtins.sorted = lambda *_, **__: []
    sys.stdout = None

reduce = "sum"
"""


def test_attempt_after_one_that_spoilt_its_process_finds_everything_as_it_was(stage: SoundCluster) -> None:
    counts = stage.pairs(SPOILER, "line\n" * 30, splits=30, reducers=1)
    assert counts == {"('process-', '0o22', [], None, True, True, False, True, True)": "30"}


def test_temporary_files_of_user_code_are_gone_with_its_job(stage: SoundCluster) -> None:
    notes = stage.notes()
    source = (
        "import os, tempfile, time\ndef map(number, line):\n    path = tempfile.mkstemp()[1]\n"
        "    open('here', 'wb').write(bytes(1 << 24))\n    open(path, 'wb').write(bytes(1 << 24))\n"
        f"    open({str(notes)!r} + '/' + str(number), 'w').write(path)\n    yield line, os.path.realpath('here')\n"
    )
    for _, here in stage.pairs(source, "a\nb\n", splits=2).items():
        until(lambda here=here: not Path(here).exists(), PATIENCE_S)
    for name in ("1", "2"):
        until(lambda name=name: not Path((notes / name).read_text()).exists(), PATIENCE_S)


# --- a peer without descriptors, or without memory (rows 20 and 21) ---


@pytest.mark.parametrize(
    ("limit", "most"), [(resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_NOFILE, 30), (resource.RLIMIT_AS, 1 << 26)]
)
def test_peer_without_descriptors_or_memory_spoils_nothing_and_the_others_end_the_job(
    tmp_path: Path, limit: int, most: int
) -> None:
    with LocalCluster(peers=4, workers=1) as cluster:
        resource.prlimit(cluster.processes["peer-2"], limit, (most, most))
        with Client(cluster) as client:
            stage = SoundCluster(tmp_path, cluster, client)
            source = "def map(number, line):\n    for word in line.split():\n        yield word, 1\nreduce = 'sum'\n"
            counts = stage.pairs(source, splits=20, reducers=3)
            assert {word: int(number) for word, number in counts.items()} == Counter(TEXT.split())
            for status in client.jobs():
                assert status.state is JobState.DONE
        assert {"peer-1", "peer-3", "peer-4"} <= set(cluster.running())
        if "peer-2" not in cluster.running():
            said = (cluster.directory / "peer-2" / "stderr.log").read_text()
            assert "murmur: this peer ends" in said
