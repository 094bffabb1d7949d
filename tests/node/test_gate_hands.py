"""Executors that are stopped, and executors whose files take no bytes, those included that start meanwhile."""

import asyncio
import os
import resource
import signal
from pathlib import Path

from murmuration.node.executor.hosting.pool import ExecutorPool
from murmuration.node.gate.hands import Hands

PATIENCE_S = 10.0


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def file_limit(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_FSIZE)[0]


def play(folder: Path, scene) -> None:
    async def run() -> None:
        hands = Hands()
        pool = hands.pool(1, folder, lambda _: None)
        try:
            await until(lambda: hands.processes)
            await scene(hands, pool)
        finally:
            await pool.close()

    asyncio.run(run())


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


def hired(hands: Hands, pool: ExecutorPool) -> int:
    """Have the pool start one more process."""
    before = set(hands.processes)
    bench = pool._hire()
    bench.job = "job"
    (new,) = set(hands.processes) - before
    return new


def test_pauses_add_up_and_stop_processes_that_start_meanwhile(tmp_path):
    async def scene(hands: Hands, pool: ExecutorPool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        hands.pause(0.2)
        hands.pause(0.2)
        new = hired(hands, pool)
        await until(lambda: all(map(is_stopped, hands.processes)))
        assert new in hands.processes
        await until(lambda: not any(map(is_stopped, hands.processes)))
        assert loop.time() - began >= 0.4
        assert not is_stopped(hired(hands, pool))

    play(tmp_path, scene)


def test_files_of_user_code_take_no_bytes_until_they_may_again(tmp_path):
    async def scene(hands: Hands, pool: ExecutorPool) -> None:
        own = file_limit(os.getpid())
        hands.let_write(allowed=False)
        hired(hands, pool)
        assert [file_limit(pid) for pid in hands.processes] == [0, 0]
        hands.let_write(allowed=True)
        assert [file_limit(pid) for pid in hands.processes] == [own, own]
        assert file_limit(hired(hands, pool)) == own

    play(tmp_path, scene)


def test_process_that_dies_under_the_hands_is_let_go(tmp_path):
    async def scene(hands: Hands, pool: ExecutorPool) -> None:
        (pid,) = hands.processes
        hands.pause(60.0)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in hands.processes)
        hands.resume()
        hands.let_write(allowed=False)

    play(tmp_path, scene)
