"""Carry out a map attempt: read the split, call the mapper, and write what it gives as a run, or as a part."""

from collections.abc import Callable, Iterator
from itertools import chain
from time import perf_counter
from typing import Any, NoReturn

from ...scheduling.partitioners import partitions_of
from .aggregations import Aggregation
from .combining import Collector, CombinedLists, Lines, Lists, States, Tally, taking, walking
from .culprits import blame_record
from .faults import UserFault, blaming_user, fault, fault_of
from .formats import Batch, Pairs, input_format, output_format
from .inlining import inlining_of
from .outputs import PartWriter, Written
from .program import UserProgram
from .program_api import Context, Mapper, Reducer
from .runs import Columns, encoded, write_run
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
                try:
                    written = write_run(file, self._segments(collector.groups))
                except UserFault as late:
                    self._blame(late)
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

    def _blame(self, late: UserFault) -> NoReturn:
        """Raise what is wrong with a pair that does not go into a run, with the record that it came of."""
        with blaming_user():
            mapper = self._program.mapper()
            mapper.context = self._context
            mapper.setup()
        batches = input_format(self._program.input_format)(self._task)
        emit = _called_with_both(mapper.map, mapper.map)
        blame_record(late, self._task.file, batches, emit, self._check)

    def _check(self, key: Any, value: Any) -> None:
        """Raise what a pair would raise on its way into a run."""
        self._dealt({key: [value]})
        encoded(([key], [value]))

    def _collector(self) -> Collector:
        combiner = self._program.combiner
        if combiner is None:
            return Lists()
        if isinstance(combiner, Aggregation):
            return States(combiner, as_values=combiner is not self._program.reducer)
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
        emit: Callable[..., Any] = mapper.map
        inlining = inlining_of(emit, self._program.source)
        if inlining is None:
            self._map_batches(taking(_called_with_both(emit, emit), collector.step), collector)
        elif inlining.constant and isinstance(collector, Lists):
            tally = Tally(inlining.constant[0], collector)
            self._map_batches(walking(_called_with_both(inlining.collecting(tally.step), emit)), tally)
            tally.finish()
        else:
            self._map_batches(walking(_called_with_both(inlining.collecting(collector.step), emit)), collector)

    def _map_batches(self, take: Callable[[Pairs], None], collector: Collector) -> None:
        for batch in input_format(self._program.input_format)(self._task):
            self._batch = batch
            try:
                take(batch.pairs())
            except BaseException as error:
                raise fault_of(error, file=self._task.file, line=batch.line, record=batch.record) from error
            collector.settle()
            self._batch = None
            self._records_done += len(batch)
            self._bytes_done += batch.size

    def _segments(self, groups: dict[Any, Any]) -> Iterator[tuple[Columns, int]]:
        """Give each partition its keys, with what was collected for them, and its number of records.

        Keys stay in the order in which they came, which is as certain as the sorted one: the reducer brings them
        together by key and sorts once, and that is half the sorting.
        """
        with blaming_user():
            shares = self._dealt(groups)
        groups.clear()
        for keys, values in shares:
            if isinstance(self._program.reducer, Aggregation):
                yield (keys, values), len(values)
            else:
                yield (keys, _bared(values)), sum(map(len, values))

    def _dealt(self, groups: dict[Any, Any]) -> list[tuple[list[Any], list[Any]]]:
        """Deal the keys, each with what was collected for it, out to the partitions."""
        partitions, partitioner = self._job.partitions, self._program.partitioner
        numbers = partitions_of(groups, partitions)
        if partitioner is not None:
            numbers = [_checked(partitioner(key, partitions), partitions, key) for key in groups]
        if partitions == 1:
            return [(list(groups), list(groups.values()))]
        shares: list[tuple[list[Any], list[Any]]] = [([], []) for _ in range(partitions)]
        appends = [(keys.append, values.append) for keys, values in shares]
        for key, value, number in zip(groups, groups.values(), numbers, strict=True):
            append_key, append_value = appends[number]
            append_key(key)
            append_value(value)
        return shares


def _bared(lists: list[list[Any]]) -> list[list[Any]] | tuple[Any, ...]:
    """Spare the lists where each has one value, as after most combiners: reading them would cost more than merging."""
    return tuple(chain.from_iterable(lists)) if set(map(len, lists)) == {1} else lists


def _called_with_both(call: Callable[..., Any], emit: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Give `call`, or one that drops the key where the mapper's `map` takes the record alone."""
    code = getattr(emit, "__code__", None)
    if code is None or code.co_argcount - hasattr(emit, "__self__") != 1:
        return call
    return lambda _, record: call(record)


def _checked(number: Any, partitions: int, key: Any) -> int:
    if not isinstance(number, int) or not 0 <= number < partitions:
        raise fault(
            "BadPartitioner",
            f"the partitioner gave {number!r:.100} for the key {key!r:.100}",
            hint=f"it must give a whole number from 0 to {partitions - 1}",
            record=key,
        )
    return number
