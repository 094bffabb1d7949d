"""Carry attempts from their inputs through user code to an event: fetch, run, report.

Attempts that come together have their inputs looked up together and run in one process, one after the other; for all
else each of them is on its own.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from msgspec.structs import replace

from ..ring.errors import MurmurationError
from ..ring.terms import Member, Source
from ..scheduling.events import (
    AttemptEvent,
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgressed,
    AttemptsTold,
    LocalOutput,
    LocalSideFile,
    SchedulingEvent,
)
from ..scheduling.jobs import ENDINGS, Phase, TaskReport, UserError
from ..scheduling.messages import Attempt, run_name
from .effects import RunAttempt, RunAttempts
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
    scratch: str
    is_ahead: bool
    order: MapTask | ReduceTask | None = None
    fetch: asyncio.Task[None] | None = None
    """What brings its input here, and that of others that came with it."""

    @property
    def side(self) -> str:
        """Tell what the paths of its side files begin with."""
        return f"parts/{self.run.start.record.id}/side-{self.run.start.attempt.title}-"

    @property
    def note(self) -> str:
        """Give the path at which a careful attempt notes where it is."""
        return f"{self.scratch}/line"

    @property
    def may_use_scratch(self) -> bool:
        """Tell whether anything may lie in its scratch directory: pulled input, or a note."""
        if self.order is None or self.order.skip is not None:
            return True
        places = self.order.extents if isinstance(self.order, MapTask) else self.order.runs
        return any(place.path.startswith(self.scratch) for place in places)


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

    def jobs_left(self) -> tuple[str, ...]:
        """Name the jobs of which runs or parts lie on the disk."""
        folders = (self._directory / kind for kind in KEPT)
        return tuple(sorted({left.name for folder in folders if folder.is_dir() for left in folder.iterdir()}))

    def start(self, work: RunAttempts) -> None:
        """Begin attempts, or only fetch their inputs ahead; the end of each comes as an event."""
        titles = [run.start.attempt.title for run in work.runs]
        known = [self._running[title] for title in titles if title in self._running]
        if known:
            self._go_on(known)
            return
        begun = [self._running_of(run, is_ahead=work.is_ahead) for run in work.runs]
        self._running.update(zip(titles, begun, strict=True))
        fetch = asyncio.get_running_loop().create_task(self._fetch(begun))
        fetch.add_done_callback(_report_unforeseen)
        for running in begun:
            running.fetch = fetch

    def _running_of(self, run: RunAttempt, *, is_ahead: bool) -> _Running:
        start = run.start
        job, title = start.record.id, start.attempt.title
        if start.phase is Phase.MAP and start.record.partitions:
            output = run_name(job, start.task, start.attempt)
        else:
            output = f"parts/{job}/{start.phase.name.lower()}-{start.task}-{title}"
        return _Running(run, output, f"{self._directory}/scratch/{title}", is_ahead)

    def _go_on(self, prepared: list[_Running]) -> None:
        """Let attempts run whose input was to be fetched ahead; if that is still on its way, they run after."""
        for running in prepared:
            running.is_ahead = False
        self._execute([running for running in prepared if running.order is not None])

    def _execute(self, ready: Sequence[_Running]) -> None:
        """Have attempts of one job carried out in turn."""
        if not ready:
            return
        record = ready[0].run.start.record
        orders = [running.order for running in ready if running.order is not None]
        limits = record.spec.timeout_per_split_s, record.spec.memory_limit
        self._pool.start(record.id, load_order(record, self._me.name), orders, *limits)

    def stop(self, attempt: Attempt) -> None:
        """End an attempt, its process included if it stays at it; no event follows."""
        title = attempt.title
        running = self._running.pop(title, None)
        if running is None:
            return
        if running.fetch is not None and all(each.fetch is not running.fetch for each in self._running.values()):
            running.fetch.cancel()
        self._pool.stop(title)
        _clear(running)

    def dismiss(self, job: str) -> None:
        """End the executors of a job that is over; what it has written stays."""
        self._pool.forget(job)

    def forget(self, job: str, *, with_logs: bool) -> None:
        """Remove what a job left here: its executors, runs and parts. There may be a file for each of its splits."""
        self._pool.forget(job)
        folders = [self._directory / folder / job for folder in ((*KEPT, LOGS) if with_logs else KEPT)]
        self._threads.submit(_clear_away, folders)
        self._threads.submit(clear_old_logs, self._directory, time.time())

    def heard(self, words: Iterable[ExecutorWord]) -> None:
        """Turn an executor's words into events; those of attempts that were stopped meanwhile are dropped."""
        events = [event for word in words if (event := self._event_of(word)) is not None]
        if len(events) == 1:
            self._emit(events[0])
        elif events:
            self._emit(AttemptsTold(events=tuple(events)))

    def _event_of(self, word: ExecutorWord) -> AttemptEvent | None:
        if isinstance(word, ProgramLoaded) or word.attempt not in self._running:
            return None
        running = self._running[word.attempt]
        attempt = running.run.start.attempt
        match word:
            case TaskProgressed(fraction=fraction):
                return AttemptProgressed(attempt=attempt, fraction=fraction)
            case TaskFinished():
                event: AttemptEvent = self._finished(running, word)
            case TaskFailed(error=error):
                event = _failed(running, error)
            case RunUnreadable(splits=splits):
                missing = in_one_place(running.run, splits)
                event = AttemptLost(attempt=attempt, reason="damaged runs", missing=missing)
            case _:
                assert_never(word)
        del self._running[word.attempt]
        _clear(running)
        return event

    async def _fetch(self, begun: list[_Running]) -> None:
        """Bring the inputs of attempts here, and let those run that may."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, begun)
        live = [(at, each) for at, each in zip(begun, found, strict=True) if self._is_live(at)]
        for running, each in live:
            running.fetch = None
            running.order = None if isinstance(each, AttemptLost) else each
        self._execute([running for running, _ in live if running.order is not None and not running.is_ahead])
        for running, each in live:
            if isinstance(each, AttemptLost) and self._is_live(running):
                del self._running[each.attempt.title]
                _clear(running)
                self._emit(each)

    def _is_live(self, running: _Running) -> bool:
        return self._running.get(running.run.start.attempt.title) is running

    def _look_up(self, begun: list[_Running]) -> list[MapTask | ReduceTask | AttemptLost]:
        """Find the inputs of attempts, one by one, and make room for what they write; done in a thread."""
        folders = {path.rpartition("/")[0] for running in begun for path in (running.output, running.side)}
        try:
            for folder in folders:
                (self._directory / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return [AttemptLost(attempt=running.run.start.attempt, reason=str(error)) for running in begun]
        sizes: dict[str, int] = {}
        return [self._order_of(running, sizes) for running in begun]

    def _order_of(self, running: _Running, sizes: dict[str, int]) -> MapTask | ReduceTask | AttemptLost:
        start = running.run.start
        try:
            if start.skip is not None:
                Path(running.scratch).mkdir(parents=True, exist_ok=True)
            return self._map_task(running, sizes) if start.phase is Phase.MAP else self._reduce_task(running)
        except (MurmurationError, OSError, MemoryError) as error:
            return AttemptLost(attempt=start.attempt, reason=str(error) or type(error).__name__)

    def _map_task(self, running: _Running, sizes: dict[str, int]) -> MapTask:
        start = running.run.start
        split = start.record.splits[start.task]
        head, body, tail = self._fetcher.split(running.run, Path(running.scratch), sizes)
        return MapTask(
            attempt=start.attempt.title,
            split=start.task,
            file=start.record.files[split.file].name,
            first_line=split.first_line,
            first_byte=split.begin,
            extents=body,
            output=f"{self._directory}/{running.output}",
            side=f"{self._directory}/{running.side}",
            skip=start.skip,
            note=running.note,
            head=head,
            tail=tail,
        )

    def _reduce_task(self, running: _Running) -> ReduceTask | AttemptLost:
        start = running.run.start
        fetched = self._fetcher.runs(running.run.runs, start.task, Path(running.scratch))
        if fetched.missing:
            reason = f"the runs of {len(fetched.missing)} splits are gone"
            return AttemptLost(attempt=start.attempt, reason=reason, missing=fetched.missing)
        return ReduceTask(
            attempt=start.attempt.title,
            partition=start.task,
            runs=fetched.segments,
            output=f"{self._directory}/{running.output}",
            side=f"{self._directory}/{running.side}",
            skip=start.skip,
            note=running.note,
        )

    def _finished(self, running: _Running, word: TaskFinished) -> AttemptFinished:
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
        return AttemptFinished(attempt=running.run.start.attempt, report=report, outputs=outputs, side=side)

    def _outputs(self, ref: str, pieces: Iterable[OutputPiece]) -> tuple[LocalOutput, ...]:
        """Name the pieces of a file below this peer's directory."""
        me, path = self._me, f"{self._directory}/{ref}"
        return tuple(
            LocalOutput(
                digest=piece.digest,
                size=piece.size,
                newlines=piece.newlines,
                source=Source(url=me.bulk_url, ref=ref, host=me.host, path=path, offset=piece.offset),
            )
            for piece in pieces
        )


def _failed(running: _Running, error: UserError) -> AttemptFailed:
    """Add to the end of a process which line or key it was at, if the attempt was careful."""
    start = running.run.start
    if start.skip is not None and error.kind in ENDINGS:
        is_map = start.phase is Phase.MAP
        file = start.record.files[start.record.splits[start.task].file].name if is_map else ""
        error = replace(error, file=file, line=noted_line(running.note))
    return AttemptFailed(attempt=start.attempt, error=error)


def _clear_away(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(running: _Running) -> None:
    if running.may_use_scratch:
        shutil.rmtree(running.scratch, ignore_errors=True)


def _report_unforeseen(fetch: asyncio.Task[None]) -> None:
    """Hand on an error that no `except` foresaw: else the attempt would seem to run for ever."""
    error = None if fetch.cancelled() else fetch.exception()
    if error is not None:
        told = {"message": "the start of an attempt", "exception": error, "task": fetch}
        fetch.get_loop().call_exception_handler(told)
