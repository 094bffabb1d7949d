"""Let bulk transfers through a gate as the link rules say; the asking side minds them, for it knows whom it asks.

A request obeys the rule of the direction TO, its answer that of the direction FROM. Messages and bulk transfers are
counted against a bandwidth each for themselves.
"""

import threading
import time
from collections import defaultdict

from ...ring.errors import WorldError
from .neighbours import Neighbours
from .orders import Direction, LinkRule
from .rules import Endpoint, Pace, Rules, hinders_bulk


class GatedPassage:
    """The way from bulk servers to a peer behind a gate; threads wait in it."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours
        self._rules: Rules = {}
        self._generation = 0
        self._paces: defaultdict[Endpoint, Pace] = defaultdict(Pace)
        self._changed = threading.Condition()

    def order(self, rules: Rules) -> None:
        """Replace all link rules; transfers under way go on by the new ones."""
        with self._changed:
            self._rules = {link: rule for link, rule in rules.items() if hinders_bulk(rule)}
            self._generation += 1
            self._paces.clear()
            self._changed.notify_all()

    def shows_files(self, url: str) -> bool:
        """Tell whether a peer's files may be read by their paths: not around a link that is cut, late or slow."""
        return not self._rules_of(url)

    def admit(self, url: str, size: int, asked_at: float, patience_s: float) -> None:
        """Return when the bytes have come across.

        Raises:
            WorldError: they do not come within `patience_s`.
        """
        deadline = time.monotonic() + patience_s
        generation = -1
        due = 0.0
        with self._changed:
            while True:
                if generation != self._generation:
                    generation, due = self._generation, self._due(url, size, asked_at)
                now = time.monotonic()
                if due <= now:
                    return
                if deadline <= now:
                    raise WorldError(f"{url} made no progress for {patience_s:g} s; another source must do")
                self._changed.wait(min(due, deadline) - now)

    def _due(self, url: str, size: int, asked_at: float) -> float:
        rules = self._rules_of(url)
        if any(rule.cut for rule in rules.values()):
            return float("inf")
        due = asked_at + sum(rule.delay_s for rule in rules.values())
        if Direction.FROM in rules:
            pace = self._paces[self._neighbours.home_of_server(url)]
            due = max(due, pace.passed_at(time.monotonic(), size, rules[Direction.FROM].bytes_per_s))
        return due

    def _rules_of(self, url: str) -> dict[Direction, LinkRule]:
        rules = self._rules
        if not rules:
            return {}
        home = self._neighbours.home_of_server(url)
        return {direction: rules[home, direction] for direction in Direction if (home, direction) in rules}
