"""Bring together what runs hold for each key of one partition: in memory while it fits, else by way of sorted spills.

Values keep the order of the splits, and states are added up in that order, one by one from the left, whether or not
anything was spilled: so the answer is the same to the last bit of a sum of floats, whatever the budget. That is why
states stay apart after the first spill: they go to one that was spilled before.
"""

from collections.abc import Iterable, Iterator
from functools import reduce as fold
from operator import add, length_hint
from os.path import dirname
from typing import Any

from ....scheduling.ordering import sorted_by_key
from ..faults.wording import blaming_user
from ..programs.aggregations import Aggregation
from .memory import Gauge, unpickled_safely, weight_of_groups
from .runs import Columns, bared, count, decoded
from .spilling import Spills, sorted_columns


class Gathering:
    """Takes the blocks of one partition, run by run, and gives its groups in order."""

    def __init__(self, aggregation: Aggregation | None, memory: int, output: str) -> None:
        """Gather values, or the states of that aggregation, within the budget in bytes; spills lie where `output` does.

        `aggregation` is that of the reducer.
        """
        self.records = 0
        self._aggregation = aggregation
        self._groups: dict[Any, Any] = {}
        self._gauge = Gauge(memory, unpickled_safely(memory))
        self._spills = Spills(dirname(output), memory)  # noqa: PTH120 - spares the import of pathlib
        self._walk: Iterator[tuple[Any, Any]] = iter(())
        self._groups_all = 0

    @property
    def spilled(self) -> bool:
        """Tell whether it was too much for memory."""
        return bool(self._spills)

    @property
    def fraction(self) -> float:
        """Tell what part of the groups has been given; may be asked from another thread."""
        if self._spills:
            return self._spills.fraction
        return 1 - length_hint(self._walk) / self._groups_all if self._groups_all else 0.0

    def take(self, body: bytes) -> None:
        """Take the next block; raises `UserFault` for what user code or data did wrong, `OSError` for a full disk."""
        keys, values = decoded(body)
        self.records += count(values)
        if self._aggregation is not None and not self._spills:
            with blaming_user():
                _merge_states(self._groups, keys, values, self._aggregation)
        elif isinstance(values, tuple):
            _merge_values(self._groups, keys, values)
        else:
            _merge_lists(self._groups, keys, values)
        if self._gauge.advance(len(body)) and self._gauge.weighed(weight_of_groups(self._groups)):
            self._spill()
            self._gauge.restart()

    def groups(self) -> Iterator[tuple[Any, Any]]:
        """Give each key in order with its values, or with its state; `LargeValues` where they do not fit into memory.

        Raises `UserFault` as above, `InputUnreadable` if a spill has been damaged.
        """
        if self._spills:
            self._spill()
            merged = self._spills.merged(0)
            self._walk = iter(merged if self._aggregation is None else self._folded(merged, self._aggregation))
        else:
            with blaming_user():
                ordered = sorted_by_key(self._groups.items())
            self._groups.clear()
            self._walk, self._groups_all = iter(ordered), len(ordered)
        return self._walk

    def close(self) -> None:
        """Give back the room that spills take."""
        self._spills.close()

    def _spill(self) -> None:
        with blaming_user():
            keys, values = sorted_columns(self._groups, self._groups.values())
        self._groups.clear()
        states = self._aggregation is not None and not self._spills
        columns: Columns = (keys, tuple(values) if states else bared(values))
        self._spills.add([columns])

    def _folded(self, groups: Iterable[tuple[Any, Any]], aggregation: Aggregation) -> Iterator[tuple[Any, Any]]:
        for key, states in groups:
            with blaming_user(record=key):
                state = fold(aggregation.merge, states)
            yield key, state


def _merge_states(groups: dict[Any, Any], keys: list[Any], states: Iterable[Any], aggregation: Aggregation) -> None:
    merge = aggregation.merge
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
