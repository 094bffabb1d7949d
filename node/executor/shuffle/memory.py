"""Keep what an attempt holds within its budget: weigh it, seldom enough to cost nothing, and say when it is too much.

Weights are estimates in bytes, made from the content by rules of our own: not from the resident size of the process,
which differs from one attempt to the next. Whatever is decided by them is decided alike by every attempt at a split,
so a map attempt that spills gives the same bytes, and the same digest, wherever and however often it is tried.
"""

import sys
from bisect import bisect_right
from collections.abc import Collection, Iterable
from itertools import accumulate, islice
from typing import Any

HELD_SHARE = 0.5
"""What may be collected of the budget; sorting and pickling need the rest."""

BLOCKS_IN_BUDGET = 1024
"""Pickled blocks that make a budget: unpickled they take up to ten times the room, and a merge holds many at once."""

BLOCK_BYTES_MIN = 16 << 10
BLOCK_BYTES_MAX = 1 << 20

CAUTION = 4
"""What is collected may grow so many times as fast as so far, and is still weighed in time."""

STEP_MIN = 1 / 16
"""Nearer to the limit than this share of it, weighing again would only cost time."""

EXPANSION_MAX = 64
"""Nothing takes more room than so many times its pickle: an empty list is one byte there."""

SAMPLES = 64
"""Things weighed in place of all in a column."""

NESTED_SAMPLES = 8
DEPTH_MAX = 4

ENTRY_WEIGHT = 110
"""Room of a key in a dict, the dict's empty places included, and of the pair that it is sorted as."""

LIST_WEIGHT = 88
POINTER_WEIGHT = 9
"""Room of a value in a list, which grows by an eighth at a time."""


class Gauge:
    """Says when what is collected must be weighed: after `left` more units of whatever makes it grow."""

    def __init__(self, memory: int, first: int) -> None:
        """Take the attempt's budget in bytes, and the units before the first weighing."""
        self.limit = int(memory * HELD_SHARE)
        self.left = self._first = first
        self._seen = 0

    def advance(self, units: int) -> bool:
        """Count units that were taken, and tell whether it is time to weigh."""
        self._seen += units
        self.left -= units
        return self.left <= 0

    def weighed(self, weight: int) -> bool:
        """Plan the next weighing, and tell whether this weight is too much: then `restart` when it is gone."""
        room = max((self.limit - weight) / CAUTION, self.limit * STEP_MIN)
        self.left = max(1, int(room * self._seen / max(1, weight)))
        self.left = min(self.left, 2 * self._seen)
        return weight > self.limit

    def restart(self) -> None:
        """Begin again with nothing collected."""
        self.left, self._seen = self._first, 0


def block_bytes(memory: int) -> int:
    """Choose the size of blocks for a budget."""
    return min(BLOCK_BYTES_MAX, max(BLOCK_BYTES_MIN, memory // BLOCKS_IN_BUDGET))


def unpickled_safely(memory: int) -> int:
    """Give the bytes of pickles that need not be weighed, for whatever they hold is less than may be collected."""
    return int(memory * HELD_SHARE) // EXPANSION_MAX


def weight_of_groups(groups: dict[Any, Any]) -> int:
    """Estimate what a dict takes, with all that it holds; what its values hold is sampled evenly, large ones too."""
    if not groups:
        return 0
    step = -(-len(groups) // SAMPLES)
    keys = list(islice(groups, 0, None, step))
    per_key = ENTRY_WEIGHT + _mean(keys)
    if isinstance(groups[keys[0]], (list, dict)):
        return per_key * len(groups) + weight_of_columns(groups.values())
    return (per_key + _mean([groups[key] for key in keys])) * len(groups)


def weight_of_columns(columns: Collection[Any]) -> int:
    """Estimate what lists, or dicts of a set's items, take together with their items."""
    ends = list(accumulate(map(len, columns)))
    total = ends[-1] if ends else 0
    each = list(columns)
    picked = []
    for number in range(min(SAMPLES, total)):
        place = number * total // SAMPLES if total > SAMPLES else number
        found = bisect_right(ends, place)
        picked.append(_item(each[found], place - (ends[found - 1] if found else 0)))
    return LIST_WEIGHT * len(each) + (POINTER_WEIGHT + _mean(picked)) * total


def _item(column: Any, place: int) -> Any:
    """Pick an item of a list at once; those of a dict are walked to."""
    return column[place] if isinstance(column, list) else next(islice(column, place, None))


def weight(thing: Any, depth: int = 0) -> int:
    """Estimate what an object takes, with what it holds."""
    match thing:
        case None | bool():
            return 0
        case int():
            return 0 if -5 <= thing <= 256 else 32 + thing.bit_length() // 30 * 4
        case float():
            return 24
        case str():
            return 64 + len(thing) * (1 if thing.isascii() else 2)
        case bytes():
            return 48 + len(thing)
        case tuple() | list() | set() | frozenset():
            return 64 + len(thing) * ((8 if isinstance(thing, (tuple, list)) else 36) + _nested(thing, depth))
        case dict():
            held = _nested(thing, depth) + _nested(thing.values(), depth)
            return 64 + len(thing) * (ENTRY_WEIGHT + held)
        case _:
            return sys.getsizeof(thing) + (weight(vars(thing), depth + 1) if hasattr(thing, "__dict__") else 0)


def _nested(things: Collection[Any], depth: int) -> int:
    return _mean(islice(things, NESTED_SAMPLES), depth + 1) if depth < DEPTH_MAX else 0


def _mean(things: Iterable[Any], depth: int = 0) -> int:
    weights = [weight(thing, depth) for thing in things]
    return sum(weights) // len(weights) if weights else 0
