"""Reduce values by name: aggregations that bring their own combiner, because partial results can be merged.

A state begins with a key's first value (`init`), takes the others one by one (`add`), joins the state of a later part
of the input (`merge`), and turns into the value that is written (`finish`). `values` is what `Reducer.reduce` would
have seen; sums of floats are made split by split, and then added in split order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import nlargest
from operator import add
from typing import Any

from ....scheduling.ordering import order_key

TOP_DEFAULT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """One named aggregation; `closed` ones give what they take, so they can serve as a combiner of any reducer."""

    name: str
    init: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]
    merge: Callable[[Any, Any], Any]
    finish: Callable[[Any], Any]
    closed: bool = False


def aggregation(name: str) -> Aggregation | None:
    """Find an aggregation by its name; `top_k:5` gives the five largest values, `top_k` ten."""
    kind, _, number = name.partition(":")
    if kind == "top_k" and (number.isdecimal() or name == "top_k"):
        return _top(name, int(number or TOP_DEFAULT))
    return _NAMED.get(name)


NAMES = ("sum", "count", "min", "max", "mean", "list", "set", "first", "top_k")


def same(value: Any) -> Any:
    """Give the value back: the `finish` of aggregations whose state is the result."""
    return value


def _smaller(state: Any, value: Any) -> Any:
    return value if value < state else state


def _larger(state: Any, value: Any) -> Any:
    return value if value > state else state


def _earlier(state: Any, _value: Any) -> Any:
    return state


def _appended(state: list[Any], value: Any) -> list[Any]:
    state.append(value)
    return state


def _extended(state: list[Any], later: list[Any]) -> list[Any]:
    state.extend(later)
    return state


def _included(state: dict[Any, None], value: Any) -> dict[Any, None]:
    state.setdefault(value)
    return state


def _united(state: dict[Any, None], later: dict[Any, None]) -> dict[Any, None]:
    for value in later:
        state.setdefault(value)
    return state


def _in_order(state: dict[Any, None]) -> list[Any]:
    return sorted(state, key=order_key)


def _mean(state: tuple[Any, int]) -> Any:
    total, count = state
    return total / count


def _simple(name: str, step: Callable[[Any, Any], Any], init: Callable[[Any], Any] = same) -> Aggregation:
    return Aggregation(name=name, init=init, add=step, merge=step, finish=same, closed=True)


def _top(name: str, k: int) -> Aggregation:
    """Keep up to twice k values, so that sorting is paid once in k values."""

    def kept(state: list[Any]) -> list[Any]:
        return state if len(state) <= 2 * k else nlargest(k, state)

    return Aggregation(
        name=name,
        init=lambda value: [value],
        add=lambda state, value: kept(_appended(state, value)),
        merge=lambda state, later: kept(_extended(state, later)),
        finish=lambda state: nlargest(k, state),
    )


_NAMED = {
    "sum": _simple("sum", add, lambda value: 0 + value),
    "min": _simple("min", _smaller),
    "max": _simple("max", _larger),
    "first": _simple("first", _earlier),
    "count": Aggregation(name="count", init=lambda _: 1, add=lambda state, _: state + 1, merge=add, finish=same),
    "mean": Aggregation(
        name="mean",
        init=lambda value: (value, 1),
        add=lambda state, value: (state[0] + value, state[1] + 1),
        merge=lambda state, later: (state[0] + later[0], state[1] + later[1]),
        finish=_mean,
    ),
    "list": Aggregation(name="list", init=lambda value: [value], add=_appended, merge=_extended, finish=same),
    "set": Aggregation(name="set", init=lambda value: {value: None}, add=_included, merge=_united, finish=_in_order),
}
