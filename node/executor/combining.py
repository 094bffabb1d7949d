"""Collect the pairs of a map attempt by key, and make them fewer as they come where the program has a combiner.

Each way of collecting has a loop of its own: this is where a word count spends its time, and a call for each pair
would double it. Values of a key stay in the order in which they came.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from .aggregations import Aggregation
from .faults import fault, fault_of
from .formats import Pairs
from .outputs import PartWriter

Emit = Callable[[Any, Any], Iterable[tuple[Any, Any]] | None]
"""A mapper's `map`."""

Reduce = Callable[[Any, Sequence[Any]], Iterable[tuple[Any, Any]] | None]

BATCHES_PER_COMBINING = 32
"""How often a combiner class runs: each run costs a call for every key that has come again, and frees its values."""


class Collector(Protocol):
    """Takes pairs; what it has collected by key is in `groups`."""

    groups: dict[Any, Any]

    def take(self, emit: Emit, records: Pairs) -> None:
        """Call user code on each record and collect what it gives; exceptions of user code pass."""
        ...

    def settle(self) -> None:
        """Do what is due after a batch: write, or combine."""
        ...

    def finish(self) -> None:
        """Do what is due after the last batch: afterwards `groups` holds what goes into the run."""
        ...


class States:
    """Collects the states of a named aggregation."""

    def __init__(self, aggregation: Aggregation, *, as_values: bool) -> None:
        """With `as_values` the results are combined values for a reducer, else states for the same aggregation."""
        self.groups: dict[Any, Any] = {}
        self._aggregation = aggregation
        self._as_values = as_values

    def take(self, emit: Emit, records: Pairs) -> None:
        """See `Collector`."""
        groups, init, add = self.groups, self._aggregation.init, self._aggregation.add
        for key, record in records:
            for k, v in emit(key, record) or ():
                groups[k] = add(groups[k], v) if k in groups else init(v)

    def settle(self) -> None:
        """See `Collector`."""

    def finish(self) -> None:
        """See `Collector`."""
        if self._as_values:
            result = self._aggregation.finish
            self.groups = {key: [result(state)] for key, state in self.groups.items()}


class Sums(States):
    """Collects sums."""

    def take(self, emit: Emit, records: Pairs) -> None:
        """See `Collector`."""
        groups = self.groups
        get = groups.get
        for key, record in records:
            for k, v in emit(key, record) or ():
                groups[k] = get(k, 0) + v


class Counts(States):
    """Collects counts."""

    def take(self, emit: Emit, records: Pairs) -> None:
        """See `Collector`."""
        groups = self.groups
        get = groups.get
        for key, record in records:
            for k, _ in emit(key, record) or ():
                groups[k] = get(k, 0) + 1


class Lists:
    """Collects all values of each key."""

    def __init__(self) -> None:
        self.groups: dict[Any, list[Any]] = {}

    def take(self, emit: Emit, records: Pairs) -> None:
        """See `Collector`."""
        groups = self.groups
        for key, record in records:
            for k, v in emit(key, record) or ():
                if k in groups:
                    groups[k].append(v)
                else:
                    groups[k] = [v]

    def settle(self) -> None:
        """See `Collector`."""

    def finish(self) -> None:
        """See `Collector`."""


class CombinedLists(Lists):
    """Collects values and lets the program's combiner class shorten the lists now and then."""

    def __init__(self, reduce: Reduce) -> None:
        super().__init__()
        self._reduce = reduce
        self._batches = 0

    def settle(self) -> None:
        """See `Collector`."""
        self._batches += 1
        if self._batches % BATCHES_PER_COMBINING == 0:
            self._combine()

    def finish(self) -> None:
        """See `Collector`."""
        self._combine()
        self.groups = {key: values for key, values in self.groups.items() if values}

    def _combine(self) -> None:
        """Shorten the lists; one value alone stays as it is, since a combiner may run any number of times, or never."""
        reduce, groups = self._reduce, self.groups
        key = None
        try:
            for key, values in groups.items():
                if len(values) > 1:
                    groups[key] = [
                        v if k is key or k == key else _foreign(key, k) for k, v in reduce(key, values) or ()
                    ]
        except BaseException as error:
            raise fault_of(error, record=key) from error


class Lines:
    """Writes pairs as they come, for a job without a reduce phase."""

    def __init__(self, part: PartWriter) -> None:
        self.groups: dict[Any, Any] = {}
        self._part = part
        self._pairs: list[tuple[Any, Any]] = []

    def take(self, emit: Emit, records: Pairs) -> None:
        """See `Collector`."""
        append = self._pairs.append
        for key, record in records:
            for k, v in emit(key, record) or ():
                append((k, v))

    def settle(self) -> None:
        """See `Collector`."""
        self._part.write(self._pairs)
        self._pairs.clear()

    def finish(self) -> None:
        """See `Collector`."""
        self.settle()


def states_for(aggregation: Aggregation, *, as_values: bool) -> Collector:
    """Choose the fastest way to collect the states of an aggregation."""
    kind = {"sum": Sums, "count": Counts}.get(aggregation.name, States)
    return kind(aggregation, as_values=as_values)


def _foreign(key: Any, other: Any) -> Any:
    raise fault(
        "BadCombiner",
        f"the combiner was given the key {key!r:.100} and gave {other!r:.100}",
        hint="a combiner must give pairs with the key that it was given",
        record=key,
    )
