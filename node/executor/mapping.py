"""Carry out a map attempt: read the split, call the mapper, and write what it gives as a run, or as a part."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from time import perf_counter
from typing import Any, BinaryIO, NoReturn

from ...ring.terms import CHUNK_BYTES_MAX
from .batches.layout import WRITES_RECORDS, WRITES_TABLES, fixed_layout
from .batches.passing import NO_SINKS, BatchEmit, Sinks, record_sink, row_sink
from .batches.reading import bulk_format
from .faults.careful import careful
from .faults.culprits import blame_record
from .faults.wording import UserFault, blaming_user, fault_of
from .formats.batch import Batch, Pairs
from .formats.formats import input_format, output_format
from .formats.outputs import PartWriter, Written, pieces_of
from .programs.aggregations import Aggregation
from .programs.inlining import inlining_of
from .programs.program import UserProgram
from .programs.program_api import Context, Mapper, Reducer
from .programs.side_files import SideFiles
from .shuffle.combining import (
    Collector,
    CombinedLists,
    Lines,
    Lists,
    RunCollector,
    States,
    Tally,
    called_with_both,
    taking,
    walking,
)
from .shuffle.dealing import cuts_of_bytes, dealer_of
from .shuffle.memory import Gauge
from .shuffle.run_layout import NO_RECORDS
from .shuffle.runs import encoded
from .shuffle.shuffling import Shuffle
from .tasks import LoadProgram, MapTask, OutputPiece, TaskFinished

LAST_STRETCH = 0.95
"""How far an attempt is when all records are mapped and the run is still to be written."""

RECORDS_UNWEIGHED = 16
"""Records after which what they have given is weighed for the first time."""


class MapAttempt:
    """One attempt at a split; `fraction` may be asked from another thread while `carry_out` is at work."""

    def __init__(self, program: UserProgram, job: LoadProgram, task: MapTask) -> None:
        self._program = program if task.skip is None else careful(program, job, task)
        self._job = job
        self._task = task
        self._side_files = SideFiles(task.side or f"{task.output}.")
        self._context = Context(
            job_id=job.job,
            peer=job.peer,
            attempt=task.attempt,
            split=task.split,
            params=job.params,
            file=task.file,
            side_files=self._side_files,
        )
        self._size = sum(extent.length for extent in task.extents)
        self._bytes_done = 0
        self._records_done = 0
        self._batch: Batch | None = None
        self._gauge = Gauge(job.memory_per_task, RECORDS_UNWEIGHED)
        self._shuffle: Shuffle | None = None
        self._sinks = NO_SINKS

    @property
    def name(self) -> str:
        """Name the attempt as words do."""
        return self._task.attempt

    @property
    def fraction(self) -> float:
        """Tell how far the attempt is: by its share of the input, or by what user code says if that is more."""
        batch = self._batch
        part = batch.size * batch.taken / (len(batch) or 1) if batch is not None else 0.0
        share = min(LAST_STRETCH, (self._bytes_done + part) / (self._size or 1))
        return max(share, self._context.fraction)

    def carry_out(self) -> TaskFinished:
        """Do the whole attempt.

        Raises `UserFault` for what user code or data did wrong, `InputUnreadable` or `OSError` for what the world did.
        """
        began = perf_counter()
        written = self._map_to_run() if self._job.partitions else self._map_to_part()
        return self._finished(written, perf_counter() - began)

    def _map_to_part(self) -> Written:
        with open(self._task.output, "wb") as file:  # noqa: PTH123 - spares the import of pathlib
            return self._write_part(file)

    def _write_part(self, file: BinaryIO) -> Written:
        encode = output_format(self._program.output_format)
        part = PartWriter(file, encode)
        if self._program.output_format in WRITES_RECORDS:
            self._sinks = Sinks(records=record_sink(part, encode))
        elif self._program.output_format in WRITES_TABLES:
            self._sinks = Sinks(rows=row_sink(part))
        self._map_into(Lines(part))
        return part.finish()

    def _map_to_run(self) -> Written:
        """Map all records, and write what they gave as a run; if that is nothing, there is no file."""
        collector = self._collector()
        job = self._job
        dealer = dealer_of(self._program, job.partitions, job.cuts)
        cuts = cuts_of_bytes(self._program, job.cuts)
        self._shuffle = Shuffle(collector, job.partitions, dealer, job.memory_per_task, self._task.output, cuts)
        if self._program.combiner is None:
            self._sinks = Sinks(records=self._shuffle.pass_on, rows=self._shuffle.pass_rows_on)
        with closing(self._shuffle):
            self._map_into(collector)
            if self._shuffle.is_empty:
                return Written(digest=NO_RECORDS, records=0, size=0)
            try:
                with open(self._task.output, "wb") as file:  # noqa: PTH123 - spares the import of pathlib
                    return self._shuffle.write(file)
            except UserFault as late:
                self._blame(late)

    def _finished(self, written: Written, seconds: float) -> TaskFinished:
        return TaskFinished(
            attempt=self._task.attempt,
            digest=written.digest,
            records_in=self._records_done,
            records_out=written.records,
            bytes_in=self._size,
            bytes_out=written.size,
            seconds=seconds,
            counters=self._context.counts(),
            pieces=written.pieces or self._copied(written),
            side=self._side_files.finish(),
        )

    def _copied(self, run: Written) -> tuple[OutputPiece, ...]:
        """Offer a run to be copied, if the job wants that and a chunk can hold it."""
        if not (self._job.copies_runs and self._job.partitions) or not 0 < run.size <= CHUNK_BYTES_MAX:
            return ()
        return pieces_of(self._task.output, CHUNK_BYTES_MAX)

    def _blame(self, late: UserFault) -> NoReturn:
        """Raise what is wrong with a pair that does not go into a run, with the record that it came of."""
        with blaming_user():
            mapper = self._program.mapper()
            mapper.context = self._context
            mapper.setup()
        emit = called_with_both(mapper.map, mapper.map)
        if self._program.batchwise:
            emit = self._batch_emit(mapper, NO_SINKS)
        blame_record(late, self._task.file, self._batches(), emit, self._check)

    def _check(self, key: Any, value: Any) -> None:
        """Raise what a pair would raise on its way into a run."""
        if self._shuffle is not None:
            self._shuffle.deal({key: [value]})
        encoded(([key], [value]))

    def _collector(self) -> RunCollector:
        combiner = self._program.combiner
        if combiner is None:
            return Lists()
        if isinstance(combiner, Aggregation):
            return States(combiner)
        with blaming_user():
            reducer: Reducer = combiner()
            reducer.context = self._context
            reducer.setup()
        return CombinedLists(reducer.reduce)

    def _map_into(self, collector: Collector) -> None:
        with blaming_user():
            mapper = self._program.mapper()
            mapper.context = self._context
            mapper.setup()
        self._map_records(mapper, collector)
        with blaming_user():
            taking(lambda *_: mapper.cleanup(), collector.step)(iter([(None, None)]))
        collector.finish()

    def _map_records(self, mapper: Mapper, collector: Collector) -> None:
        """Map all records by the fastest loop that the mapper allows."""
        if self._program.batchwise:
            self._map_batches(taking(self._batch_emit(mapper, self._sinks), collector.step), collector)
            return
        emit: Callable[..., Any] = mapper.map
        inlining = inlining_of(emit, self._program.source)
        if inlining is None:
            self._map_batches(taking(called_with_both(emit, emit), collector.step), collector)
        elif inlining.constant and isinstance(collector, Lists):
            tally = Tally(inlining.constant[0], collector)
            self._map_batches(walking(called_with_both(inlining.collecting(tally.step), emit)), tally)
            tally.finish()
        else:
            self._map_batches(walking(called_with_both(inlining.collecting(collector.step), emit)), collector)

    def _batch_emit(self, mapper: Mapper, sinks: Sinks) -> BatchEmit:
        fixed = fixed_layout(self._program.input_format)
        return BatchEmit(mapper.map_batch, fixed[1] if fixed is not None else None, sinks)

    def _batches(self) -> Iterator[Batch]:
        name = self._program.input_format
        return bulk_format(name)(self._task) if self._program.batchwise else input_format(name)(self._task)

    def _map_batches(self, take: Callable[[Pairs], None], collector: Collector) -> None:
        for batch in self._batches():
            self._batch = batch
            walk = batch.pairs()
            while (stride := self._gauge.left) < len(batch) - batch.taken:
                self._take(take, islice(walk, stride), batch)
                self._weigh(collector, stride)
            before = batch.taken
            self._take(take, walk, batch)
            collector.settle()
            self._weigh(collector, batch.count - before)
            self._batch = None
            self._records_done += batch.count
            self._bytes_done += batch.size

    def _take(self, take: Callable[[Pairs], None], records: Pairs, batch: Batch) -> None:
        try:
            take(records)
        except BaseException as error:
            raise fault_of(error, file=self._task.file, line=batch.line, record=batch.record) from error

    def _weigh(self, collector: Collector, records: int) -> None:
        """Count records that were mapped; if what is collected is now too much, make room for more.

        What combining makes small enough need not be spilled.
        """
        if not self._gauge.advance(records) or not self._gauge.weighed(collector.weigh()):
            return
        collector.finish()
        if self._shuffle is not None and collector.weigh() > self._gauge.limit // 2:
            self._spill(self._shuffle)
        self._gauge.restart()

    def _spill(self, shuffle: Shuffle) -> None:
        try:
            shuffle.spill()
        except UserFault as late:
            self._blame(late)
