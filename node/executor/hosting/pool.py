"""Run attempts in executor processes: one for each slot and job, and a warm spare for each idle slot.

A process serves one job, so the program is loaded once in it; between jobs nothing is shared. A spare has started and
imported all it needs, so that a tiny job does not wait for that. Whatever user code does to its process, the pool
answers every `start` with exactly one last word, unless `stop` or `forget` came first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ....scheduling.jobs import UserError
from ....scheduling.replica.skipping import DIED, OUT_OF_ROOM, TIMED_OUT
from ..tasks import (
    ExecutorWord,
    LoadProgram,
    MapTask,
    ProgramLoaded,
    ReduceTask,
    RunUnreadable,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
)
from .child import Child, OrderTooLarge
from .footprint import FootprintWatch
from .logs import AttemptLog, log_path

TOP_UP_DELAY_S = 0.5
"""A slot idle for so long gets its spare: not in the short pause between two tasks."""

SPARE_DIED_DELAY_S = 5.0
"""Wait before the next spare when one has died unused: something is wrong with this machine."""

OUT_OF_MEMORY = "if nobody did that, memory ran out: try a smaller --split-size, or peers with fewer --workers"

TOO_LARGE = "hold less of the input at once, take a smaller --split-size, or allow more with --memory-limit"

CHILDREN_PER_SLOT = 3
"""Processes kept for each slot at most: busy, spare, and waiting for the next task of another job."""


@dataclass(slots=True)
class _Bench:
    """A process and what it is at; a spare has no job."""

    child: Child
    job: str | None = None
    loaded: bool = False
    order: MapTask | ReduceTask | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def spare(self) -> bool:
        return self.job is None

    def free(self) -> None:
        """Forget the task at hand."""
        self.order = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


Hear = Callable[[Child, ExecutorWord], None]
Bury = Callable[[Child, str], None]
Hire = Callable[[Path, Hear, Bury], Child]
"""Starts an executor process; raises `OSError` where the system has no room for it."""


class ExecutorPool:
    """Starts and stops attempts; made and used inside a running event loop.

    `deliver` is called in the loop with each `TaskProgressed`, `TaskFinished`, `TaskFailed` and `RunUnreadable`: with
    the attempt's name always, and never from within `start` itself.
    """

    def __init__(
        self, slots: int, directory: Path, deliver: Callable[[ExecutorWord], None], start_child: Hire = Child
    ) -> None:
        self._slots = slots
        self._directory = directory
        self._deliver = deliver
        self._start_child = start_child
        self._loop = asyncio.get_running_loop()
        self._benches: dict[Child, _Bench] = {}
        self._footprints = FootprintWatch(self._outgrow)
        self._top_up_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._top_up_in(0.0)

    def start(
        self,
        job_key: str,
        load: LoadProgram,
        order: MapTask | ReduceTask,
        timeout_s: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        """Begin an attempt; `timeout_s` and `memory_limit`, in bytes, of 0 mean no limit."""
        try:
            bench = self._bench_for(job_key)
        except OSError as error:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._log_of(job_key, order).append(f"no executor could be started: {error}\n".encode())
            self._loop.call_soon(self._deliver, RunUnreadable(attempt=order.attempt, splits=()))
            return
        bench.order = order
        bench.child.log = self._log_of(job_key, order)
        if timeout_s > 0:
            bench.timer = self._loop.call_later(timeout_s, self._time_out, bench, timeout_s)
        if memory_limit > 0:
            self._footprints.watch(bench.child.pid, memory_limit)
        try:
            bench.child.send(order if bench.loaded else load)
        except OrderTooLarge as error:
            self._loop.call_soon(self._fail, bench, "OrderTooLarge", str(error))

    def stop(self, attempt: str) -> None:
        """End an attempt, its process group included; nothing more is heard of it."""
        for bench in self._benches.values():
            if bench.order is not None and bench.order.attempt == attempt:
                self._discard(bench)

    def forget(self, job: str) -> None:
        """End all processes of a job."""
        for bench in self._benches.values():
            if bench.job == job:
                self._discard(bench)

    def processes(self) -> list[int]:
        """Give the numbers of all processes of the pool."""
        return [child.pid for child in self._benches]

    async def close(self) -> None:
        """End all processes and wait until they are gone."""
        self._closed = True
        self._footprints.close()
        if self._top_up_timer is not None:
            self._top_up_timer.cancel()
        children = list(self._benches)
        for bench in self._benches.values():
            self._discard(bench)
        for child in children:
            await child.gone.wait()

    def _bench_for(self, job: str) -> _Bench:
        """Take the job's own idle process, else a spare, else a new one."""
        idle = [bench for bench in self._benches.values() if bench.order is None]
        for bench in idle:
            if bench.job == job:
                return bench
        bench = next((bench for bench in idle if bench.spare), None) or self._hire()
        bench.job = job
        return bench

    def _hire(self) -> _Bench:
        if len(self._benches) >= CHILDREN_PER_SLOT * self._slots:
            idle = next((bench for bench in self._benches.values() if bench.order is None and bench.job), None)
            if idle is not None:
                self._discard(idle)
        child = self._start_child(self._directory, self._hear, self._bury)
        self._benches[child] = _Bench(child)
        return self._benches[child]

    def _free(self, bench: _Bench) -> None:
        bench.free()
        self._footprints.leave(bench.child.pid)

    def _discard(self, bench: _Bench) -> None:
        """Kill a process of which nothing more is to be heard."""
        self._free(bench)
        bench.job = ""
        bench.child.kill()

    def _hear(self, child: Child, word: ExecutorWord) -> None:
        bench = self._benches[child]
        if bench.order is None:
            return
        match word:
            case ProgramLoaded() if not bench.loaded:
                bench.loaded = True
                self._send_order(bench, bench.order)
            case TaskProgressed() if word.attempt == bench.order.attempt:
                self._deliver(word)
            case TaskFinished() | RunUnreadable() | TaskFailed() if word.attempt == bench.order.attempt:
                self._end(bench, word)
            case TaskFailed() if not bench.loaded and not word.attempt:
                self._fail_with(bench, word.error)
            case _:
                child.kill(f"sent a {type(word).__name__} out of turn")

    def _send_order(self, bench: _Bench, order: MapTask | ReduceTask) -> None:
        try:
            bench.child.send(order)
        except OrderTooLarge as error:
            self._fail(bench, "OrderTooLarge", str(error))

    def _end(self, bench: _Bench, word: ExecutorWord) -> None:
        self._free(bench)
        self._top_up_in(TOP_UP_DELAY_S)
        self._deliver(word)

    def _fail(self, bench: _Bench, kind: str, message: str, hint: str = "") -> None:
        self._fail_with(bench, UserError(kind=kind, message=message, hint=hint))

    def _fail_with(self, bench: _Bench, error: UserError) -> None:
        """Fail the attempt and end its process."""
        order = bench.order
        if order is not None:
            self._discard(bench)
            self._end(bench, TaskFailed(attempt=order.attempt, error=error))

    def _time_out(self, bench: _Bench, timeout_s: float) -> None:
        self._fail(
            bench,
            TIMED_OUT,
            f"the attempt did not end within {timeout_s:g} s",
            hint="give a longer --timeout-per-split, or a smaller --split-size",
        )

    def _outgrow(self, process: int, held: int, limit: int) -> None:
        for bench in [each for each in self._benches.values() if each.child.pid == process]:
            message = f"the attempt's processes held {held >> 20} MiB of memory, and the limit is {limit >> 20} MiB"
            self._fail(bench, OUT_OF_ROOM, message, hint=TOO_LARGE)

    def _bury(self, child: Child, reason: str) -> None:
        bench = self._benches.pop(child)
        if bench.order is not None:
            said = child.log.last_lines() if child.log is not None else ""
            peak = f", after holding at most {child.peak_bytes >> 20} MiB"
            message = f"the process that ran user code {reason}{peak}" + (f"; its last output:\n{said}" if said else "")
            error = UserError(kind=DIED, message=message, hint=OUT_OF_MEMORY if "SIGKILL" in reason else "")
            self._end(bench, TaskFailed(attempt=bench.order.attempt, error=error))
        self._top_up_in(SPARE_DIED_DELAY_S if bench.spare else TOP_UP_DELAY_S)

    def _log_of(self, job: str, order: MapTask | ReduceTask) -> AttemptLog:
        return AttemptLog(log_path(self._directory, job, order.task, order.attempt))

    def _top_up_in(self, delay_s: float) -> None:
        if self._top_up_timer is None and not self._closed:
            self._top_up_timer = self._loop.call_later(delay_s, self._top_up)

    def _top_up(self) -> None:
        """Start one spare if an idle slot has none, and look again if more are wanting."""
        self._top_up_timer = None
        busy = sum(bench.order is not None for bench in self._benches.values())
        wanted = self._slots - busy - sum(bench.spare for bench in self._benches.values())
        if wanted <= 0:
            return
        try:
            self._hire()
        except OSError:
            self._top_up_in(SPARE_DIED_DELAY_S)
            return
        if wanted > 1:
            self._top_up_in(0.0)
