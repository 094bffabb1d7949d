"""Collect the pairs of a map attempt by key, and make them fewer as they come where the program has a combiner.

What a collector does with one pair is its *step*, given as source text: this is where a word count spends its time,
and a call for each pair would double it. Two loops are made of the same text: `taking` for any mapper, and what
`inlining` makes of a mapper that allows it. Values of a key stay in the order in which they came.

What is collected may be taken out of `groups`, and written elsewhere, at any time: `shortened` brings such parts of a
key's values together again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from functools import reduce as fold
from typing import Any, Protocol

from ..faults.wording import NO_PAIR, InputUnreadable, blaming_user, fault, fault_of
from ..formats.batch import Pairs
from ..formats.outputs import PartWriter
from ..programs.aggregations import Aggregation
from .memory import POINTER_WEIGHT, weight_of_columns, weight_of_groups
from .merging import Group, Values
from .runs import bared

Emit = Callable[[Any, Any], Iterable[tuple[Any, Any]] | None]
"""A mapper's `map`."""

Reduce = Callable[[Any, Iterable[Any]], Iterable[tuple[Any, Any]] | None]

BATCHES_PER_COMBINING = 32
"""How often a combiner class runs: each run costs a call for every key that has come again, and frees its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What becomes of one pair: statements over `k`, `v` and what is in `names`."""

    text: str
    names: Mapping[str, Any]


class Collector(Protocol):
    """Takes pairs by its step; what it has collected by key is in `groups`, which is one dict from first to last."""

    groups: dict[Any, Any]
    step: Step

    def settle(self) -> None:
        """Do what is due after a batch: write, or combine."""
        ...

    def finish(self) -> None:
        """Do what is due before `groups` is written: afterwards it holds what goes into the run."""
        ...

    def weigh(self) -> int:
        """Estimate in bytes what has been collected."""
        ...


class RunCollector(Collector, Protocol):
    """Collects for a run."""

    def column(self, collected: list[Any]) -> list[Any] | tuple[Any, ...]:
        """Make values out of `groups` a column of the run."""
        ...

    def shortened(self, groups: Iterator[Group]) -> Iterator[Group]:
        """Bring each key's values, taken out at several times, to what they would be if collected at once."""
        ...


STATE_STEPS = {"sum": "groups[k] = get(k, 0) + v", "count": "groups[k] = get(k, 0) + 1"}
STATE_STEP = "groups[k] = add(groups[k], v) if k in groups else init(v)"


class States:
    """Collects the states of a named aggregation.

    Those of one that combines for a reducer are values for it: only closed aggregations may, and they change nothing
    in the end.
    """

    def __init__(self, aggregation: Aggregation) -> None:
        self.groups: dict[Any, Any] = {}
        text = STATE_STEPS.get(aggregation.name, STATE_STEP)
        names = {"groups": self.groups, "get": self.groups.get, "add": aggregation.add, "init": aggregation.init}
        self.step = Step(text=text, names=names)
        self._merge = aggregation.merge

    def settle(self) -> None:
        """See `Collector`."""

    def finish(self) -> None:
        """See `Collector`."""

    def weigh(self) -> int:
        """See `Collector`."""
        return weight_of_groups(self.groups)

    def column(self, collected: list[Any]) -> tuple[Any, ...]:
        """See `RunCollector`."""
        return tuple(collected)

    def shortened(self, groups: Iterator[Group]) -> Iterator[Group]:
        """See `RunCollector`."""
        for key, states in groups:
            with blaming_user(record=key):
                state = fold(self._merge, states)
            yield key, [state]


LIST_STEP = """\
values = get(k)
if values is None:
    groups[k] = [v]
else:
    values.append(v)
"""


class Lists:
    """Collects all values of each key."""

    def __init__(self) -> None:
        self.groups: dict[Any, list[Any]] = {}
        self.step = Step(text=LIST_STEP, names={"groups": self.groups, "get": self.groups.get})

    def settle(self) -> None:
        """See `Collector`."""

    def finish(self) -> None:
        """See `Collector`."""

    def weigh(self) -> int:
        """See `Collector`."""
        return weight_of_groups(self.groups)

    def column(self, collected: list[Any]) -> list[Any] | tuple[Any, ...]:
        """See `RunCollector`."""
        return bared(collected)

    def shortened(self, groups: Iterator[Group]) -> Iterator[Group]:
        """See `RunCollector`."""
        return groups


