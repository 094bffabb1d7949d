"""Look at a key's homes before a conditional put: strictly, at R of the N primaries, and at nobody in their place.

After a removal there are new homes among the N that may have nothing yet: then all living homes of before must answer
as well.

What they hold is merged into the copy of the coordinator in the step that mints, and there the condition is judged. So
two conditional puts at one coordinator are decided one after the other. Two at different coordinators can both hold,
and leave siblings: what needs one winner is for a register.
"""

from functools import reduce

from ..copies.versions import EMPTY, join
from ..facts import Versions
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .quorum import NEVER, required_of


class Look:
    """Tracks who has been asked for a copy and who has answered; `ask` may be called at any time."""

    def __init__(self, *, roster: Roster, key: bytes, replicas: int, reads_required: int, patience_s: float) -> None:
        self._roster = roster
        self._homes = roster.preference(key)[:replicas]
        self._former = roster.former(key, replicas)
        self._due: dict[PeerId, Instant | None] = dict.fromkeys((*self._homes, *self._former))
        self._required = required_of(reads_required, len(self._homes))
        self._patience_s = patience_s
        self._copies: dict[PeerId, Versions] = {}
        self._unreadable: dict[PeerId, str] = {}

    @property
    def reached(self) -> bool:
        """Tell whether R primaries have said what they hold, and who lives of those before a removal."""
        is_short = any(peer not in self._copies and self._roster.alive(peer) for peer in self._former)
        return self._answered >= self._required and not is_short

    @property
    def obstacle(self) -> str:
        """Say why R can no longer be reached; empty while it can."""
        readable = sum(peer not in self._unreadable for peer in self._homes)
        is_hopeless = readable < self._required or any(peer in self._unreadable for peer in self._former)
        return next(iter(self._unreadable.values())) if is_hopeless else ""

    @property
    def shortage(self) -> str:
        """Say how many have answered, and how many should."""
        if self._answered >= self._required:
            return "a home of the key from before a removal could not be read in time"
        return f"{self._answered} homes of the key could be read in time, {self._required} were wanted"

    @property
    def merged(self) -> Versions:
        """Join what they hold."""
        return reduce(join, self._copies.values(), EMPTY)

    @property
    def next_due(self) -> Instant:
        """When the first patience ends."""
        return min((due for peer, due in self._due.items() if due is not None and self._is_open(peer)), default=NEVER)

    def ask(self, now: Instant) -> list[PeerId]:
        """Name whom to ask now: at first all, later those who were silent, for messages get lost."""
        silent = [peer for peer, due in self._due.items() if self._is_open(peer) and (due is None or now >= due)]
        self._due |= dict.fromkeys(silent, Instant(now + self._patience_s))
        return silent

    def answered(self, peer: PeerId, versions: Versions | None, error: str) -> None:
        """Take in what a home holds, or that its copy cannot be read."""
        if peer in self._due and error:
            self._unreadable[peer] = error
        elif peer in self._due:
            self._copies[peer] = versions or EMPTY

    @property
    def _answered(self) -> int:
        return sum(peer in self._copies for peer in self._homes)

    def _is_open(self, peer: PeerId) -> bool:
        return peer not in self._copies and peer not in self._unreadable
