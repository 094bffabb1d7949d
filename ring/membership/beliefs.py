"""Keep what is believed of each member, and decide which news overrides it.

The rule is SWIM's (section 4.2): a higher incarnation, which only its subject may raise, overrides a lower; at one
incarnation the worse news wins. Beliefs only ever move one way along that order, so members that have heard the same
news believe the same, in whatever order they heard it. A member's standing is merged apart from that, by its epoch.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from msgspec.structs import replace

from ..facts import Liveness, Standing, Update
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


def seniority(update: Update) -> tuple[bool, int, int]:
    """Order what is said of one member's standing: a removal is for ever, else the higher epoch overrides the lower."""
    return update.standing is Standing.REMOVED, update.epoch, update.standing


def with_senior_standing(update: Update, other: Update | None) -> Update:
    """Give an update the standing of `other` if that is the senior; who was removed has left, whatever it says."""
    if other is not None and seniority(other) > seniority(update):
        update = replace(update, standing=other.standing, epoch=other.epoch)
    if update.standing is Standing.REMOVED and update.liveness is not Liveness.LEFT:
        return replace(update, liveness=Liveness.LEFT, accuser="")
    return update


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
        self._others: dict[Liveness, dict[PeerId, None]] = {state: {} for state in Liveness}
        """The other members by state, so that no look at one state costs a look at all."""
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
        """List the other members in any of these states, state by state, the longest unchanged of each first."""
        return [peer for state in states for peer in self._others[state]]

    def present(self) -> int:
        """Count the members, this one included, that are neither dead nor gone."""
        return 1 + len(self._others[Liveness.ALIVE]) + len(self._others[Liveness.SUSPECT])

    def take(self, update: Update) -> bool:
        """Replace a belief; False if the table is full and nobody in it is dead or gone."""
        peer = subject(update)
        if peer not in self._updates and len(self._updates) >= self._members_max and not self._make_room():
            return False
        self._forget(peer)
        self._updates[peer] = update
        if peer != self._me:
            self._others[update.liveness][peer] = None
        self.changes += 1
        return True

    def _make_room(self) -> bool:
        removed = [peer for peer in self.others(Liveness.LEFT) if self._updates[peer].standing is Standing.REMOVED]
        gone = removed or self.others(Liveness.LEFT) or self.others(Liveness.DEAD)
        if gone:
            self._forget(gone[0])
        return bool(gone)

    def _forget(self, peer: PeerId) -> None:
        held = self._updates.pop(peer, None)
        if held is not None:
            self._others[held.liveness].pop(peer, None)
