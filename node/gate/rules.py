"""Read the link rules of an order: which link each is about, and what it asks of bulk transfers."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from ...ring.errors import CallerError
from ..transport.addresses import parse_address
from .orders import Direction, LinkRule

Endpoint = str
"""An address in its one spelling, so that `localhost` and `127.0.0.1` are one."""

Rules = Mapping[tuple[Endpoint, Direction], LinkRule]


@lru_cache(maxsize=4096)
def endpoint_of(url: str) -> Endpoint:
    """Give the one spelling of an address; one that is none stands for itself, and no rule is about it."""
    try:
        return parse_address(url).endpoint
    except CallerError:
        return url


def read_rules(rules: Iterable[LinkRule]) -> Rules:
    """Sort rules by the link that they are about.

    Raises:
        CallerError: a rule names no address, or two rules are about one link and direction.
    """
    found: dict[tuple[Endpoint, Direction], LinkRule] = {}
    for rule in rules:
        link = parse_address(rule.url).endpoint, rule.direction
        if link in found:
            raise CallerError(f"two rules for {rule.url} {rule.direction.name}; give one")
        found[link] = rule
    return found


def hinders_bulk(rule: LinkRule) -> bool:
    """Tell whether a rule does anything to bulk transfers."""
    return rule.cut or rule.delay_s > 0 or rule.bytes_per_s > 0


class Pace:
    """Tells when bytes come through that pass one after the other at a bounded rate."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def passed_at(self, now: float, size: int, bytes_per_s: int) -> float:
        """Let `size` bytes pass as soon as those before them have; a rate of 0 is no bound."""
        if not bytes_per_s:
            return now
        self._free_at = max(now, self._free_at) + size / bytes_per_s
        return self._free_at
