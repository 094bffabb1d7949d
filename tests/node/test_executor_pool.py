"""Executor processes answer every start once, whatever user code does to them, and die when they are told to."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from murmuration.node.executor.hosting import child as child_module
from murmuration.node.executor.hosting.logs import LOG_BYTES_MAX, log_path
from murmuration.node.executor.hosting.pool import ExecutorPool
from murmuration.node.executor.tasks import (
    ExecutorWord,
    Extent,
    LoadProgram,
    MapTask,
    ReduceTask,
    RunSegment,
    RunUnreadable,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
)
from murmuration.scheduling.jobs import Program

JOB = "00000000000000aa"
PATIENCE_S = 20.0
WORDS = "def map(number, line):\n    for word in line.split():\n        yield word, 1\nreduce = 'sum'\n"


class Stage:
    """A pool in a folder, with an input file, and the words that it delivers."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder = folder
        self.words: asyncio.Queue[ExecutorWord] = asyncio.Queue()
        self.pool = ExecutorPool(slots, folder, lambda words: [self.words.put_nowait(word) for word in words])
        self.input = folder / "in.txt"
        self.input.write_bytes(b"a b a\nb a\n")
        self.started = 0

    def start(self, source: str, *, job: str = JOB, timeout_s: float = 0.0, memory_limit: int = 0) -> str:
        """Start a map attempt at the whole input."""
        self.started += 1
        attempt = f"m{self.started}"
        size = self.input.stat().st_size
        extents = (Extent(path=str(self.input), offset=0, length=size),)
        task = MapTask(
            attempt=attempt,
            split=0,
            file="in.txt",
            first_line=1,
            first_byte=0,
            extents=extents,
            output=str(self.folder / f"{attempt}.run"),
        )
        self.pool.start(job, self.load(source), [task], timeout_s, memory_limit)
        return attempt

    def load(self, source: str) -> LoadProgram:
        program = Program(kind="source", name="job.py", body=source.encode())
        return LoadProgram(
            job=JOB, peer="p", program=program, params={}, input_format="text", output_format="text", partitions=1
        )

    async def last_word(self) -> ExecutorWord:
        """Wait for the next word that ends an attempt."""
        while True:
            word = await asyncio.wait_for(self.words.get(), PATIENCE_S)
            if not isinstance(word, TaskProgressed):
                return word

    async def progress(self) -> TaskProgressed:
        word = await asyncio.wait_for(self.words.get(), PATIENCE_S)
        assert isinstance(word, TaskProgressed), word
        return word

    async def failure(self, source: str) -> TaskFailed:
        attempt = self.start(source)
        word = await self.last_word()
        assert isinstance(word, TaskFailed), word
        assert word.attempt == attempt
        return word

    def log(self, attempt: str) -> bytes:
        return log_path(self.folder, JOB, "map-0", attempt).read_bytes()


def play(folder: Path, scene, slots: int = 1) -> None:
    async def run() -> None:
        stage = Stage(folder, slots)
        try:
            await scene(stage)
        finally:
            await stage.pool.close()
        assert stage.pool.processes() == []

    asyncio.run(run())


