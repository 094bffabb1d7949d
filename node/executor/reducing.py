"""Carry out a reduce attempt: merge one partition of all runs, call the reducer in key order, and write the part."""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import add, length_hint
from time import perf_counter
from typing import Any

from ...scheduling.ordering import sorted_by_key
from .aggregations import Aggregation, same
from .combining import Reduce, paired
from .faults import InputUnreadable, blaming_user, fault_of
from .formats import output_format
from .outputs import PAIRS_PER_WRITE, PartWriter, Written
from .program import UserProgram
from .program_api import Context, Reducer
from .runs import read_segment
from .tasks import LoadProgram, ReduceTask, TaskFinished

MERGE_SHARE = 0.5
"""How far an attempt is when all runs are merged and the first key is still to be reduced."""


class ReduceAttempt:
    """One attempt at a partition; `fraction` may be asked from another thread while `carry_out` is at work."""

    def __init__(self, program: UserProgram, job: LoadProgram, task: ReduceTask) -> None:
        self._program = program
        self._task = task
        self._context = Context(
            job_id=job.job, peer=job.peer, attempt=task.attempt, split=task.partition, params=job.params
        )
        self._runs_merged = 0
        self._records_in = 0
        self._groups: Iterator[tuple[Any, Any]] = iter(())
        self._groups_all = 0

    @property
    def fraction(self) -> float:
        """Tell how far the attempt is: by runs merged and keys reduced, or by what user code says if that is more."""
        merged = self._runs_merged / (len(self._task.runs) or 1)
        reduced = 1 - length_hint(self._groups) / self._groups_all if self._groups_all else 0.0
        return max(MERGE_SHARE * merged + (1 - MERGE_SHARE) * reduced, self._context.fraction)

    def carry_out(self) -> TaskFinished:
        """Do the whole attempt.

        Raises `UserFault` for what user code or data did wrong, `InputUnreadable` or `OSError` for what the world did.
        """
        began = perf_counter()
        groups = self._merged()
        with blaming_user():
            ordered = sorted_by_key(groups.items())
        groups.clear()
        self._groups, self._groups_all = iter(ordered), len(ordered)
        with open(self._task.output, "wb") as file:  # noqa: PTH123 - spares the import of pathlib
            part = PartWriter(file, output_format(self._program.output_format))
            self._reduce_into(part)
            written = part.finish()
        return self._finished(written, perf_counter() - began)

    def _finished(self, written: Written, seconds: float) -> TaskFinished:
        return TaskFinished(
            attempt=self._task.attempt,
            digest=written.digest,
            records_in=self._records_in,
            records_out=written.records,
            bytes_in=0,
            bytes_out=written.size,
            seconds=seconds,
            counters=self._context.counts(),
            pieces=written.pieces,
        )

    def _merged(self) -> dict[Any, Any]:
        """Bring together what the runs hold for each key, in split order.

        Raises `InputUnreadable` with all the splits whose runs are missing or damaged.
        """
        groups: dict[Any, Any] = {}
        unreadable: dict[int, str] = {}
        for run in self._task.runs:
            try:
                keys, values = read_segment(run.path, self._task.partition, run.digest)
            except InputUnreadable as error:
                unreadable[run.split] = str(error)
                continue
            if not unreadable:
                self._merge(groups, keys, values)
            self._runs_merged += 1
        if unreadable:
            raise InputUnreadable("; ".join(unreadable.values()), tuple(unreadable))
        return groups

    def _merge(self, groups: dict[Any, Any], keys: list[Any], values: list[Any] | tuple[Any, ...]) -> None:
        reducer = self._program.reducer
        if isinstance(reducer, Aggregation):
            self._records_in += len(values)
            with blaming_user():
                _merge_states(groups, keys, values, reducer)
        elif isinstance(values, tuple):
            self._records_in += len(values)
            _merge_values(groups, keys, values)
        else:
            self._records_in += sum(map(len, values))
            _merge_lists(groups, keys, values)

    def _reduce_into(self, part: PartWriter) -> None:
        program = self._program.reducer
        if program is None:
            for some in self._batches():
                part.write([(key, value) for key, values in some for value in values])
        elif isinstance(program, Aggregation):
            for some in self._batches():
                with blaming_user():
                    pairs = some if program.finish is same else [(key, program.finish(state)) for key, state in some]
                part.write(pairs)
        else:
            self._reduce_with(program, part)

    def _reduce_with(self, kind: type[Reducer], part: PartWriter) -> None:
        with blaming_user():
            reducer = kind()
            reducer.context = self._context
            reducer.setup()
        while pairs := _reduced(reducer.reduce, self._groups):
            part.write(pairs)
        with blaming_user():
            last = [(key, value) for key, value in map(paired, reducer.cleanup() or ())]
        part.write(last)

    def _batches(self) -> Iterator[list[tuple[Any, Any]]]:
        while some := list(islice(self._groups, PAIRS_PER_WRITE)):
            yield some


def _reduced(reduce: Reduce, groups: Iterator[tuple[Any, list[Any]]]) -> list[tuple[Any, Any]]:
    """Reduce the next keys, until they have given enough pairs for a write; no pairs mean no keys are left."""
    pairs: list[tuple[Any, Any]] = []
    append = pairs.append
    key = None
    try:
        for key, values in groups:
            for pair in reduce(key, values) or ():
                k, v = pair if type(pair) is tuple else paired(pair)
                append((k, v))
            if len(pairs) >= PAIRS_PER_WRITE:
                break
    except BaseException as error:
        raise fault_of(error, record=key) from error
    return pairs


def _merge_states(groups: dict[Any, Any], keys: list[Any], states: Iterable[Any], reducer: Aggregation) -> None:
    merge = reducer.merge
    if not groups:
        groups.update(zip(keys, states, strict=True))
    elif merge is add:
        _add_states(groups, keys, states)
    else:
        for key, state in zip(keys, states, strict=True):
            groups[key] = merge(groups[key], state) if key in groups else state


def _add_states(groups: dict[Any, Any], keys: list[Any], states: Iterable[Any]) -> None:
    """Spare the commonest merge a call for each key."""
    for key, state in zip(keys, states, strict=True):
        groups[key] = groups[key] + state if key in groups else state


def _merge_lists(groups: dict[Any, list[Any]], keys: list[Any], lists: list[list[Any]]) -> None:
    get = groups.get
    for key, values in zip(keys, lists, strict=True):
        before = get(key)
        if before is None:
            groups[key] = values
        else:
            before += values


def _merge_values(groups: dict[Any, list[Any]], keys: list[Any], values: Iterable[Any]) -> None:
    get = groups.get
    for key, value in zip(keys, values, strict=True):
        before = get(key)
        if before is None:
            groups[key] = [value]
        else:
            before.append(value)
