"""Do to messages on their way out, or on their way in, what the link rules say."""

import random
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

from .lane import Lane
from .orders import Direction, LinkRule
from .rules import Endpoint, Pace, Rules
from .tally import Tally

Item = TypeVar("Item")

HELD_MAX: Final = 10_000
"""Messages of one link that a delay or a bandwidth holds back at most; more are dropped, as a router would."""


class Ways(Generic[Item]):
    """All links of a peer in one direction; messages of a link without a rule pass as if there were no gate."""

    def __init__(self, let_through: Callable[[Item], None], tally: Tally, rng: random.Random) -> None:
        self._let_through = let_through
        self._tally = tally
        self._rng = rng
        self._ways: dict[Endpoint, _Way[Item]] = {}

    def order(self, rules: Mapping[Endpoint, LinkRule]) -> None:
        """Replace all rules. What a rule has held back goes on when it is due, or now if nothing delays it any more."""
        for endpoint in self._ways.keys() - rules.keys():
            self._ways.pop(endpoint).clear()
        for endpoint, rule in rules.items():
            if endpoint not in self._ways:
                self._ways[endpoint] = _Way(self._let_through, self._tally, self._rng, rule)
            self._ways[endpoint].follow(rule)

    def take(self, endpoint: Endpoint, item: Item, size: int) -> None:
        """Take a message of `size` bytes."""
        way = self._ways.get(endpoint)
        if way is None:
            self._let_through(item)
        else:
            way.take(item, size)

    def is_cut(self, endpoint: Endpoint) -> bool:
        """Tell whether nothing passes there."""
        return endpoint in self._ways and self._ways[endpoint].is_cut


class _Way(Generic[Item]):
    """One link in one direction."""

    def __init__(self, let_through: Callable[[Item], None], tally: Tally, rng: random.Random, rule: LinkRule) -> None:
        self._let_through = let_through
        self._tally = tally
        self._rng = rng
        self._rule = rule
        self._pace = Pace()
        self._last_due = 0.0
        self._lane: Lane[Item] = Lane(self._arrive)

    @property
    def is_cut(self) -> bool:
        return self._rule.cut

    def follow(self, rule: LinkRule) -> None:
        """Obey another rule from now on."""
        self._rule = rule
        if not (rule.delay_s or rule.jitter_s or rule.bytes_per_s):
            self.clear()

    def clear(self) -> None:
        """Let what waits arrive now, unless there is a cut."""
        self._lane.let_all_out()
        self._pace, self._last_due = Pace(), 0.0

    def take(self, item: Item, size: int) -> None:
        rule = self._rule
        if rule.cut or self._rng.random() < rule.loss:
            self._tally.dropped += 1
            return
        self._send_off(item, size)
        if self._rng.random() < rule.duplication:
            self._send_off(item, size)

    def _send_off(self, item: Item, size: int) -> None:
        rule, now = self._rule, self._lane.now
        if len(self._lane) >= HELD_MAX:
            self._tally.dropped += 1
            return
        due = self._pace.passed_at(now, size, rule.bytes_per_s) + rule.delay_s
        if rule.jitter_s:
            due += self._rng.uniform(0.0, rule.jitter_s)
        else:
            self._last_due = due = max(due, self._last_due)  # without jitter nothing overtakes
        if due <= now and not self._lane:
            self._arrive(item)
        else:
            self._lane.put(due, item)

    def _arrive(self, item: Item) -> None:
        """Let a message through, unless its link was cut while it was under way."""
        if self._rule.cut:
            self._tally.dropped += 1
        else:
            self._let_through(item)


def one_way(rules: Rules, direction: Direction) -> dict[Endpoint, LinkRule]:
    """Choose the rules of one direction that are about messages."""
    return {
        endpoint: rule for (endpoint, towards), rule in rules.items() if towards == direction and not rule.bulk_only
    }
