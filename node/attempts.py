"""Carry attempts from their inputs through user code to an event: fetch, run, report."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from msgspec.structs import replace

from ..ring.errors import MurmurationError
from ..ring.terms import Member, Source
from ..scheduling.events import (
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgressed,
    LocalOutput,
    LocalSideFile,
    SchedulingEvent,
)
from ..scheduling.jobs import JobRecord, Phase, TaskReport, UserError
from ..scheduling.messages import Attempt, run_name
from ..scheduling.replica.skipping import ENDINGS
from .effects import RunAttempt
from .executor.faults.line_note import noted_line
from .executor.hosting.kept_logs import clear_old_logs
from .executor.hosting.logs import LOGS
from .executor.hosting.pool import ExecutorPool
from .executor.tasks import (
    ExecutorWord,
    MapTask,
    OutputPiece,
    ProgramLoaded,
    ReduceTask,
    RunUnreadable,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
    load_order,
)
from .fetching import Fetcher
from .inputs import in_one_place

KEPT = ("runs", "parts")
"""The folders in which each job has one of its own, until some time after its end."""


@dataclass(slots=True)
class _Running:
    """An attempt between its start and its end; `output` is the path of what it writes.

    One that was claimed ahead waits, once its input is here, with its `order` ready.
    """

    run: RunAttempt
    output: str
    is_ahead: bool
    order: MapTask | ReduceTask | None = None

    @property
    def side(self) -> str:
        """Tell what the paths of its side files begin with."""
        return f"parts/{self.run.start.record.id}/side-{self.run.start.attempt.title}-"


class Attempts:
    """The attempts that this peer is at."""

    def __init__(
        self,
        me: Member,
        pool: ExecutorPool,
        fetcher: Fetcher,
        threads: Executor,
        emit: Callable[[SchedulingEvent], None],
    ) -> None:
        self._me = me
        self._directory = Path(me.directory)
        shutil.rmtree(self._directory / "scratch", ignore_errors=True)  # what a killed process left
        self._pool = pool
        self._fetcher = fetcher
        self._threads = threads
        self._emit = emit
        self._running: dict[str, _Running] = {}
        self._fetches: dict[str, asyncio.Task[None]] = {}

    def jobs_left(self) -> tuple[str, ...]:
        """Name the jobs of which runs or parts lie on the disk."""
        folders = (self._directory / kind for kind in KEPT)
        return tuple(sorted({left.name for folder in folders if folder.is_dir() for left in folder.iterdir()}))

    def start(self, run: RunAttempt) -> None:
        """Begin an attempt, or only fetch its input ahead; its end comes as an event."""
        start = run.start
        job, title = start.record.id, start.attempt.title
        if title in self._running:
            self._go_on(self._running[title])
            return
        if start.phase is Phase.MAP and start.record.partitions:
            output = run_name(job, start.task, start.attempt)
        else:
            output = f"parts/{job}/{start.phase.name.lower()}-{start.task}-{title}"
        self._running[title] = _Running(run, output, run.is_ahead)
        fetch = asyncio.get_running_loop().create_task(self._fetch(title, self._running[title]))
        fetch.add_done_callback(_report_unforeseen)
        self._fetches[title] = fetch

    def _go_on(self, running: _Running) -> None:
        """Let an attempt run whose input was to be fetched ahead; if that is still on its way, it runs after."""
        running.is_ahead = False
        if running.order is not None:
            self._execute(running.run.start.record, running.order)

    def _execute(self, record: JobRecord, order: MapTask | ReduceTask) -> None:
        load, spec = load_order(record, self._me.name), record.spec
        self._pool.start(record.id, load, order, spec.timeout_per_split_s, spec.memory_limit)

    def stop(self, attempt: Attempt) -> None:
        """End an attempt, its process included; no event follows."""
        title = attempt.title
        if self._running.pop(title, None) is None:
            return
        fetch = self._fetches.pop(title, None)
        if fetch is not None:
            fetch.cancel()
        self._pool.stop(title)
        self._clear(title)

    def dismiss(self, job: str) -> None:
        """End the executors of a job that is over; what it has written stays."""
        self._pool.forget(job)

    def forget(self, job: str, *, with_logs: bool) -> None:
        """Remove what a job left here: its executors, runs and parts."""
        self._pool.forget(job)
        for folder in (*KEPT, LOGS) if with_logs else KEPT:
            shutil.rmtree(self._directory / folder / job, ignore_errors=True)
        self._threads.submit(clear_old_logs, self._directory, time.time())

    def heard(self, word: ExecutorWord) -> None:
        """Turn an executor's word into an event; a word of an attempt that was stopped meanwhile is dropped."""
        match word:
            case ProgramLoaded():
                return
            case TaskProgressed(attempt=title, fraction=fraction):
                if title in self._running:
                    self._emit(AttemptProgressed(attempt=self._attempt(title), fraction=fraction))
            case TaskFinished(attempt=title):
                if title in self._running:
                    self._finished(title, word)
            case TaskFailed(attempt=title, error=error):
                if title in self._running:
                    self._failed(title, error)
            case RunUnreadable(attempt=title, splits=splits):
                if title in self._running:
                    missing = in_one_place(self._running[title].run, splits)
                    lost = AttemptLost(attempt=self._attempt(title), reason="damaged runs", missing=missing)
                    self._end(title, lost)
            case _:
                assert_never(word)

    def _attempt(self, title: str) -> Attempt:
        return self._running[title].run.start.attempt

    async def _fetch(self, title: str, running: _Running) -> None:
        run, loop = running.run, asyncio.get_running_loop()
        scratch, start = self._scratch(title), run.start
        try:
            for path in (running.output, running.side):
                (self._directory / path).parent.mkdir(parents=True, exist_ok=True)
            if start.phase is Phase.MAP:
                head, body, tail = await loop.run_in_executor(self._threads, self._fetcher.split, run, scratch)
                split = start.record.splits[start.task]
                order: MapTask | ReduceTask = MapTask(
                    attempt=title,
                    split=start.task,
                    file=start.record.files[split.file].name,
                    first_line=split.first_line,
                    first_byte=split.begin,
                    extents=body,
                    output=str(self._directory / running.output),
                    side=str(self._directory / running.side),
                    skip=start.skip,
                    note=str(self._note(title)),
                    head=head,
                    tail=tail,
                )
            else:
                fetch = partial(self._fetcher.runs, run.runs, start.task, scratch)
                fetched = await loop.run_in_executor(self._threads, fetch)
                if fetched.missing:
                    reason = f"the runs of {len(fetched.missing)} splits are gone"
                    self._end(title, AttemptLost(attempt=start.attempt, reason=reason, missing=fetched.missing))
                    return
                order = ReduceTask(
                    attempt=title,
                    partition=start.task,
                    runs=fetched.segments,
                    output=str(self._directory / running.output),
                    side=str(self._directory / running.side),
                    skip=start.skip,
                    note=str(self._note(title)),
                )
            if start.skip is not None:
                scratch.mkdir(parents=True, exist_ok=True)
        except (MurmurationError, OSError, MemoryError) as error:
            reason = str(error) or type(error).__name__
            self._end(title, AttemptLost(attempt=start.attempt, reason=reason))
            return
        self._fetches.pop(title, None)
        if running.is_ahead:
            running.order = order
        else:
            self._execute(start.record, order)

    def _failed(self, title: str, error: UserError) -> None:
        """Add to the end of a process which line or key it was at, if the attempt was careful."""
        start = self._running[title].run.start
        if start.skip is not None and error.kind in ENDINGS:
            is_map = start.phase is Phase.MAP
            file = start.record.files[start.record.splits[start.task].file].name if is_map else ""
            error = replace(error, file=file, line=noted_line(str(self._note(title))))
        self._end(title, AttemptFailed(attempt=start.attempt, error=error))

    def _finished(self, title: str, word: TaskFinished) -> None:
        running = self._running[title]
        report = TaskReport(
            digest=word.digest,
            records_in=word.records_in,
            records_out=word.records_out,
            bytes_in=word.bytes_in,
            bytes_out=word.bytes_out,
            seconds=word.seconds,
            counters=word.counters,
        )
        outputs = self._outputs(running.output, word.pieces)
        side = tuple(
            LocalSideFile(name=each.name, pieces=self._outputs(running.side + each.name, each.pieces))
            for each in word.side
        )
        attempt = running.run.start.attempt
        self._end(title, AttemptFinished(attempt=attempt, report=report, outputs=outputs, side=side))

    def _outputs(self, ref: str, pieces: Iterable[OutputPiece]) -> tuple[LocalOutput, ...]:
        """Name the pieces of a file below this peer's directory."""
        me, path = self._me, str(self._directory / ref)
        return tuple(
            LocalOutput(
                digest=piece.digest,
                size=piece.size,
                newlines=piece.newlines,
                source=Source(url=me.bulk_url, ref=ref, host=me.host, path=path, offset=piece.offset),
            )
            for piece in pieces
        )

    def _end(self, title: str, event: SchedulingEvent) -> None:
        self._running.pop(title, None)
        self._fetches.pop(title, None)
        self._clear(title)
        self._emit(event)

    def _scratch(self, title: str) -> Path:
        return self._directory / "scratch" / title

    def _note(self, title: str) -> Path:
        return self._scratch(title) / "line"

    def _clear(self, title: str) -> None:
        scratch = self._scratch(title)
        if scratch.exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _report_unforeseen(fetch: asyncio.Task[None]) -> None:
    """Hand on an error that no `except` foresaw: else the attempt would seem to run for ever."""
    error = None if fetch.cancelled() else fetch.exception()
    if error is not None:
        told = {"message": "the start of an attempt", "exception": error, "task": fetch}
        fetch.get_loop().call_exception_handler(told)
