"""Run attempts in executor processes: one for each slot and job, and a warm spare for each idle slot.

A process serves one job, so the program is loaded once in it; between jobs nothing is shared. A spare has started and
imported all it needs, so that a tiny job does not wait for that. Whatever user code does to its process, the pool
answers every order with exactly one last word, unless `stop` or `forget` came first.

A process may be given several orders at once, which it carries out in turn. It says a word at the end of each, so the
first order without one is that at hand: whatever happens to the process is that one's fault alone, and the others are
given to another process.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from ....scheduling.jobs import DIED, OUT_OF_ROOM, TIMED_OUT, UserError
from ..tasks import (
    ExecutorWord,
    LoadProgram,
    ProgramLoaded,
    RunUnreadable,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
)
from .bench import Bench, Task, Terms
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


LENIENCE_S = 0.25
"""How long a process may go on with what was stopped: a new one takes as long to start."""

REST_S = 0.005
"""How long a process that goes through several orders is not listened to: each of its words would wake the peer."""

Hear = Callable[[Child, list[ExecutorWord]], None]
Bury = Callable[[Child, str], None]
Hire = Callable[[Path, Hear, Bury], Child]
"""Starts an executor process; raises `OSError` where the system has no room for it."""
Deliver = Callable[[Sequence[ExecutorWord]], None]


class ExecutorPool:
    """Starts and stops attempts; made and used inside a running event loop.

    `deliver` is called in the loop with every `TaskProgressed`, `TaskFinished`, `TaskFailed` and `RunUnreadable`, and
    those that come together: with the attempt's name always, and never from within `start` itself.
    """

    def __init__(self, slots: int, directory: Path, deliver: Deliver, start_child: Hire = Child) -> None:
        self._slots = slots
        self._directory = directory
        self._deliver = deliver
        self._start_child = start_child
        self._loop = asyncio.get_running_loop()
        self._benches: dict[Child, Bench] = {}
        self._footprints = FootprintWatch(self._outgrow)
        self._top_up_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._top_up_in(0.0)

    def start(
        self,
        job_key: str,
        load: LoadProgram,
        orders: Sequence[Task],
        timeout_s: float = 0.0,
        memory_limit: int = 0,
    ) -> None:
        """Begin attempts, one after the other; each may take `timeout_s` and hold `memory_limit` bytes, if not 0."""
        self._start(job_key, Terms(load, timeout_s, memory_limit), orders)

    def _start(self, job: str, terms: Terms, orders: Sequence[Task]) -> None:
        try:
            bench = self._bench_for(job)
        except OSError as error:
            self._directory.mkdir(parents=True, exist_ok=True)
            for order in orders:
                self._log_of(job, order).append(f"no executor could be started: {error}\n".encode())
            self._loop.call_soon(self._deliver, [RunUnreadable(attempt=order.attempt, splits=()) for order in orders])
            return
        bench.terms = terms
        is_next = not bench.orders
        bench.orders.extend(orders)
        if is_next:
            self._take_up_next(bench)
        if terms.memory_limit > 0:
            self._footprints.watch(bench.child.pid, terms.memory_limit)
        if bench.loaded:
            self._send(bench, orders)
            return
        try:
            bench.child.send(terms.load)
        except OrderTooLarge as error:
            self._loop.call_soon(self._fail_all, bench, UserError(kind="OrderTooLarge", message=str(error)))

    def stop(self, attempt: str) -> None:
        """End an attempt, its process group included if that stays at it; nothing more is heard of it."""
        for bench in self._benches.values():
            if bench.has(attempt):
                bench.stopped.add(attempt)
                self._keep_off_stopped(bench)

    def forget(self, job: str) -> None:
        """End all processes of a job."""
        for bench in self._benches.values():
            if bench.job == job:
                self._discard(bench)
                bench.orders.clear()

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
            bench.orders.clear()
        for child in children:
            await child.gone.wait()

    def _bench_for(self, job: str) -> Bench:
        """Take the job's own idle process, else a spare, else one that is only at what was stopped, else a new one."""
        own = [bench for bench in self._benches.values() if bench.job == job]
        spares = (bench for bench in self._benches.values() if bench.spare and bench.idle)
        free = chain((bench for bench in own if bench.idle), spares, (bench for bench in own if bench.winds_up))
        bench = next(free, None) or self._hire()
        bench.job = job
        return bench

    def _hire(self) -> Bench:
        if len(self._benches) >= CHILDREN_PER_SLOT * self._slots:
            idle = next((bench for bench in self._benches.values() if bench.idle and bench.job), None)
            if idle is not None:
                self._discard(idle)
        child = self._start_child(self._directory, self._hear, self._bury)
        self._benches[child] = Bench(child)
        return self._benches[child]

    def _discard(self, bench: Bench) -> None:
        """Kill a process of which nothing more is to be heard; orders that are left go to another once it is gone."""
        bench.stop_timer()
        bench.stop_lenience()
        self._footprints.leave(bench.child.pid)
        bench.is_over = True
        bench.child.kill()

    def _take_up_next(self, bench: Bench) -> None:
        """Have the log and the time of the attempt begin whose turn has come, if there is one."""
        bench.stop_timer()
        order, terms = bench.at_hand, bench.terms
        if order is None or terms is None:
            bench.stopped.clear()
            self._footprints.leave(bench.child.pid)
            self._top_up_in(TOP_UP_DELAY_S)
            return
        bench.child.log = self._log_of(bench.job or "", order)
        if terms.timeout_s > 0:
            bench.timer = self._loop.call_later(terms.timeout_s, self._time_out, bench, order.attempt)

    def _keep_off_stopped(self, bench: Bench) -> None:
        """Have a process end that stays at attempts which were stopped: it may be through with them in a moment."""
        if bench.is_over:
            bench.drop(bench.stopped)
        elif not bench.is_at_stopped:
            bench.stop_lenience()
        elif bench.lenience is None:
            bench.lenience = self._loop.call_later(LENIENCE_S, self._end_stopped, bench)

    def _end_stopped(self, bench: Bench) -> None:
        bench.lenience = None
        bench.child.catch_up()
        if bench.is_at_stopped and not bench.is_over:
            bench.drop(bench.stopped)
            self._discard(bench)

    def _hear(self, child: Child, words: list[ExecutorWord]) -> None:
        bench = self._benches[child]
        told: list[ExecutorWord] = []
        before = bench.at_hand
        for word in words:
            if bench.is_over or not self._is_in_turn(bench, word):
                break
            if not isinstance(word, ProgramLoaded) and word.attempt not in bench.stopped:
                told.append(word)
        if bench.at_hand is not before:
            self._take_up_next(bench)
        if len(bench.orders) > 1:
            child.rest(REST_S)
        self._keep_off_stopped(bench)
        if told:
            self._deliver(told)

    def _is_in_turn(self, bench: Bench, word: ExecutorWord) -> bool:
        """Take in a word, and tell whether it may be believed and handed on."""
        order = bench.at_hand
        match word:
            case _ if order is None:
                return False
            case ProgramLoaded() if not bench.loaded:
                bench.loaded = True
                bench.drop(bench.stopped)
                self._send(bench, list(bench.orders))
            case TaskProgressed() if word.attempt == order.attempt:
                pass
            case TaskFinished() | RunUnreadable() | TaskFailed() if word.attempt == order.attempt:
                bench.orders.popleft()
            case TaskFailed() if not bench.loaded and not word.attempt:
                self._fail_all(bench, word.error)
                return False
            case _:
                bench.child.kill(f"sent a {type(word).__name__} out of turn")
                return False
        return True

    def _send(self, bench: Bench, orders: Sequence[Task]) -> None:
        before = bench.at_hand
        for order in orders:
            try:
                bench.child.send(order)
            except OrderTooLarge as error:
                bench.drop((order.attempt,))
                self._loop.call_soon(self._deliver, [_failed(order, "OrderTooLarge", str(error))])
        if bench.at_hand is not before:
            self._take_up_next(bench)

    def _fail_all(self, bench: Bench, error: UserError) -> None:
        """Fail all attempts of a process, for what fails is what they have in common."""
        orders = [order for order in bench.orders if order.attempt not in bench.stopped]
        bench.orders.clear()
        self._discard(bench)
        self._top_up_in(TOP_UP_DELAY_S)
        self._deliver([TaskFailed(attempt=order.attempt, error=error) for order in orders])

    def _fail(self, bench: Bench, kind: str, message: str, hint: str = "") -> None:
        """Fail the attempt at hand and end its process."""
        if bench.orders and not bench.is_over:
            order = bench.orders.popleft()
            self._discard(bench)
            self._top_up_in(TOP_UP_DELAY_S)
            if order.attempt not in bench.stopped:
                self._deliver([_failed(order, kind, message, hint)])

    def _time_out(self, bench: Bench, attempt: str) -> None:
        bench.child.catch_up()
        if bench.at_hand is None or bench.at_hand.attempt != attempt or bench.terms is None:
            return
        self._fail(
            bench,
            TIMED_OUT,
            f"the attempt did not end within {bench.terms.timeout_s:g} s",
            hint="give a longer --timeout-per-split, or a smaller --split-size",
        )

    def _outgrow(self, process: int, held: int, limit: int) -> None:
        for bench in [each for each in self._benches.values() if each.child.pid == process]:
            bench.child.catch_up()
            message = f"the attempt's processes held {held >> 20} MiB of memory, and the limit is {limit >> 20} MiB"
            self._fail(bench, OUT_OF_ROOM, message, hint=TOO_LARGE)

    def _bury(self, child: Child, reason: str) -> None:
        bench = self._benches.pop(child)
        bench.stop_timer()
        bench.stop_lenience()
        self._footprints.leave(child.pid)
        self._top_up_in(SPARE_DIED_DELAY_S if bench.spare else TOP_UP_DELAY_S)
        died = None if bench.is_over or not bench.orders else bench.orders.popleft()
        bench.drop(bench.stopped)
        if bench.orders and bench.terms is not None:
            self._start(bench.job or "", bench.terms, bench.orders)
        if died is not None and died.attempt not in bench.stopped:
            self._deliver([_died(died, child, reason)])

    def _log_of(self, job: str, order: Task) -> AttemptLog:
        return AttemptLog(log_path(self._directory, job, order.task, order.attempt))

    def _top_up_in(self, delay_s: float) -> None:
        if self._top_up_timer is None and not self._closed:
            self._top_up_timer = self._loop.call_later(delay_s, self._top_up)

    def _top_up(self) -> None:
        """Start one spare if an idle slot has none, and look again if more are wanting."""
        self._top_up_timer = None
        busy = sum(not bench.idle for bench in self._benches.values())
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


def _failed(order: Task, kind: str, message: str, hint: str = "") -> TaskFailed:
    return TaskFailed(attempt=order.attempt, error=UserError(kind=kind, message=message, hint=hint))


def _died(order: Task, child: Child, reason: str) -> TaskFailed:
    """Tell of the death of the process that was at an attempt."""
    said = child.log.last_lines() if child.log is not None else ""
    peak = f", after holding at most {child.peak_bytes >> 20} MiB"
    message = f"the process that ran user code {reason}{peak}" + (f"; its last output:\n{said}" if said else "")
    return _failed(order, DIED, message, OUT_OF_MEMORY if "SIGKILL" in reason else "")