class Tally:
    """Counts the keys that a mapper gives with one and the same literal, and makes the lists of it in the end."""

    def __init__(self, value: Any, lists: Lists) -> None:
        """Let what is collected end in `lists`."""
        self.groups: dict[Any, int] = {}
        self.step = Step(text=STATE_STEPS["count"], names={"groups": self.groups, "get": self.groups.get})
        self._value = value
        self._lists = lists

    def settle(self) -> None:
        """See `Collector`."""

    def finish(self) -> None:
        """See `Collector`."""
        value, groups = self._value, self._lists.groups
        if not groups:
            groups.update({key: [value] * count for key, count in self.groups.items()})
        else:
            for key, count in self.groups.items():
                groups.setdefault(key, []).extend([value] * count)
        self.groups.clear()
        self._lists.finish()

    def weigh(self) -> int:
        """See `Collector`; what counts are the lists that it comes to."""
        return weight_of_groups(self.groups) + POINTER_WEIGHT * sum(self.groups.values()) + self._lists.weigh()


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
        for key in [key for key, values in self.groups.items() if not values]:
            del self.groups[key]

    def shortened(self, groups: Iterator[Group]) -> Iterator[Group]:
        """See `RunCollector`; a value alone stays as it is here, too."""
        for key, values in groups:
            if isinstance(values, list) and len(values) == 1:
                yield key, values
            elif combined := self._combined(key, values):
                yield key, combined

    def _combine(self) -> None:
        """Shorten the lists; one value alone stays as it is, since a combiner may run any number of times, or never."""
        groups = self.groups
        for key, values in groups.items():
            if len(values) > 1:
                groups[key] = self._combined(key, values)

    def _combined(self, key: Any, values: Values) -> list[Any]:
        try:
            return [
                v if k is key or k == key else _foreign(key, k) for k, v in map(paired, self._reduce(key, values) or ())
            ]
        except InputUnreadable:
            raise
        except BaseException as error:
            raise fault_of(error, record=key) from error


class Lines:
    """Writes pairs as they come, for a job without a reduce phase."""

    def __init__(self, part: PartWriter) -> None:
        self.groups: dict[Any, Any] = {}
        self._part = part
        self._pairs: list[tuple[Any, Any]] = []
        self.step = Step(text="append((k, v))", names={"append": self._pairs.append})

    def settle(self) -> None:
        """See `Collector`."""
        self._part.write(self._pairs)
        self._pairs.clear()

    def finish(self) -> None:
        """See `Collector`."""
        self.settle()

    def weigh(self) -> int:
        """See `Collector`."""
        return weight_of_columns([self._pairs])


def paired(thing: Any) -> Any:
    """Give back what user code gave as a pair, unless it is none although it can be unpacked: text, a set."""
    if isinstance(thing, (str, bytes, bytearray, set, frozenset, dict)):
        raise TypeError(f"{thing!r:.100} is {NO_PAIR}")
    return thing


LOOP = """
def take(emit, {names}, records):
    for key, record in records:
        for pair in emit(key, record) or ():
            k, v = pair if type(pair) is tuple else paired(pair)
{step}
"""


def taking(emit: Emit, step: Step) -> Callable[[Pairs], None]:
    """Give a loop that calls user code on each record and takes the step for each pair; its exceptions pass."""
    return partial(_loop(step.text, tuple(step.names)), emit, *step.names.values())


@cache
def _loop(step: str, names: tuple[str, ...]) -> Callable[..., None]:
    """Compile the loop; there are few steps, and compiling one takes longer than a short split."""
    lines = "".join(f"            {line}\n" for line in step.splitlines())
    scope: dict[str, Any] = {"paired": paired}
    exec(compile(LOOP.format(names=", ".join(names), step=lines), __file__, "exec", dont_inherit=True), scope)
    take: Callable[..., None] = scope["take"]
    return take


def walking(collect: Callable[[Any, Any], object]) -> Callable[[Pairs], None]:
    """Give a loop that calls on each record what `inlining` has made of a mapper."""

    def walk(records: Pairs) -> None:
        for key, record in records:
            try:
                collect(key, record)
            except StopIteration as error:
                raise RuntimeError("generator raised StopIteration") from error

    return walk


def called_with_both(call: Callable[..., Any], emit: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Give `call`, or one that drops the key where the mapper's `map` takes the record alone."""
    code = getattr(emit, "__code__", None)
    if code is None or code.co_argcount - hasattr(emit, "__self__") != 1:
        return call
    return lambda _, record: call(record)


def _foreign(key: Any, other: Any) -> Any:
    raise fault(
        "BadCombiner",
        f"the combiner was given the key {key!r:.100} and gave {other!r:.100}",
        hint="a combiner must give pairs with the key that it was given",
        record=key,
    )
