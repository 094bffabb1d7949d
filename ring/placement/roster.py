"""Keep what the parts of the ring machine ask of the membership: who is alive, and where a key lives.

Ownership follows standing. The *current* homes of a key serve its reads, and they alone count for its writes; its
*target* homes are those that it has when all who join or leave have done so. Those who move are done in any order: the
*course* is every placement that may come on the way. Who is a primary of a key by any of them, and is none now, is
*pending*: it is sent every write, beside what the current homes pass on (`repair/transfer`).
"""

from collections.abc import Iterable, Mapping
from itertools import chain

from ..facts import Liveness, Standing, Update
from ..terms import Member, PeerId
from .course import Course, Moves, course_of
from .rendezvous import Home, Placement, place

_CURRENT = frozenset({Standing.VALID, Standing.LEAVING})
_TARGET = frozenset({Standing.VALID, Standing.JOINING})
_MOVING = frozenset({Standing.JOINING, Standing.LEAVING})


def current_homes(updates: Iterable[Update]) -> frozenset[Home]:
    """Choose the members that own keys; where there is none yet, all who join a new cluster together."""
    known = tuple(updates)
    return _homes_among(known, _CURRENT) or _homes_among(known, frozenset({Standing.JOINING}))


def target_homes(updates: Iterable[Update]) -> frozenset[Home]:
    """Choose the members that own keys once all moves are done; where all leave, there is nobody to move to."""
    known = tuple(updates)
    return _homes_among(known, _TARGET) or current_homes(known)


class Roster:
    """Turns the member table into homes; liveness only says whom to ask.

    A dead member keeps its place: to give its keys away at once would move data for every restart.
    """

    def __init__(self, me: Member, *, vnodes: int, replicas: int) -> None:
        self.me = PeerId(me.id)
        self._vnodes = vnodes
        self._replicas = replicas
        self._alive = {self.me}
        self._removed: set[PeerId] = set()
        self._homes = self._targets = frozenset({_home_of(me)})
        self._moves: dict[PeerId, tuple[Standing, int]] = {}
        self._changes = -1
        """How often the member table that was last taken over had changed."""
        self._placement: Placement | None = None
        self._coming: tuple[Placement, ...] | None = None

    @property
    def placement(self) -> Placement:
        """Where every vnode lives; computed when first asked for, as a burst of joins changes it many times."""
        if self._placement is None:
            self._placement = self.place(self._homes)
        return self._placement

    @property
    def target_homes(self) -> frozenset[Home]:
        """All members that will own keys once all who join or leave have done so."""
        return self._targets

    @property
    def target(self) -> Placement:
        """Where every vnode will live once all who join or leave have done so."""
        return self.placement if self._targets == self._homes else self.place(self._targets)

    @property
    def course(self) -> Course:
        """The homes of now, those that may come on the way, and the target."""
        return course_of(self._homes, self._targets, self._moves)

    @property
    def homes(self) -> frozenset[Home]:
        """All members that own keys now."""
        return self._homes

    @property
    def moves(self) -> Moves:
        """Who joins or leaves, at which epoch."""
        return self._moves

    @property
    def alive_peers(self) -> tuple[PeerId, ...]:
        """All members believed alive, this peer included, in order."""
        return tuple(sorted(self._alive))

    @property
    def removed_peers(self) -> tuple[PeerId, ...]:
        """All who are no members any more, in order."""
        return tuple(sorted(self._removed))

    def place(self, homes: frozenset[Home]) -> Placement:
        """Place the vnodes of this ring on some homes."""
        return place(homes, self._vnodes, self._replicas)

    def alive(self, peer: PeerId) -> bool:
        """Tell whether a peer is believed alive; a suspect is not, for a fallback costs less than waiting."""
        return peer in self._alive

    def owns_keys(self, peer: PeerId) -> bool:
        """Tell whether a peer is, or is becoming, a home of keys."""
        return any(home.id == peer for home in self._homes | self._targets)

    def is_current(self, peer: PeerId) -> bool:
        """Tell whether a peer is a home of keys now."""
        return any(home.id == peer for home in self._homes)

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """List all homes of `key`, best first; the first N are its primaries."""
        return self.placement.preference(key)

    def pending(self, key: bytes, count: int) -> tuple[PeerId, ...]:
        """List who will be one of the first `count` homes of a key and is none yet."""
        if not self._moves:
            return ()
        current = self.preference(key)[:count]
        if self._coming is None:
            self._coming = tuple(map(self.place, self.course[1:]))
        coming = chain.from_iterable(placement.preference(key)[:count] for placement in self._coming)
        return tuple(peer for peer in dict.fromkeys(coming) if peer not in current)

    def refresh(self, members: Mapping[PeerId, Update], changes: int) -> bool:
        """Take over the member table, unless it has not changed since; True if ownership has changed, or will.

        One message may bring news of many members, and each of them calls for this.
        """
        if changes == self._changes:
            return False
        self._changes = changes
        known = members.values()
        self._alive = {peer for peer, held in members.items() if held.liveness is Liveness.ALIVE} | {self.me}
        self._removed = {peer for peer, held in members.items() if held.standing is Standing.REMOVED}
        before = self._homes, self._targets, self._moves
        self._homes, self._targets = current_homes(known), target_homes(known)
        self._moves = {peer: (held.standing, held.epoch) for peer, held in members.items() if held.standing in _MOVING}
        if before == (self._homes, self._targets, self._moves):
            return False
        self._placement = self._coming = None
        return True


def _homes_among(updates: Iterable[Update], standings: frozenset[Standing]) -> frozenset[Home]:
    return frozenset(_home_of(update.member) for update in updates if update.standing in standings)


def _home_of(member: Member) -> Home:
    return Home(id=PeerId(member.id), weight=member.weight, zone=member.zone)
