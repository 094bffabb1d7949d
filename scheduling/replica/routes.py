"""Choose by which way claims reach all peers: straight while they are few, over relays when they are many.

The live peers fall into about √n groups by their lots, and for each job one peer of each group is its relay. Who has
news tells its own group and the relays of the others; a relay gathers what it hears, and passes it on to its group. So
each piece of news still costs n messages or fewer, but nobody sends more than about 2√n of them, and what comes by a
relay comes gathered. All peers see the same relays as far as they see the same members; what is lost on the way, as by
a relay that has just died, the exchange of tables heals.
"""

from dataclasses import dataclass
from math import log2

from ...ring.terms import PeerId
from ..claims.lots import lot, peer_lot
from ..flock import Flock


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Whom a peer tells itself, and who passes its news on to the rest."""

    near: tuple[PeerId, ...]
    relays: tuple[PeerId, ...] = ()


class Routes:
    """The routes of one peer, for each job."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._version = -1

    def of(self, job: str, flock: Flock) -> Route:
        """Give the route of a job's claims."""
        if self._version != flock.version:
            self._version = flock.version
            self._routes.clear()
        if job not in self._routes:
            self._routes[job] = self._find(job, flock)
        return self._routes[job]

    def _find(self, job: str, flock: Flock) -> Route:
        if not flock.is_large:
            return Route(near=flock.others)
        groups: dict[int, list[PeerId]] = {}
        wanted = groups_of(len(flock.live))
        for peer in flock.live:
            groups.setdefault(lot(peer) % wanted, []).append(peer)
        mine = groups.pop(lot(flock.me) % wanted)
        relays = (min(group, key=lambda peer: peer_lot(lot(job), peer)) for group in groups.values())
        return Route(near=tuple(peer for peer in mine if peer != flock.me), relays=tuple(relays))


def groups_of(live: int) -> int:
    """Tell into how many groups so many peers fall: a power of two near the root, so that it changes seldom."""
    return 1 << round(log2(live) / 2)
