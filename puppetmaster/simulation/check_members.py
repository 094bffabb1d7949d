"""Decide whether membership kept its promises; the letters are those of the invariants in the documentation.

M1  a crashed peer is dead, M2 and a live one alive, in all live views within a bound after the last fault
M3  no live peer is believed dead while no fault has touched anybody but the dead
M4  a member that is dead or gone comes back only with a higher incarnation, and no incarnation falls
M5  equal views give equal preference lists

They wait: M4 for peers that were removed, and M6 (lookups never return them), come with the changes of membership.
"""

import math

from ...ring.messages import Liveness
from ...ring.terms import REFUTATION_BITS, PeerId
from .cluster import Cluster

SUSPICION_S = 24.0
"""The longest that an unconfirmed suspicion lasts among ten peers or fewer, in seconds."""
KEYS = (b"key/0", b"key/1", b"job/0", b"x")


def convergence_s(peers: int) -> float:
    """Bound M1 and M2: a suspicion, then four periods of one second for each hop of the news; 2.5 s is usual."""
    return SUSPICION_S + 4.0 * math.ceil(math.log2(peers + 1))


class Views:
    """Looks at every peer's view of every member, and compares it with the one before."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: dict[tuple[PeerId, int, PeerId], tuple[int, Liveness]] = {}
        self._touched = False

    def look(self) -> None:
        """Check M3 and M4 between two events."""
        cluster = self._cluster
        self._touched = self._touched or not cluster.network.calm or len(cluster.live()) < len(cluster.running)
        running = {process.id: name for name, process in cluster.running.items()}
        for process in cluster.running.values():
            if process.node.ring.incarnation & ((1 << REFUTATION_BITS) - 1):
                cluster.witness.note("refutation")
            for peer, update in process.node.ring.members.items():
                at = (process.id, process.start, peer)
                self._compare(at, (update.incarnation, update.liveness))
                if update.liveness is Liveness.DEAD and peer in running:
                    self._dead(process.name, running[peer], update.incarnation)

    def _compare(self, at: tuple[PeerId, int, PeerId], new: tuple[int, Liveness]) -> None:
        old = self._seen.get(at, new)
        self._seen[at] = new
        if new[0] < old[0] or (old[1] >= Liveness.DEAD and new[1] < Liveness.DEAD and new[0] == old[0]):
            self._cluster.witness.accuse(f"M4: {at[0][:8]} believes {at[2][:8]} {new} after {old}")

    def _dead(self, believer: str, name: str, incarnation: int) -> None:
        if self._cluster.running[name].start != incarnation >> REFUTATION_BITS:
            return
        self._cluster.witness.note("false death")
        if not self._touched:
            self._cluster.witness.accuse(f"M3: {believer} believes {name} dead, and nothing has touched either")


def member_violations(cluster: Cluster) -> list[str]:
    """Check M5 on views that have converged."""
    lists = {
        tuple(tuple(process.node.ring.preference(key)) for key in KEYS)
        for process in cluster.running.values()
        if not process.frozen
    }
    return ["M5: equal views give different preference lists"] if len(lists) > 1 else []
