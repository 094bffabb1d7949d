"""Hold the processes of user code: stop them for a while, or let their files take no more bytes."""

import asyncio
import contextlib
import os
import resource
import signal
from pathlib import Path

from ..executor.hosting.child import Child
from ..executor.hosting.family import descendants
from ..executor.hosting.pool import Bury, Deliver, ExecutorPool, Hear


class Hands:
    """All executors of one peer, those that start later too.

    Their writes are refused by a limit of the kernel on the size of files (`RLIMIT_FSIZE`), which needs no rights: the
    error is another than that of a full disk, EFBIG, but it comes at the same places.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool: ExecutorPool | None = None
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._writes = True

    def pool(self, slots: int, directory: Path, deliver: Deliver) -> ExecutorPool:
        """Make the pool of the executors that these hands hold."""
        self._pool = ExecutorPool(slots, directory, deliver, self._start_child)
        return self._pool

    @property
    def processes(self) -> list[int]:
        """Give the numbers of all executors."""
        return [] if self._pool is None else self._pool.processes()

    def pause(self, seconds: float) -> None:
        """Stop all executors for so long, or for so much longer if they are stopped already."""
        self._paused_until = max(self._paused_until, self._loop.time()) + seconds
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._paused_until, self.resume)
        for pid in self.processes:
            _signal_group(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let all executors go on."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._paused_until = None, 0.0
        for pid in self.processes:
            _signal_group(pid, signal.SIGCONT)

    def let_write(self, *, allowed: bool) -> None:
        """Let executors write to files, or let every such write fail."""
        self._writes = allowed
        for pid in self.processes:
            self._limit_files(pid)

    def _start_child(self, directory: Path, hear: Hear, bury: Bury) -> Child:
        child = Child(directory, hear, bury)
        if not self._writes:
            self._limit_files(child.pid)
        if self._timer is not None:
            _signal_group(child.pid, signal.SIGSTOP)
        return child

    def _limit_files(self, pid: int) -> None:
        own, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        for process in (pid, *descendants(pid)):
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                resource.prlimit(process, resource.RLIMIT_FSIZE, (own if self._writes else 0, most))


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.killpg(pid, number)
