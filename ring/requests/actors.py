"""Name the actor that mints a key: this start of this peer, and a new name wherever its own copy of the key is gone.

What a version has seen of an actor is one number, and covers all dots up to it (Preguiça et al. 2012, section 4). So an
actor must mint each dot of a key upon a copy that holds its earlier ones, or whoever has those would take them for
overwritten. Where this peer gave up its copy, or its disk refused one that others may have by now, it cannot: for that
key it goes on as somebody else.
"""

from collections import Counter
from hashlib import blake2b
from typing import Final

from ..facts import Versions

KEYS_MAX: Final = 10_000
"""So many keys are told apart; then all of them get a new name, and the count begins anew."""


class Actors:
    """The names of one start of one peer."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._round = 0
        self._parted: Counter[bytes] = Counter()
        """How often this peer parted from its copy of a key, in this round; keys by the digest of their name."""

    def of(self, key: bytes) -> str:
        """Name who mints a key now."""
        parted = self._parted.get(_name(key), 0)
        return f"{self._start}-{self._round}-{parted}" if self._round or parted else self._start

    def have_minted(self, versions: Versions) -> bool:
        """Tell whether some versions hold a dot of this start."""
        return any(actor.startswith(self._start) for actor in versions.seen)

    def part_from(self, key: bytes) -> None:
        """Take note that what this start has minted of a key may be known to others, and is not in the copy here."""
        self._parted[_name(key)] += 1
        if len(self._parted) > KEYS_MAX:
            self._round += 1
            self._parted.clear()


def _name(key: bytes) -> bytes:
    return blake2b(key, digest_size=8).digest()
