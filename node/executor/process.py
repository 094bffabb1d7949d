"""Be an executor: the process that runs user code, one order at a time, and answers to its peer over a socket.

A `warden` starts it, and ends what it leaves behind. What user code prints goes where the peer has put the standard
output; the socket is nobody's business but ours.
"""

import faulthandler
import gc
import os
import socket
import sys
import threading
from contextlib import suppress
from time import sleep  # noqa: TID251 - a thread of its own does nothing else
from typing import assert_never

import msgspec

from .faults.careful import check_skipping
from .faults.wording import InputUnreadable, UserFault
from .formats.formats import input_format, output_format
from .frames import FrameReader, frame
from .leftovers import end_leftovers
from .mapping import MapAttempt
from .printing import wait_until_read
from .programs.program import UserProgram, load_program
from .reducing import ReduceAttempt
from .sampling import sampled
from .shuffle.dealing import dealer_of
from .surroundings import Surroundings
from .tasks import (
    ExecutorOrder,
    ExecutorWord,
    LoadProgram,
    MapTask,
    ProgramLoaded,
    ReduceTask,
    RunUnreadable,
    TaskFailed,
    TaskProgressed,
)

PROGRESS_INTERVAL_S = 0.1
NICENESS = 5
"""User code gives way to the peers of its machine, so that a busy one is not taken for a dead one."""

OOM_SCORE_ADJ = "1000"
"""The most that there is: what runs with it is the first to be ended."""

RECEIVE_BYTES = 1 << 16

GC_THRESHOLDS = (100_000, 50, 100)
"""Collecting groups makes many small lists and no cycles: looking for cycles as often as usual costs a third more."""


class Executor:
    """Carries out orders in turn."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._speaking = threading.Lock()
        self._decoder = msgspec.msgpack.Decoder(ExecutorOrder)
        self._encoder = msgspec.msgpack.Encoder()
        self._job: LoadProgram | None = None
        self._program: UserProgram | None = None
        self._surroundings = Surroundings()
        self._at: MapAttempt | ReduceAttempt | None = None
        self._is_at_work = threading.Event()
        threading.Thread(target=self._report, daemon=True).start()

    def serve(self) -> None:
        """Answer orders until the peer closes the link."""
        frames = FrameReader()
        while received := self._link.recv(RECEIVE_BYTES):
            for document in frames.feed(received):
                word = self._answer(self._decoder.decode(document))
                with self._speaking:
                    self._say(word)

    def _answer(self, order: ExecutorOrder) -> ExecutorWord:
        match order:
            case LoadProgram():
                return self._load(order)
            case MapTask() | ReduceTask():
                return self._carry_out(order)
            case _:
                assert_never(order)

    def _load(self, order: LoadProgram) -> ExecutorWord:
        try:
            program = load_program(order.program, input_format=order.input_format, output_format=order.output_format)
            input_format(program.input_format)
            check_skipping(program, order)
            output_format(program.output_format)
            dealer_of(program, order.partitions, order.cuts)
            if order.sampling is not None:
                program = sampled(program, order.sampling)
        except UserFault as fault:
            return TaskFailed(attempt="", error=fault.error)
        self._job, self._program = order, program
        self._surroundings = Surroundings()
        gc.collect()
        gc.freeze()
        return ProgramLoaded()

    def _carry_out(self, task: MapTask | ReduceTask) -> ExecutorWord:
        if self._job is None or self._program is None:
            raise RuntimeError("a task came before its program")
        attempt = (
            MapAttempt(self._program, self._job, task)
            if isinstance(task, MapTask)
            else ReduceAttempt(self._program, self._job, task)
        )
        with self._speaking:
            self._at = attempt
            self._is_at_work.set()
        try:
            return attempt.carry_out()
        except UserFault as fault:
            return TaskFailed(attempt=task.attempt, error=fault.error)
        except InputUnreadable as trouble:
            sys.stderr.write(f"{trouble}\n")
            return RunUnreadable(attempt=task.attempt, splits=trouble.splits)
        except OSError as trouble:
            sys.stderr.write(f"{trouble}\n")
            return RunUnreadable(attempt=task.attempt, splits=())
        finally:
            with self._speaking:
                self._at = None
            end_leftovers()
            self._surroundings.restore()
            _flush_output()
            wait_until_read()

    def _report(self) -> None:
        """Tell how far the attempt at hand is; a thread does it, since user code may sit on one record."""
        told: tuple[object, float] = (None, 0.0)
        while self._is_at_work.wait():
            sleep(PROGRESS_INTERVAL_S)
            with self._speaking:
                if self._at is None:
                    self._is_at_work.clear()
                elif told != (self._at, self._at.fraction):
                    told = (self._at, self._at.fraction)
                    self._say(TaskProgressed(attempt=self._at.name, fraction=min(told[1], 1.0)))

    def _say(self, word: ExecutorWord) -> None:
        self._link.sendall(frame(self._encoder.encode(word)))


def _flush_output() -> None:
    """Hand over what user code printed before the attempt's end is told."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _offer_to_die() -> None:
    """Have the kernel take executors first where memory runs out, and no peer; some sandboxes forbid it."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - spares the import of pathlib
        file.write(OOM_SCORE_ADJ)


def main(link: int) -> int:
    """Serve the socket with this descriptor; give the exit code."""
    os.nice(NICENESS)
    _offer_to_die()
    faulthandler.enable(all_threads=False)
    gc.set_threshold(*GC_THRESHOLDS)
    os.set_inheritable(link, False)  # noqa: FBT003 - it takes no keyword
    try:
        Executor(socket.socket(fileno=link)).serve()
    except (BrokenPipeError, ConnectionResetError):
        return 1
    return 0
