"""Put keys of all types into the one order in which reducers see them and results are written.

None comes first; then numbers by value, whatever their type; then strings by code point; then bytes; then tuples, item
by item in this same order, a shorter one before a longer one that begins alike. Keys that are equal (1, 1.0, True)
keep the order in which they came.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, SupportsIndex, TypeVar

Value = TypeVar("Value")

_NUMBERS = frozenset({int, float, bool})
_COMPARABLE = (frozenset({str}), frozenset({bytes}), _NUMBERS)


def order_key(key: Any) -> tuple[int, Any]:
    """Give what sorts in the order of keys when compared in the ordinary way.

    Raises `TypeError` for a key of a type that has no place in the order.
    """
    match key:
        case None:
            return (0, 0)
        case str():
            return (2, key)
        case bytes():
            return (3, key)
        case tuple():
            return (4, tuple(order_key(item) for item in key))
        case float() | int() | SupportsIndex():
            return (1, key)
        case _:
            raise TypeError(f"a key of type {type(key).__name__} has no place in the order of keys")


def comparable(keys: Iterable[Any]) -> bool:
    """Tell whether keys are of one kind, so that Python's own comparison puts them into the same order."""
    kinds = set(map(type, keys))
    return any(kinds <= alike for alike in _COMPARABLE)


def sorted_by_key(pairs: Iterable[tuple[Any, Value]]) -> list[tuple[Any, Value]]:
    """Sort pairs of key and value by their keys; keys of one kind at the full speed of `list.sort`.

    Raises `TypeError` as `order_key` does.
    """
    ordered = list(pairs)
    if comparable(key for key, _ in ordered):
        ordered.sort(key=itemgetter(0))
    else:
        ordered.sort(key=lambda pair: order_key(pair[0]))
    return ordered
