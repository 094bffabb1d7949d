"""Keep what the parts of the ring machine ask of the membership: who is alive, and where a key lives."""

from collections.abc import Mapping

from ..messages import Liveness, Update
from ..terms import Member, PeerId
from .rendezvous import Home, Placement, place


class Roster:
    """Turns the member table into homes; ownership follows membership, and liveness only says whom to ask.

    A dead member keeps its place: to give its keys away at once would move data for every restart.
    """

    def __init__(self, me: Member, *, vnodes: int, replicas: int) -> None:
        self.me = PeerId(me.id)
        self._vnodes = vnodes
        self._replicas = replicas
        self._alive = {self.me}
        self._left: set[PeerId] = set()
        self._homes = frozenset({_home_of(me)})
        self._changes = -1
        """How often the member table that was last taken over had changed."""
        self._placement: Placement | None = None

    @property
    def placement(self) -> Placement:
        """Where every vnode lives; computed when first asked for, as a burst of joins changes it many times."""
        if self._placement is None:
            self._placement = place(self._homes, self._vnodes, self._replicas)
        return self._placement

    @property
    def homes(self) -> frozenset[Home]:
        """All members that own keys, this peer included."""
        return self._homes

    @property
    def alive_peers(self) -> tuple[PeerId, ...]:
        """All members believed alive, this peer included, in order."""
        return tuple(sorted(self._alive))

    @property
    def left_peers(self) -> tuple[PeerId, ...]:
        """All members that have left, in order."""
        return tuple(sorted(self._left))

    def alive(self, peer: PeerId) -> bool:
        """Tell whether a peer is believed alive; a suspect is not, for a fallback costs less than waiting."""
        return peer in self._alive

    def owns_keys(self, peer: PeerId) -> bool:
        """Tell whether a peer is a member that has not left."""
        return any(home.id == peer for home in self._homes)

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """List all homes of `key`, best first; the first N are its primaries."""
        return self.placement.preference(key)

    def refresh(self, members: Mapping[PeerId, Update], changes: int) -> bool:
        """Take over the member table, unless it has not changed since; True if ownership has changed.

        One message may bring news of many members, and each of them calls for this.
        """
        if changes == self._changes:
            return False
        self._changes = changes
        self._alive = {peer for peer, held in members.items() if held.liveness is Liveness.ALIVE} | {self.me}
        self._left = {peer for peer, held in members.items() if held.liveness is Liveness.LEFT} - {self.me}
        others = (held for peer, held in members.items() if peer != self.me and held.liveness is not Liveness.LEFT)
        own = {home for home in self._homes if home.id == self.me}
        homes = frozenset(own | {_home_of(held.member) for held in others})
        if homes == self._homes:
            return False
        self._homes, self._placement = homes, None
        return True


def _home_of(member: Member) -> Home:
    return Home(id=PeerId(member.id), weight=member.weight, zone=member.zone)
