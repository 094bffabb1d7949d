"""Keep what a script has done to links, and spell it as the rules of each peer's gate.

A cut is kept at both ends, so that one of them may be frozen or start anew; all else at the sender, so that it happens
to each message once. Whoever pulls in bulk minds the link for both ends, so delay and bandwidth stand at the receiver
too, for bulk alone. Sides that name everybody else are read anew whenever a peer comes or goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from ...node.gate.orders import Direction, LinkRule
from ..language.commands import EVERYBODY_ELSE, Links

_AMOUNTS: Final = ("delay_s", "loss", "duplication", "jitter_s", "bytes_per_s")
"""What a fault may say of a link besides that it is cut; 0 is nothing."""

Key = tuple[str, Direction]
"""The other peer's address, and which way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault:
    """One command about links; what a later one says of the same links and the same property counts."""

    links: Links
    cut: bool = False
    delay_s: float | None = None
    loss: float | None = None
    duplication: float | None = None
    jitter_s: float | None = None
    bytes_per_s: int | None = None


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
                _put(found[receiver], (urls[sender], Direction.FROM), fault)
        return {
            name: tuple(spelt for rule in rules.values() for spelt in _spelt(rule)) for name, rules in found.items()
        }


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
    said = {name: getattr(fault, name) for name in _AMOUNTS if getattr(fault, name) is not None}
    rules[key] = replace(rule, cut=rule.cut or fault.cut, **said)


def _spelt(rule: LinkRule) -> list[LinkRule]:
    """Leave out a rule that does nothing; at the receiver, messages have been dealt with already unless all is cut."""
    if rule.direction is Direction.FROM and not rule.cut:
        rule = replace(rule, loss=0.0, duplication=0.0, jitter_s=0.0, bulk_only=True)
    does = rule.cut or any(getattr(rule, name) for name in _AMOUNTS)
    return [rule] if does else []
