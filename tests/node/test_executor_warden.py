"""A warden ends as its executor does, and nothing that user code has started outlives the executor, or the peer."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from murmuration.node.executor.hosting.child import Child
from murmuration.node.executor.hosting.family import descendants
from murmuration.node.executor.tasks import LoadProgram
from murmuration.scheduling.jobs import Program

PATIENCE_S = 20.0

FAMILY = """
import os, signal, time

def note(name):
    with open("." + name, "w") as file:
        file.write(str(os.getpid()))
    os.rename("." + name, name)

def linger(name):
    note(name)
    while True:
        time.sleep(60)

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        linger("daemon")
    os._exit(0)
os.wait()
if os.fork() == 0:
    linger("child")
while not (os.path.exists("daemon") and os.path.exists("child")):
    time.sleep(0.005)
linger("executor")
"""
"""An executor that hears nothing more, a child, and a daemon in a session of its own that blocks all signals."""


def state_of(pid: int) -> str:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "X"


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not yet fetched by its parent does not."""
    return state_of(pid) not in "ZX"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


class Household:
    """One executor that has loaded a program, its warden, and the reason of its end."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.reason = ""
        self.child = Child(folder, lambda *_: None, self.ended)
        program = Program(kind="source", name="job.py", body=source.encode())
        self.child.send(LoadProgram("0" * 16, "p", program, {}, "text", "text", 1))

    def ended(self, _: Child, reason: str) -> None:
        self.reason = reason

    def noted(self, name: str) -> int:
        paths = list(self.folder.glob(f"scratch/process-*/{name}"))
        return int(paths[0].read_text()) if paths else 0

    async def members(self) -> list[int]:
        await until(lambda: self.noted("executor"))
        return [self.noted(name) for name in ("executor", "child", "daemon")]


def play(folder: Path, source: str, scene) -> None:
    async def run() -> None:
        household = Household(folder, source)
        try:
            await scene(household)
        finally:
            if not household.child.gone.is_set():
                household.child.kill()
                await household.child.gone.wait()

    asyncio.run(run())


ENDINGS = {
    "kill": lambda household, _: household.child.kill(),
    "executor killed": lambda _, members: os.kill(members[0], signal.SIGKILL),
    "group told to end": lambda household, _: os.killpg(household.child.pid, signal.SIGTERM),
    "all stopped, then kill": lambda household, members: stop_and_kill(household, members),
}


def stop_and_kill(household: Household, members: list[int]) -> None:
    for pid in (household.child.pid, *members):
        os.kill(pid, signal.SIGSTOP)
    household.child.kill()


@pytest.mark.parametrize("how", ENDINGS)
def test_a_daemon_of_user_code_ends_with_its_executor(tmp_path, how):
    async def scene(household: Household) -> None:
        members = await household.members()
        assert set(members) <= set(descendants(household.child.pid))
        ENDINGS[how](household, members)
        async with asyncio.timeout(PATIENCE_S):
            await household.child.gone.wait()
        assert not any(map(alive, members))
        assert household.reason.startswith("was killed by SIG")

    play(tmp_path, FAMILY, scene)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("os._exit(0)", "exited with code 0"),
        ("os._exit(7)", "exited with code 7"),
        ("signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)", "was killed by SIGINT (signal 2)"),
        ("os.abort()", "was killed by SIGABRT (signal 6)"),
        ("os.kill(os.getpid(), 40)", "was killed by an unnamed signal (signal 40)"),
    ],
)
def test_an_executors_end_is_told_as_it_was(tmp_path, source, reason):
    async def scene(household: Household) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await household.child.gone.wait()
        assert household.reason == reason

    play(tmp_path, f"import os, signal\n{source}\n", scene)


def test_fifty_children_that_have_children_end_at_once(tmp_path):
    bomb = (
        "import os, time\nfor _ in range(50):\n    if os.fork() == 0:\n        os.setsid()\n        os.fork()\n"
        "        time.sleep(60)\nopen('.x', 'w').write(str(os.getpid()))\nos.rename('.x', 'executor')\n"
    )

    async def scene(household: Household) -> None:
        await until(lambda: household.noted("executor") and len(descendants(household.child.pid)) == 101)
        members = descendants(household.child.pid)
        household.child.kill()
        async with asyncio.timeout(2.0):
            await household.child.gone.wait()
        assert not any(map(alive, members))

    play(tmp_path, bomb, scene)


HOLDER = """
import asyncio, pathlib, sys
from murmuration.node.executor.hosting.child import Child
from murmuration.node.executor.tasks import LoadProgram
from murmuration.scheduling.jobs import Program

async def main():
    child = Child(pathlib.Path("."), print, print)
    child.send(LoadProgram("0" * 16, "p", Program("source", "job.py", FAMILY), {}, "text", "text", 1))
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def start_peer(folder: Path, source: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a process that has an executor as a peer has, in a session of its own; give the warden's number too."""
    code = f"FAMILY = {source.encode()!r}\n{HOLDER}"
    command = [sys.executable, "-c", code]
    peer = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True)
    assert peer.stdout is not None
    return peer, int(peer.stdout.readline())


def end_peer(peer: "subprocess.Popen[bytes]") -> None:
    peer.kill()
    peer.wait()
    peer.stdout.close()


@pytest.mark.parametrize("stopped", [False, True])
def test_a_daemon_of_user_code_ends_with_a_killed_peer_even_if_all_stand_still(tmp_path, stopped):
    peer, warden = start_peer(tmp_path, FAMILY)
    try:
        asyncio.run(until(lambda: list(tmp_path.glob("scratch/process-*/executor"))))
        members = descendants(warden)
        assert len(members) == 3
        for pid in (warden, *members) if stopped else ():
            os.kill(pid, signal.SIGSTOP)
    finally:
        end_peer(peer)
    asyncio.run(until(lambda: not any(map(alive, (warden, *members)))))


def test_an_executor_stopped_at_its_first_moment_does_not_outlive_its_peer(tmp_path):
    peer, warden = start_peer(tmp_path, FAMILY)
    os.kill(warden, signal.SIGSTOP)
    asyncio.run(until(lambda: state_of(warden) == "T"))
    end_peer(peer)
    asyncio.run(until(lambda: not alive(warden)))


def test_a_warden_whose_peer_is_gone_before_it_starts_ends_at_once(tmp_path):
    here, there = socket.socketpair()
    command = [sys.executable, "-m", "murmuration.node.executor.hosting.warden", "1", str(there.fileno())]
    process = subprocess.Popen(command, pass_fds=(there.fileno(),), cwd=tmp_path)
    there.close()
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    here.close()


def test_no_core_is_left_of_an_executor_that_crashes(tmp_path):
    async def scene(household: Household) -> None:
        await until(lambda: resource.prlimit(household.child.pid, resource.RLIMIT_CORE) == (0, 0))

    play(tmp_path, "import time\ntime.sleep(60)\n", scene)
