"""Give each mint of a key its turn: one that is foretold has no other beside or behind it until it is decided.

The copies of a foretold mint are on their way before it is durable. Were it to fail then, a mint behind it would be
worked out from a copy that lacks it, and under the same actor: so whoever has the first would take it for overwritten.
Where several mints of a key wait, they go together in one commit, and none of them is foretold.
"""

from collections import Counter
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


class Turns(Generic[Waiting]):
    """The keys with mints that are not decided yet, and what waits for one that is foretold."""

    def __init__(self) -> None:
        self._open: Counter[bytes] = Counter()
        self._behind: dict[bytes, list[Waiting]] = {}

    def is_free(self, key: bytes) -> bool:
        """Tell whether no mint of a key is under way."""
        return key not in self._open

    def begin(self, key: bytes, *, is_foretold: bool) -> None:
        """Take note that a mint goes to the store."""
        self._open[key] += 1
        if is_foretold:
            self._behind[key] = []

    def holds(self, key: bytes, waiting: Waiting) -> bool:
        """Keep what must wait for a foretold mint; False where it need not."""
        if key not in self._behind:
            return False
        self._behind[key].append(waiting)
        return True

    def end(self, key: bytes) -> list[Waiting]:
        """Take note that a mint is decided, and give what has waited for that."""
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]
        return self._behind.pop(key, [])
