"""Carry out a reduce attempt: merge one partition of all runs, call the reducer in key order, and write the part."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from time import perf_counter
from typing import Any

from .batches.gathering import RecordGathering, Unlike
from .batches.layout import WRITES_RECORDS, WRITES_TABLES
from .batches.passing import record_sink, row_sink
from .batches.table_gathering import TableGathering
from .faults.careful_keys import careful_reducer
from .faults.wording import InputUnreadable, blaming_user, fault_of
from .formats.formats import Encode, output_format
from .formats.outputs import PAIRS_PER_WRITE, PartWriter, Written
from .programs.aggregations import Aggregation, same
from .programs.program import UserProgram
from .programs.program_api import Context, IdentityReducer, Reducer
from .programs.side_files import SideFiles
from .shuffle.combining import Reduce, paired
from .shuffle.gathering import Gathering
from .shuffle.merging import Group, LargeValues
from .shuffle.runs import segment_bodies
from .tasks import LoadProgram, ReduceTask, TaskFinished

MERGE_SHARE = 0.5
"""How far an attempt is when all runs are merged and the first key is still to be reduced."""


class ReduceAttempt:
    """One attempt at a partition; `fraction` may be asked from another thread while `carry_out` is at work."""

    def __init__(self, program: UserProgram, job: LoadProgram, task: ReduceTask) -> None:
        self._program = program
        self._job = job
        self._task = task
        self._side_files = SideFiles(task.side or f"{task.output}.")
        self._context = Context(
            job_id=job.job,
            peer=job.peer,
            attempt=task.attempt,
            split=task.partition,
            params=job.params,
            side_files=self._side_files,
        )
        self._runs_merged = 0
        self._memory = job.memory_per_task
        self._gathering: Gathering | RecordGathering | TableGathering = RecordGathering(self._memory, task.output)

    @property
    def name(self) -> str:
        """Name the attempt as words do."""
        return self._task.attempt

    @property
    def fraction(self) -> float:
        """Tell how far the attempt is: by runs merged and keys reduced, or by what user code says if that is more."""
        merged = self._runs_merged / (len(self._task.runs) or 1)
        reduced = self._gathering.fraction
        return max(MERGE_SHARE * merged + (1 - MERGE_SHARE) * reduced, self._context.fraction)

    def carry_out(self) -> TaskFinished:
        """Do the whole attempt.

        Raises `UserFault` for what user code or data did wrong, `InputUnreadable` or `OSError` for what the world did.
        """
        began = perf_counter()
        with open(self._task.output, "wb") as file:  # noqa: PTH123 - spares the import of pathlib
            encode = output_format(self._program.output_format)
            part = PartWriter(file, encode)
            if not (self._passes_on() and self._order_records(part, encode)):
                self._reduce_pairs(part)
            written = part.finish()
        return self._finished(written, perf_counter() - began)

    def _passes_on(self) -> bool:
        """Tell whether records, if that is what the runs hold, are only to be sorted."""
        identity = self._program.reducer in (None, IdentityReducer)
        return identity and self._program.output_format in WRITES_RECORDS | WRITES_TABLES

    def _order_records(self, part: PartWriter, encode: Encode) -> bool:
        """Sort and write the partition if all of it is records, or rows, of one layout; tell whether it is."""
        if self._program.output_format in WRITES_TABLES:
            return self._order_into(row_sink(part), TableGathering(self._memory, self._task.output))
        return self._order_into(record_sink(part, encode), RecordGathering(self._memory, self._task.output))

    def _order_into(self, write: Callable[[Any], None], gathering: RecordGathering | TableGathering) -> bool:
        self._gathering = gathering
        with closing(gathering):
            try:
                self._gather(gathering)
            except Unlike:
                self._runs_merged = 0
                return False
            for rows in gathering.ordered():
                write(rows)
        return True

    def _reduce_pairs(self, part: PartWriter) -> None:
        reducer = self._program.reducer
        aggregation = reducer if isinstance(reducer, Aggregation) else None
        gathering = Gathering(aggregation, self._memory, self._task.output)
        self._gathering = gathering
        with closing(gathering):
            self._gather(gathering)
            self._reduce_into(part, gathering)

    def _finished(self, written: Written, seconds: float) -> TaskFinished:
        return TaskFinished(
            attempt=self._task.attempt,
            digest=written.digest,
            records_in=self._gathering.records,
            records_out=written.records,
            bytes_in=0,
            bytes_out=written.size,
            seconds=seconds,
            counters=self._context.counts(),
            pieces=written.pieces,
            side=self._side_files.finish(),
        )

    def _gather(self, gathering: Gathering | RecordGathering | TableGathering) -> None:
        """Read all runs in split order.

        Raises `InputUnreadable` with all the splits whose runs are missing or damaged.
        """
        unreadable: dict[int, str] = {}
        for run in self._task.runs:
            bodies = segment_bodies(run.path, self._task.partition, run.digest)
            while body := _next(bodies, run.split, unreadable):
                if not unreadable:
                    gathering.take(body)
            self._runs_merged += 1
        if unreadable:
            raise InputUnreadable("; ".join(unreadable.values()), tuple(unreadable))

    def _reduce_into(self, part: PartWriter, gathering: Gathering) -> None:
        program, groups = self._program.reducer, gathering.groups()
        if program is None and gathering.spilled:
            for pairs in _batches((key, value) for key, values in groups for value in values):
                part.write(pairs)
        elif program is None:
            for some in _batches(groups):
                part.write([(key, value) for key, values in some for value in values])
        elif isinstance(program, Aggregation):
            for some in _batches(groups):
                with blaming_user():
                    pairs = some if program.finish is same else [(key, program.finish(state)) for key, state in some]
                part.write(pairs)
        else:
            task = self._task
            careful = program if task.skip is None else careful_reducer(program, self._job, task)
            self._reduce_with(careful, part, groups)

    def _reduce_with(self, kind: type[Reducer], part: PartWriter, groups: Iterator[Group]) -> None:
        with blaming_user():
            reducer = kind()
            reducer.context = self._context
            reducer.setup()
        more = True
        while more:
            pairs, large = _reduced(reducer.reduce, groups)
            part.write(pairs)
            if large is not None:
                _reduce_large(reducer.reduce, large, part)
            more = bool(pairs) or large is not None
        with blaming_user():
            last = [(key, value) for key, value in map(paired, reducer.cleanup() or ())]
        part.write(last)


def _next(bodies: Iterator[bytes], split: int, unreadable: dict[int, str]) -> bytes:
    """Read the next block of a run, none at its end; note down the split of a run that cannot be read."""
    try:
        return next(bodies, b"")
    except InputUnreadable as error:
        unreadable[split] = str(error)
        return b""


def _batches(pairs: Iterable[tuple[Any, Any]]) -> Iterator[list[tuple[Any, Any]]]:
    walk = iter(pairs)
    while some := list(islice(walk, PAIRS_PER_WRITE)):
        yield some


def _reduced(reduce: Reduce, groups: Iterator[Group]) -> tuple[list[tuple[Any, Any]], Group | None]:
    """Reduce the next keys, until they have given enough pairs for a write, or one has too many values for memory.

    That one is given beside the pairs, still to be reduced. With neither, no keys are left.
    """
    pairs: list[tuple[Any, Any]] = []
    append = pairs.append
    key = None
    try:
        for key, values in groups:
            if type(values) is LargeValues:
                return pairs, (key, values)
            for pair in reduce(key, values) or ():
                k, v = pair if type(pair) is tuple else paired(pair)
                append((k, v))
            if len(pairs) >= PAIRS_PER_WRITE:
                break
    except InputUnreadable:
        raise
    except BaseException as error:
        raise fault_of(error, record=key) from error
    return pairs, None


def _reduce_large(reduce: Reduce, group: Group, part: PartWriter) -> None:
    """Reduce a key whose values do not fit into memory, and write what comes of it as it comes."""
    key, values = group
    with blaming_user(record=key):
        pairs = ((k, v) for k, v in map(paired, reduce(key, values) or ()))
    while True:
        with blaming_user(record=key):
            some = list(islice(pairs, PAIRS_PER_WRITE))
        if not some:
            return
        part.write(some)
