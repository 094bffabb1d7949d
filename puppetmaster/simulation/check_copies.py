"""Watch, while members join and leave and nothing else happens, that no acknowledged write ever has too few copies.

At every look each write that was acknowledged a while ago must be known to W live peers, and to whoever takes itself
for a primary of its key. And in the eyes of each who has joined, one of any R of the primaries knows it: so no read
misses it, at whatever peer and moment.
"""

import msgspec

from ...ring.facts import Dot, Standing, Versions
from ...ring.terms import Quorum
from .cluster import Cluster
from .process import Process
from .store_workload import StoreWorkload, Written

AGE_S = 2.0
"""A copy on its way to a home that has just changed is no loss."""


class Reachable:
    """Looks at the disks of the live peers between two events."""

    def __init__(self, cluster: Cluster, workload: StoreWorkload) -> None:
        self._cluster = cluster
        self._workload = workload
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Check every write that is old enough, but for keys that were deleted, for these may be forgotten."""
        now = self._cluster.timeline.now
        deleted = {written.key for written in self._workload.written.values() if written.value is None}
        for request, written in self._workload.written.items():
            is_old = written.is_acknowledged and now - self._since.setdefault(request, now) >= AGE_S
            if is_old and written.key not in deleted:
                self._check(written)

    def _check(self, written: Written) -> None:
        quorum, members = Quorum(), [process for process in self._cluster.running.values() if not process.parted]
        dots = [mint.dot for mint in self._cluster.witness.mints if self._is_of(mint.key, mint.value, written)]
        holders = {process.id for process in members if _knows(process, written.key, dots)}
        accuse, what = self._cluster.witness.accuse, f"{written.value!r} at {written.key!r}"
        if len(holders) < min(quorum.writes_required, len(members)):
            accuse(f"S8: {what} was acknowledged and has {len(holders)} reachable copies")
        for process in members:
            table = process.node.ring.members
            if len(table) == 1 or table[process.id].standing is Standing.JOINING:
                continue  # it does not answer for its cluster yet, or may not know whom to ask
            homes = process.node.ring.preference(written.key)[: quorum.replicas]
            if process.id in homes and process.id not in holders:
                accuse(f"S8: {what} was acknowledged, and {process.name} does not know it although it is its home")
            if sum(home not in holders for home in homes) >= min(quorum.reads_required, len(homes)):
                accuse(f"S8: {what} was acknowledged, and {process.name} may read it from homes that all lack it")

    @staticmethod
    def _is_of(key: bytes, value: bytes | None, written: Written) -> bool:
        return key == written.key and value == written.value


def _knows(process: Process, key: bytes, dots: list[Dot]) -> bool:
    raw = process.disk.rows.get(b"v/" + key)
    if raw is None:
        return False
    seen = msgspec.msgpack.decode(raw, type=Versions).seen
    return any(seen.get(dot.actor, 0) >= dot.counter for dot in dots)
