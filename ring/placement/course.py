"""List the sets of homes that may come while members join and leave: who moves may be done in any order."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations

from ..facts import Standing
from ..terms import PeerId, Vnode
from .rendezvous import Home, Placement

COMBINED_MAX = 5
"""With more who move at once, of the orders in which they end only the first, the last and the last but one count.

All orders of five are some thirty placements, of 10 to 60 ms each to work out.
"""

Moves = Mapping[PeerId, tuple[Standing, int]]
"""Who joins or leaves, at which epoch."""

Course = tuple[frozenset[Home], ...]
"""The homes of now, those that may come on the way, and the target last; only one set where nobody moves."""


def course_of(current: frozenset[Home], target: frozenset[Home], moves: Moves) -> Course:
    """List the homes of now, all that may come until every move is done, and the target."""
    between = (homes for homes in _between(current | target, moves) if homes)
    return tuple(dict.fromkeys((current, *between, target)))


def keepers(placements: Iterable[Placement], vnode: Vnode, count: int) -> tuple[PeerId, ...]:
    """List who is one of the first `count` homes of a vnode by any of some placements, those of the first one first."""
    return tuple(dict.fromkeys(chain.from_iterable(placement.primaries(vnode, count) for placement in placements)))


def _between(homes: frozenset[Home], moves: Moves) -> Iterator[frozenset[Home]]:
    movers = sorted(moves)
    counts = range(1, len(movers)) if len(movers) <= COMBINED_MAX else sorted({1, len(movers) - 1})
    for count in counts:
        for done in map(frozenset, combinations(movers, count)):
            yield frozenset(home for home in homes if _owns(home.id, moves, done))


def _owns(peer: PeerId, moves: Moves, done: frozenset[PeerId]) -> bool:
    """Tell whether a peer owns keys once those have done with their moves."""
    if peer not in moves:
        return True
    return (peer in done) is (moves[peer][0] is Standing.JOINING)
