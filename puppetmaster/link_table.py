"""Keep what a script has done to links, and spell it as the rules of each peer's gate.

A cut is kept at both ends, so that one of them may be frozen or start anew; delay and loss at the sender, so that they
happen once. Sides that name everybody else are read anew whenever a peer comes or goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ..node.gate.orders import Direction, LinkRule
from .commands import EVERYBODY_ELSE, Links

Key = tuple[str, Direction]
"""The other peer's address, and which way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault:
    """One command about links; what a later one says of the same links and the same property counts."""

    links: Links
    cut: bool = False
    delay_s: float | None = None
    loss: float | None = None


class LinkTable:
    """All that holds of links now."""

    def __init__(self) -> None:
        self._faults: list[LinkFault] = []

    def add(self, fault: LinkFault) -> None:
        """Note a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Heal everything."""
        self._faults.clear()

    def rules(self, urls: Mapping[str, str]) -> dict[str, tuple[LinkRule, ...]]:
        """Spell the rules of every peer, given all peers' addresses by their ids."""
        found: dict[str, dict[Key, LinkRule]] = {name: {} for name in urls}
        for fault in self._faults:
            for sender, receiver in pairs_of(fault.links, tuple(urls)):
                _put(found[sender], (urls[receiver], Direction.TO), fault)
                if fault.cut:
                    _put(found[receiver], (urls[sender], Direction.FROM), fault)
        return {name: tuple(rule for rule in rules.values() if _is_rule(rule)) for name, rules in found.items()}


def pairs_of(links: Links, names: Sequence[str]) -> list[tuple[str, str]]:
    """List the senders with their receivers among the peers there are; none sends to itself."""
    senders = _side(links.senders, links.receivers, names)
    receivers = _side(links.receivers, links.senders, names)
    pairs = [(sender, receiver) for sender in senders for receiver in receivers if sender != receiver]
    if links.both_ways:
        pairs += [(receiver, sender) for sender, receiver in pairs]
    return pairs


def _side(side: Sequence[str], other: Sequence[str], names: Sequence[str]) -> list[str]:
    if tuple(side) == (EVERYBODY_ELSE,):
        return [name for name in names if name not in other]
    return [name for name in side if name in names]


def _put(rules: dict[Key, LinkRule], key: Key, fault: LinkFault) -> None:
    rule = rules.get(key) or LinkRule(url=key[0], direction=key[1])
    rules[key] = replace(
        rule,
        cut=rule.cut or fault.cut,
        delay_s=rule.delay_s if fault.delay_s is None else fault.delay_s,
        loss=rule.loss if fault.loss is None else fault.loss,
    )


def _is_rule(rule: LinkRule) -> bool:
    return rule.cut or rule.loss > 0 or rule.delay_s > 0
