"""Decide which peers keep which vnode: a pure function of the member set, so that no ring state is ever gossiped.

Theory of operation. The key space is Q equal arcs, the vnodes (DeCandia 2007, section 6.2, strategy 3). Each pair of
vnode and peer has a score, -ln(u) / weight with u drawn by a stable hash: weighted rendezvous hashing. All pairs are
taken from the best score to the worst, and a vnode takes the peer if it still lacks a copy, the peer is below its cap
and the zones allow it. Taking the pairs of all vnodes in one order moves less on a join than going vnode by vnode
(30 peers, Q = 1,024: 3.5 % of the copies against 3.7 %; the least possible is 3.2 %).

Zones come before the cap: every vnode has min(N, zones) distinct ones, and a peer that stands almost alone in its zone
carries what that costs. A peer without a zone is a zone of its own.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from xxhash import xxh3_64_intdigest

from ..errors import CallerError
from ..terms import PeerId, Vnode

VNODES_MAX = 1 << 16

CAP = 1.05
"""Most copies of a peer, as a multiple of its fair share: 1.00 would move a sixth more on a join."""

PLACEMENTS_KEPT = 128
"""Memoised placements: machines in one process share them, and member sets change one at a time."""


@dataclass(frozen=True, slots=True)
class Home:
    """A member that keeps data; `weight` is its relative capacity."""

    id: PeerId
    weight: float = 1.0
    zone: str = ""


def vnode_of(key: bytes, vnodes: int) -> Vnode:
    """Tell the arc of a key: the top bits of its hash, so that halving every arc keeps each half in place."""
    top = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
    return top * vnodes >> 64


@lru_cache(maxsize=PLACEMENTS_KEPT)
def place(homes: frozenset[Home], vnodes: int, replicas: int) -> "Placement":
    """Place `replicas` copies of each of `vnodes` arcs (a power of two) on `homes`.

    Raises:
        CallerError: The number of vnodes, the replicas or a weight is impossible, or one peer has two homes.
    """
    if vnodes & (vnodes - 1) or not 1 <= vnodes <= VNODES_MAX:
        raise CallerError(f"{vnodes} vnodes: give a power of two up to {VNODES_MAX}")
    if replicas < 1:
        raise CallerError(f"{replicas} replicas: give at least 1")
    for home in homes:
        if not 0.0 < home.weight < math.inf:
            raise CallerError(f"weight {home.weight} of peer {home.id}: give a positive number")
    if len({home.id for home in homes}) < len(homes):
        raise CallerError("one peer has two homes: give each peer one weight and one zone")
    ordered = sorted(homes, key=lambda home: home.id)
    return Placement(homes, vnodes, replicas, _Allotment(ordered, vnodes, min(replicas, len(ordered))).primaries())


class Placement:
    """Who keeps what, for one set of members; made by `place`, shared, and never changed."""

    __slots__ = ("_ids", "_preferences", "_primaries", "_weights", "homes", "replicas", "vnodes")

    def __init__(
        self, homes: frozenset[Home], vnodes: int, replicas: int, primaries: tuple[tuple[PeerId, ...], ...]
    ) -> None:
        self.homes = homes
        self.vnodes = vnodes
        self.replicas = replicas
        self._primaries = primaries
        ordered = sorted(homes, key=lambda home: home.id)
        self._ids = [home.id for home in ordered]
        self._weights = [home.weight for home in ordered]
        self._preferences: dict[Vnode, tuple[PeerId, ...]] = {}

    def vnode_of(self, key: bytes) -> Vnode:
        """Tell the arc of a key."""
        return vnode_of(key, self.vnodes)

    def primaries(self, vnode: Vnode, count: int | None = None) -> tuple[PeerId, ...]:
        """Give the first `count` peers for a vnode, best first; without `count`, as many as there are replicas."""
        if count is None or count == self.replicas:
            return self._primaries[vnode]
        return self.order(vnode)[:count]

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """Give all members for a key, best first: the primaries of its vnode, then the fallbacks."""
        return self.order(self.vnode_of(key))

    def order(self, vnode: Vnode) -> tuple[PeerId, ...]:
        """Give all members for a vnode, best first."""
        known = self._preferences.get(vnode)
        if known is None:
            known = self._preferences[vnode] = self._ordered(vnode)
        return known

    def copies(self) -> dict[PeerId, int]:
        """Count the vnodes that each peer keeps as a primary."""
        counts = dict.fromkeys(self._ids, 0)
        for peers in self._primaries:
            for peer in peers:
                counts[peer] += 1
        return counts

    def _ordered(self, vnode: Vnode) -> tuple[PeerId, ...]:
        primaries = self._primaries[vnode]
        scores = _scores(vnode, [peer.encode() for peer in self._ids], self._weights)
        ranked = [peer for _, peer in sorted(zip(scores, self._ids, strict=True))]
        return primaries + tuple(peer for peer in ranked if peer not in primaries)


class _Allotment:
    """The bookkeeping of one placement while it is worked out; peers are numbered in the order of their ids."""

    def __init__(self, homes: list[Home], vnodes: int, copies: int) -> None:
        self._homes = homes
        self._copies = copies
        names = [home.zone or f"\0{home.id}" for home in homes]
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        self._zone = [numbers[name] for name in names]
        self._repeats = copies - min(copies, len(numbers))
        self._caps = [max(1, math.ceil(CAP * vnodes * share - 1e-9)) for share in self._shares()]
        self._loads = [0] * len(homes)
        self._holders: list[list[int]] = [[] for _ in range(vnodes)]
        ids, weights = [home.id.encode() for home in homes], [home.weight for home in homes]
        self._scores = [score for vnode in range(vnodes) for score in _scores(vnode, ids, weights)]

    def primaries(self) -> tuple[tuple[PeerId, ...], ...]:
        """Work it out, and give the primaries of each vnode, best first."""
        if self._homes:
            self._take_greedily()
            self._mend()
        return tuple(tuple(self._homes[peer].id for peer in self._spread(vnode)) for vnode in range(len(self._holders)))

    def _take_greedily(self) -> None:
        lacking = self._copies * len(self._holders)
        members, copies, loads, caps, holders = len(self._homes), self._copies, self._loads, self._caps, self._holders
        for pair in sorted(range(len(self._scores)), key=self._scores.__getitem__):
            vnode, peer = divmod(pair, members)
            held = holders[vnode]
            if len(held) < copies and loads[peer] < caps[peer] and self._zones_allow(held, peer):
                held.append(peer)
                loads[peer] += 1
                lacking -= 1
                if not lacking:
                    return

    def _mend(self) -> None:
        """Complete the vnodes whose last candidates were full: by an exchange, or at worst above a cap."""
        for vnode, held in enumerate(self._holders):
            while len(held) < self._copies:
                wanted = self._candidates(vnode)
                peer = next((peer for peer in wanted if self._has_room(peer) or self._makes_room(peer, held)), None)
                if peer is None:
                    peer = min(wanted, key=lambda peer: self._loads[peer] / self._caps[peer])
                held.append(peer)
                self._loads[peer] += 1

    def _candidates(self, vnode: Vnode) -> list[int]:
        held, first = self._holders[vnode], vnode * len(self._homes)
        free = [peer for peer in range(len(self._homes)) if peer not in held and self._zones_allow(held, peer)]
        return sorted(free, key=lambda peer: self._scores[first + peer])

    def _makes_room(self, peer: int, mended: list[int]) -> bool:
        """Hand one copy of a full peer to a peer that has room, if the zones of that vnode allow it."""
        relief = [other for other in range(len(self._homes)) if self._has_room(other)]
        for held in self._holders:
            if peer in held and held is not mended:
                rest = [holder for holder in held if holder != peer]
                heir = next((other for other in relief if other not in held and self._zones_allow(rest, other)), None)
                if heir is not None:
                    held[held.index(peer)] = heir
                    self._loads[heir] += 1
                    self._loads[peer] -= 1
                    return True
        return False

    def _has_room(self, peer: int) -> bool:
        return self._loads[peer] < self._caps[peer]

    def _zones_allow(self, held: list[int], peer: int) -> bool:
        """Tell if `peer` beside `held` still leaves a place for each zone that the vnode must reach."""
        zone = self._zone
        for holder in held:
            if zone[holder] == zone[peer]:
                return len(held) - len({zone[other] for other in held}) < self._repeats
        return True

    def _spread(self, vnode: Vnode) -> list[int]:
        """Sort the holders of a vnode by score, one of each zone before any zone comes again."""
        first = vnode * len(self._homes)
        fresh: list[int] = []
        again: list[int] = []
        for peer in sorted(self._holders[vnode], key=lambda peer: self._scores[first + peer]):
            seen = any(self._zone[peer] == self._zone[other] for other in fresh)
            (again if seen else fresh).append(peer)
        return fresh + again

    def _shares(self) -> list[float]:
        """Tell how many copies of an average vnode each peer should keep, as far as zones allow by its weight."""
        members: dict[int, list[int]] = {}
        for peer, zone in enumerate(self._zone):
            members.setdefault(zone, []).append(peer)
        groups = [members[zone] for zone in sorted(members)]
        enough = len(groups) >= self._copies
        highs = [1.0 if enough else float(len(group)) for group in groups]
        low = 1.0 if len(groups) <= self._copies else 0.0
        weights = [math.fsum(self._homes[peer].weight for peer in group) for group in groups]
        shares = [0.0] * len(self._homes)
        for group, share in zip(groups, _fill(weights, low, highs, self._copies), strict=True):
            inner = _fill([self._homes[peer].weight for peer in group], 0.0, [1.0] * len(group), share)
            for peer, part in zip(group, inner, strict=True):
                shares[peer] = part
        return shares


def _scores(vnode: Vnode, ids: list[bytes], weights: list[float]) -> Iterator[float]:
    """Score each peer for a vnode: the least is the best, and a peer of twice the weight is best twice as often."""
    salt = vnode.to_bytes(4, "big")
    for peer, weight in zip(ids, weights, strict=True):
        yield -math.log((xxh3_64_intdigest(salt + peer) + 1) * 2.0**-64) / weight


def _fill(weights: list[float], low: float, highs: list[float], total: float) -> list[float]:
    """Share out `total` in proportion to the weights, but no part below `low` nor above its high."""
    least, most = 0.0, total / min(weights, default=1.0)
    for _ in range(100):  # more than the bits of two floats: the level is then exact
        level = (least + most) / 2
        if level in (least, most):
            break
        parts = [min(max(low, level * weight), high) for weight, high in zip(weights, highs, strict=True)]
        if math.fsum(parts) < total:
            least = level
        else:
            most = level
    return [min(max(low, most * weight), high) for weight, high in zip(weights, highs, strict=True)]