async def until(condition) -> None:
    """Wait, with a deadline, until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_job_runs_in_one_process_and_loads_its_program_once(tmp_path):
    async def scene(stage: Stage) -> None:
        stage.start("print('loading')\n" + WORDS)
        mapped = await stage.last_word()
        assert isinstance(mapped, TaskFinished)
        run = RunSegment(split=0, path=str(tmp_path / "m1.run"), digest=mapped.digest)
        order = ReduceTask(attempt="r1", partition=0, runs=(run,), output=str(tmp_path / "part"))
        stage.pool.start(JOB, stage.load(WORDS), [order], 0.0)
        reduced = await stage.last_word()
        assert isinstance(reduced, TaskFinished)
        assert (tmp_path / "part").read_text() == "a\t3\nb\t2\n"
        assert (reduced.records_in, reduced.records_out, reduced.bytes_out) == (2, 2, 8)
        assert stage.log("m1") == b"loading\n"
        assert not log_path(tmp_path, JOB, "reduce-0", "r1").exists()

    play(tmp_path, scene)


def test_whatever_kills_the_process_is_named_with_its_last_output_and_the_next_attempt_runs(tmp_path):
    cases = {
        "os._exit(7)": "MiB; its last output:\nlast words",
        "os._exit(0)": "exited with code 0",
        "os.kill(os.getpid(), 9)": "was killed by SIGKILL (signal 9)",
        "ctypes.string_at(0)": "was killed by SIGSEGV (signal 11)",
        "os.write(LINK, bytes(4) + b'junk')": "sent a malformed frame",
        "os.write(LINK, bytes([255]) * 99)": "sent a malformed frame",
        "os.write(LINK, bytes([0, 0, 0, 15, 145, 173]) + b'ProgramLoaded')": "out of turn",
        "os.close(LINK); import time; time.sleep(60)": "closed its link",
    }
    head = (
        "import ctypes, os, stat, sys\n"
        "FDS = (n for n in range(3, 99) if os.path.exists(f'/proc/self/fd/{n}'))\n"
        "LINK = next(n for n in FDS if stat.S_ISSOCK(os.fstat(n).st_mode))\n"
        "def map(key, value):\n    print('last words', flush=True)\n    "
    )

    async def scene(stage: Stage) -> None:
        for body, reason in cases.items():
            error = (await stage.failure(head + body + "\n")).error
            assert (error.kind, reason in error.message) == ("ProcessDied", True), (body, error.message)
        stage.start(WORDS)
        assert isinstance(await stage.last_word(), TaskFinished)

    play(tmp_path, scene)


LEAKS = "held = []\ndef map(key, value):\n    while True: held.append(b'x' * (1 << 22))\n"
FORKS_AND_LEAKS = "import os, time\n" + LEAKS.replace("    while", "    if os.fork(): time.sleep(60)\n    while")


@pytest.mark.parametrize("source", [LEAKS, FORKS_AND_LEAKS])
def test_attempt_that_outgrows_its_memory_is_ended_and_told_and_the_next_one_runs(tmp_path, source):
    async def scene(stage: Stage) -> None:
        attempt = stage.start(source, memory_limit=128 << 20)
        word = await stage.last_word()
        assert isinstance(word, TaskFailed)
        assert (word.attempt, word.error.kind) == (attempt, "MemoryLimitExceeded")
        held = int(word.error.message.partition("held ")[2].partition(" MiB")[0])
        assert held >= 128
        assert "--memory-limit" in word.error.hint
        stage.start(WORDS, memory_limit=128 << 20)
        assert isinstance(await stage.last_word(), TaskFinished)

    play(tmp_path, scene)


def test_exceptions_of_user_code_come_back_and_the_process_goes_on(tmp_path):
    async def scene(stage: Stage) -> None:
        source = (
            "import os\ndef map(key, value):\n    print(os.getpid())\n    if key == 2: raise SystemExit('enough')\n"
        )
        for _ in range(2):
            error = (await stage.failure(source)).error
            assert (error.kind, error.message, error.line, error.record) == ("SystemExit", "enough", 2, "b a")
        assert set(stage.log("m1").split()) == set(stage.log("m2").split())

    play(tmp_path, scene)


def test_a_program_that_cannot_be_loaded_fails_its_attempt(tmp_path):
    async def scene(stage: Stage) -> None:
        assert (await stage.failure("def map(:\n")).error.kind == "SyntaxError"
        assert (await stage.failure("x = 1\n")).error.kind == "BadProgram"
        assert (await stage.failure(WORDS + "input_format = 'xml'\n")).error.kind == "UnknownFormat"
        assert (await stage.failure("import os; os._exit(3)\n")).error.kind == "ProcessDied"

    play(tmp_path, scene)


def test_missing_input_is_nobodys_fault(tmp_path):
    async def scene(stage: Stage) -> None:
        task = MapTask("m1", 0, "f", 1, 0, (Extent(str(tmp_path / "gone"), 0, 5),), str(tmp_path / "m1.run"))
        stage.pool.start(JOB, stage.load(WORDS), [task])
        assert await stage.last_word() == RunUnreadable(attempt="m1", splits=())
        assert b"No such file" in stage.log("m1")

    play(tmp_path, scene)


SLOW = "import time\ndef map(key, value):\n    time.sleep(0 if key == 1 else 60)\n"


def test_progress_is_told_while_user_code_sits_on_one_record(tmp_path):
    async def scene(stage: Stage) -> None:
        attempt = stage.start(SLOW)
        word = await stage.progress()
        assert word.attempt == attempt
        assert 0 < word.fraction < 1

    play(tmp_path, scene)


FAMILY = """
import os, time
def map(key, value):
    if os.fork() == 0:
        open('child', 'w').write(str(os.getpid()))
        time.sleep(60)
        os._exit(0)
    while True:
        pass
