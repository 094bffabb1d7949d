"""Keep what is believed of each member, and decide which news overrides it.

The rule is SWIM's (section 4.2): a higher incarnation, which only its subject may raise, overrides a lower; at one
incarnation the worse news wins. Beliefs only ever move one way along that order, so members that have heard the same
news believe the same, in whatever order they heard it.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from ..messages import Liveness, Update
from ..terms import PeerId, start_of


class Verdict(Enum):
    """What to do with a piece of news."""

    KEEP = "the held belief stands"
    TAKE = "the news replaces the held belief"
    CONFIRM = "the news supports a suspicion already held"


_KEEP, _TAKE, _CONFIRM = Verdict.KEEP, Verdict.TAKE, Verdict.CONFIRM
_ALIVE, _SUSPECT, _DEAD, _LEFT = Liveness.ALIVE, Liveness.SUSPECT, Liveness.DEAD, Liveness.LEFT

AT_ONE_INCARNATION: Mapping[Liveness, Mapping[Liveness, Verdict]] = {
    #  held       heard: _ALIVE         _SUSPECT            _DEAD         _LEFT
    _ALIVE: {_ALIVE: _KEEP, _SUSPECT: _TAKE, _DEAD: _TAKE, _LEFT: _TAKE},
    _SUSPECT: {_ALIVE: _KEEP, _SUSPECT: _CONFIRM, _DEAD: _TAKE, _LEFT: _TAKE},
    _DEAD: {_ALIVE: _KEEP, _SUSPECT: _KEEP, _DEAD: _KEEP, _LEFT: _TAKE},
    _LEFT: {_ALIVE: _KEEP, _SUSPECT: _KEEP, _DEAD: _KEEP, _LEFT: _KEEP},
}


def subject(update: Update) -> PeerId:
    """Name the peer that the news is about."""
    return PeerId(update.member.id)


def clashes(held: Update, heard: Update) -> bool:
    """Tell whether two processes use one identity: same start number at two addresses, as from a copied disk."""
    return start_of(held.incarnation) == start_of(heard.incarnation) and held.member.url != heard.member.url


def judge(held: Update | None, heard: Update) -> Verdict:
    """Decide whether news overrides the held belief; of two processes with one identity the first is kept."""
    if held is None:
        return Verdict.TAKE
    if clashes(held, heard) or heard.incarnation < held.incarnation:
        return Verdict.KEEP
    if heard.incarnation > held.incarnation:
        return Verdict.TAKE
    return AT_ONE_INCARNATION[held.liveness][heard.liveness]


class Beliefs:
    """The member table: one update per peer, this one included, the longest unchanged first."""

    def __init__(self, own: Update, members_max: int) -> None:
        self._me = subject(own)
        self._updates = {self._me: own}
        self._members_max = members_max
        self.changes = 0
        """How often the table has changed."""

    @property
    def all(self) -> Mapping[PeerId, Update]:
        """Everybody ever heard of, within the limit, in whatever state."""
        return MappingProxyType(self._updates)

    @property
    def own(self) -> Update:
        """What this peer says of itself."""
        return self._updates[self._me]

    def get(self, peer: PeerId) -> Update | None:
        """Look up one belief."""
        return self._updates.get(peer)

    def liveness(self, peer: PeerId) -> Liveness | None:
        """Tell in what state a peer is believed to be; None is for one never heard of."""
        held = self._updates.get(peer)
        return None if held is None else held.liveness

    def others(self, *states: Liveness) -> list[PeerId]:
        """List the other members in any of these states."""
        return [peer for peer, held in self._updates.items() if held.liveness in states and peer != self._me]

    def present(self) -> int:
        """Count the members, this one included, that are neither dead nor gone."""
        return 1 + len(self.others(Liveness.ALIVE, Liveness.SUSPECT))

    def take(self, update: Update) -> bool:
        """Replace a belief; False if the table is full and nobody in it is dead or gone."""
        peer = subject(update)
        if peer not in self._updates and len(self._updates) >= self._members_max and not self._make_room():
            return False
        self._updates.pop(peer, None)
        self._updates[peer] = update
        self.changes += 1
        return True

    def _make_room(self) -> bool:
        gone = self.others(Liveness.LEFT) or self.others(Liveness.DEAD)
        if gone:
            del self._updates[gone[0]]
        return bool(gone)
