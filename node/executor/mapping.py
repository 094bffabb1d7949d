"""Carry out a map attempt: read the split, call the mapper, and write what it gives as a run, or as a part."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from ...scheduling.ordering import sorted_keys
from ...scheduling.partitioners import partitions_of
from .aggregations import Aggregation
from .combining import Collector, CombinedLists, Emit, Lines, Lists, states_for
from .faults import blaming_user, fault, fault_of
from .formats import Batch, input_format, output_format
from .outputs import PartWriter, Written
from .program import UserProgram
from .program_api import Context, Mapper, Reducer
from .runs import Columns, write_run
from .tasks import LoadProgram, MapTask, TaskFinished

LAST_STRETCH = 0.95
"""How far an attempt is when all records are mapped and the run is still to be written."""


class MapAttempt:
    """One attempt at a split; `fraction` may be asked from another thread while `carry_out` is at work."""

    def __init__(self, program: UserProgram, job: LoadProgram, task: MapTask) -> None:
        self._program = program
        self._job = job
        self._task = task
        self._context = Context(
            job_id=job.job,
            peer=job.peer,
            attempt=task.attempt,
            split=task.split,
            params=job.params,
            file=task.file,
        )
        self._size = sum(extent.length for extent in task.extents)
        self._bytes_done = 0
        self._records_done = 0
        self._batch: Batch | None = None

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
        with open(self._task.output, "wb") as file:  # noqa: PTH123 - spares the import of pathlib
            if self._job.partitions:
                collector = self._collector()
                self._map_into(collector)
                written = write_run(file, self._segments(collector.groups))
            else:
                part = PartWriter(file, output_format(self._program.output_format))
                self._map_into(Lines(part))
                written = part.finish()
        return self._finished(written, perf_counter() - began)

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
            pieces=written.pieces,
        )

    def _collector(self) -> Collector:
        combiner = self._program.combiner
        if combiner is None:
            return Lists()
        if isinstance(combiner, Aggregation):
            return states_for(combiner, as_values=combiner is not self._program.reducer)
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
        emit = _emit_of(mapper)
        for batch in input_format(self._program.input_format)(self._task):
            self._batch = batch
            try:
                collector.take(emit, batch.pairs())
            except BaseException as error:
                raise fault_of(error, file=self._task.file, line=batch.line, record=batch.record) from error
            collector.settle()
            self._batch = None
            self._records_done += len(batch)
            self._bytes_done += batch.size
        with blaming_user():
            collector.take(lambda cleanup, _: cleanup(), iter([(mapper.cleanup, None)]))
        collector.finish()

    def _segments(self, groups: dict[Any, Any]) -> Iterator[tuple[Columns, int]]:
        """Give each partition its keys, with what was collected for them, and its number of records.

        States of an aggregation stay in the order in which their keys came, which is as certain as the sorted one: the
        reducer merges them by key and sorts once, and that is half the sorting.
        """
        states = isinstance(self._program.reducer, Aggregation)
        with blaming_user():
            shares = self._shares(list(groups))
            if not states:
                shares = [sorted_keys(keys) for keys in shares]
        for keys in shares:
            values = [groups.pop(key) for key in keys]
            yield (keys, values), len(values) if states else sum(map(len, values))

    def _shares(self, keys: list[Any]) -> list[list[Any]]:
        """Deal the keys out to the partitions."""
        partitions, partitioner = self._job.partitions, self._program.partitioner
        numbers = partitions_of(keys, partitions)
        if partitioner is not None:
            numbers = [_checked(partitioner(key, partitions), partitions, key) for key in keys]
        if partitions == 1:
            return [keys]
        shares: list[list[Any]] = [[] for _ in range(partitions)]
        for key, number in zip(keys, numbers, strict=True):
            shares[number].append(key)
        return shares


def _emit_of(mapper: Mapper) -> Emit:
    """Give the mapper's `map`, or one that drops the key where the mapper takes the line alone."""
    emit: Callable[..., Any] = mapper.map
    code = getattr(emit, "__code__", None)
    if code is None or code.co_argcount - hasattr(emit, "__self__") != 1:
        return emit
    return lambda _, record: emit(record)


def _checked(number: Any, partitions: int, key: Any) -> int:
    if not isinstance(number, int) or not 0 <= number < partitions:
        raise fault(
            "BadPartitioner",
            f"the partitioner gave {number!r:.100} for the key {key!r:.100}",
            hint=f"it must give a whole number from 0 to {partitions - 1}",
            record=key,
        )
    return number
