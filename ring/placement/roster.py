"""Keep what the parts of the ring machine ask of the membership: who is alive, and where a key lives.

Ownership follows standing. The *current* homes of a key serve its reads, and they alone count for its writes; its
*target* homes are those that it has when all who join or leave have done so. Those who move are done in any order: the
*course* is every placement that may come on the way. Who is a primary of a key by any of them, and is none now, is
*pending*: it is sent every write, beside what the current homes pass on (`transfer/transfer`).
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from msgspec import msgpack

from ..facts import Liveness, Print, Standing, Update
from ..terms import Member, PeerId, Vnode
from .course import Course, Moves, course_of, keepers
from .rendezvous import Home, Placement, place

_CURRENT = frozenset({Standing.VALID, Standing.LEAVING})
_TARGET = frozenset({Standing.VALID, Standing.JOINING})
_MOVING = frozenset({Standing.JOINING, Standing.LEAVING})

FORMER_MAX = 4
"""So many removals back a conditional put looks at the homes of before."""


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
        self._present = {self.me}
        self._removed: set[PeerId] = set()
        self._homes = self._targets = frozenset({_home_of(me)})
        self._former: tuple[frozenset[Home], ...] = ()
        """The homes before each of the last removals; their survivors may hold what the new homes do not have yet."""
        self._moves: dict[PeerId, tuple[Standing, int]] = {}
        self._changes = -1
        """How often the member table that was last taken over had changed."""
        self._placement: Placement | None = None
        self._coming: tuple[Placement, ...] | None = None
        """The placements of the course, that of now first."""
        self._course: Course | None = None
        self._homes_print: bytes | None = None

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
        if self._course is None:
            self._course = course_of(self._homes, self._targets, self._moves)
        return self._course

    @property
    def homes(self) -> frozenset[Home]:
        """All members that own keys now."""
        return self._homes

    @property
    def homes_print(self) -> Print:
        """Name the homes of now in 8 bytes, so that two peers can tell whether they speak of the same."""
        if self._homes_print is None:
            spelled = sorted((home.id, home.weight, home.zone) for home in self._homes)
            self._homes_print = blake2b(msgpack.encode(spelled), digest_size=8).digest()
        return self._homes_print

    @property
    def moves(self) -> Moves:
        """Who joins or leaves, at which epoch."""
        return self._moves

    @property
    def alive_peers(self) -> tuple[PeerId, ...]:
        """All members believed alive, this peer included, in order."""
        return tuple(sorted(self._alive))

    @property
    def present_peers(self) -> tuple[PeerId, ...]:
        """All members that may answer, this peer included, in order: the living and the suspected."""
        return tuple(sorted(self._present))

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
        vnode = self.placement.vnode_of(key)
        return self.keepers(vnode, count)[len(self.placement.primaries(vnode, count)) :]

    def keepers(self, vnode: Vnode, count: int) -> tuple[PeerId, ...]:
        """List the first `count` homes of a vnode, and then all who are about to be one: nobody else is to keep it."""
        if not self._moves:
            return self.placement.primaries(vnode, count)
        if self._coming is None:
            self._coming = tuple(map(self.place, self.course))
        return keepers(self._coming, vnode, count)

    def former(self, key: bytes, count: int) -> tuple[PeerId, ...]:
        """List the members that were among the first `count` homes of a key before homes were removed."""
        if not self._former:
            return ()
        placements = [self.place(homes) for homes in self._former]
        known = keepers(placements, self.placement.vnode_of(key), count)
        return tuple(peer for peer in known if peer not in self._removed)

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
        suspected = {peer for peer, held in members.items() if held.liveness is Liveness.SUSPECT}
        self._present = (self._alive | suspected) - self._removed | {self.me}
        before = self._homes, self._targets, self._moves
        self._homes, self._targets = current_homes(known), target_homes(known)
        self._moves = {peer: (held.standing, held.epoch) for peer, held in members.items() if held.standing in _MOVING}
        if before == (self._homes, self._targets, self._moves):
            return False
        if any(_is_taken_out(members[home.id], before[2]) for home in before[0] if home.id in self._removed):
            self._former = tuple(dict.fromkeys((before[0], *self._former)))[:FORMER_MAX]
        self._placement = self._coming = self._course = self._homes_print = None
        return True


def _homes_among(updates: Iterable[Update], standings: frozenset[Standing]) -> frozenset[Home]:
    return frozenset(_home_of(update.member) for update in updates if update.standing in standings)


def _is_taken_out(held: Update, moves: Moves) -> bool:
    """Tell whether a removed member was removed by others; who leaves by itself has passed everything on."""
    return moves.get(PeerId(held.member.id)) != (Standing.LEAVING, held.epoch)


def _home_of(member: Member) -> Home:
    return Home(id=PeerId(member.id), weight=member.weight, zone=member.zone)
