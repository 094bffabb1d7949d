"""Decide whether all values that have ended are gone when the cluster has come to rest (S8).

Clocks differ, so when a value ends for a reader is promised only as exactly as the clocks of its owners are; that no
owner gives out what has ended by its own clock is judged by `check_operations` at each step.
"""

from collections.abc import Iterable, Iterator

from ...ring.copies.versions import endings
from .check_store import primaries_of, versions_at
from .cluster import Cluster
from .process import unix_ms

SET_DOWN_WITHIN_S = 6.0
"""An owner looks for what has ended every five seconds."""


def unsettled(cluster: Cluster, keys: Iterable[bytes]) -> Iterator[str]:
    """Check S8 at rest: each primary has set down as a tombstone what has ended by its own clock a while ago."""
    for key in keys:
        for name in primaries_of(cluster, key):
            versions = versions_at(cluster, name, key)
            process = cluster.running.get(name)
            if versions is None or process is None:
                continue
            passed = unix_ms(cluster.timeline.now + process.clock_offset_s - SET_DOWN_WITHIN_S)
            if any(end <= passed for end in endings(versions)):
                yield f"S8: {name} has not set down that a value of {key!r} has ended"