"""


def noted(directory: Path, name: str) -> str:
    """Read what user code wrote to a file of that name, in whatever working directory its process has."""
    return "".join(path.read_text() for path in directory.glob(f"scratch/process-*/{name}"))


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not yet fetched by its parent does not."""
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("how", ["stop", "forget", "time-out"])
def test_an_endless_loop_and_its_children_are_killed(tmp_path, how):
    async def scene(stage: Stage) -> None:
        attempt = stage.start(FAMILY, timeout_s=8.0 if how == "time-out" else 0.0)  # under load it starts late
        await until(lambda: noted(tmp_path, "child"))
        pid = int(noted(tmp_path, "child"))
        if how == "stop":
            stage.pool.stop(attempt)
        elif how == "forget":
            stage.pool.forget(JOB)
        else:
            word = await stage.last_word()
            assert isinstance(word, TaskFailed)
            assert (word.error.kind, word.error.message) == ("TimedOut", "the attempt did not end within 8 s")
        await until(lambda: not alive(pid))
        stage.start(WORDS)
        word = await stage.last_word()
        assert isinstance(word, TaskFinished)
        assert word.attempt == "m2"

    play(tmp_path, scene)


def test_idle_slots_get_warm_spares_and_a_job_takes_one(tmp_path):
    async def scene(stage: Stage) -> None:
        await until(lambda: len(stage.pool.processes()) == 2)
        spares = stage.pool.processes()
        stage.start("import os\nprint(os.getppid())\n" + WORDS)
        await stage.last_word()
        assert int(stage.log("m1")) in spares

    play(tmp_path, scene, slots=2)


def test_jobs_do_not_share_a_process(tmp_path):
    async def scene(stage: Stage) -> None:
        source = "import os\nprint(os.getpid())\n" + WORDS
        seen = set()
        for job in ("00000000000000aa", "00000000000000bb"):
            stage.start(source, job=job)
            await stage.last_word()
            seen.add(int(log_path(tmp_path, job, "map-0", f"m{stage.started}").read_bytes()))
        assert len(seen) == 2

    play(tmp_path, scene)


def test_a_flood_of_output_is_drained_and_cut(tmp_path):
    async def scene(stage: Stage) -> None:
        stage.start("def map(key, value):\n    for _ in range(3000): print('x' * 1000)\n    yield 'done', 1\n")
        assert isinstance(await stage.last_word(), TaskFinished)
        log = stage.log("m1")
        assert LOG_BYTES_MAX < len(log) < LOG_BYTES_MAX + 200
        assert log.endswith(b"the rest is dropped]\n")

    play(tmp_path, scene)


HOLDER = """
import asyncio, pathlib
from murmuration.node.executor.hosting.pool import ExecutorPool
from murmuration.node.executor.tasks import LoadProgram, MapTask
from murmuration.scheduling.jobs import Program

BUSY = b"import os\\nopen('busy', 'w').write(str(os.getpid()))\\nwhile True: pass"

async def main():
    pool = ExecutorPool(1, pathlib.Path("."), print)
    load = LoadProgram("0" * 16, "p", Program("source", "busy.py", BUSY), {}, "text", "text", 1)
    pool.start("0" * 16, load, [MapTask("m1", 0, "f", 1, 0, (), "m1.run")])
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_an_executor_process_in_an_endless_loop_dies_with_its_peer(tmp_path):
    async def run() -> None:
        peer = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, cwd=tmp_path)
        await until(lambda: noted(tmp_path, "busy"))
        os.kill(peer.pid, signal.SIGKILL)
        await peer.wait()
        await until(lambda: not alive(int(noted(tmp_path, "busy"))))

    asyncio.run(run())


def test_a_system_without_room_for_a_process_is_nobodys_fault(tmp_path, monkeypatch):
    def no_room(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(child_module.subprocess, "Popen", no_room)

    async def scene(stage: Stage) -> None:
        attempt = stage.start(WORDS)
        assert await stage.last_word() == RunUnreadable(attempt=attempt, splits=())

    play(tmp_path, scene)


def test_processes_do_not_share_a_working_directory_and_leave_none_behind(tmp_path):
    async def scene(stage: Stage) -> None:
        stage.start(FAMILY)
        await until(lambda: noted(tmp_path, "child"))
        assert all(path.is_dir() for path in (tmp_path / "scratch").iterdir())
        assert len({Path(f"/proc/{pid}/cwd").readlink() for pid in stage.pool.processes()}) == len(
            stage.pool.processes()
        )

    play(tmp_path, scene)
    assert list((tmp_path / "scratch").iterdir()) == []


FAULTS = """
from resource import RUSAGE_SELF, getrusage
def blocks(count):
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(count):
        [bytes(1 << 20) for _ in range(4)]
    return getrusage(RUSAGE_SELF).ru_minflt - before
def map(key, value):
    blocks(8)
    print(blocks(64))
"""


def test_memory_that_user_code_frees_is_at_hand_for_the_next_block_without_page_faults(tmp_path):
    async def scene(stage: Stage) -> None:
        stage.start(FAULTS)
        assert isinstance(await stage.last_word(), TaskFinished)
        assert max(map(int, stage.log("m1").split())) < 256  # one block has 256 pages

    play(tmp_path, scene)
