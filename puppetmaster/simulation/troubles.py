"""Say what a kind of trouble is: a small function that spells one victim's faults from its beginning to its end.

A further kind is one such function in `peer_troubles` or `link_troubles`, and one line in the table of `nemesis`.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from ..faults import Fault


@dataclass(frozen=True, slots=True)
class Trouble:
    """One victim's trouble: from `begin` to `over`, in seconds of virtual time."""

    victim: str
    others: frozenset[str]
    begin: float
    over: float


Moment = tuple[float, Fault]
"""A fault and its instant."""

Kind = Callable[[random.Random, Trouble], list[Moment]]
