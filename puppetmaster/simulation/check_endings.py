"""Decide whether all values that have ended are gone when the cluster has come to rest (S8), and conditions held (S9).

Clocks differ, so when a value ends for a reader is promised only as exactly as the clocks of its owners are; that no
owner gives out what has ended by its own clock is judged by `check_operations` at each step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...ring.copies.versions import EMPTY, endings
from .check_store import primaries_of, versions_at
from .cluster import Cluster
from .times import unix_ms

SET_DOWN_WITHIN_S = 6.0
"""An owner looks for what has ended every five seconds."""


@dataclass(frozen=True, slots=True)
class Put:
    """A write whose success was reported: by its value, when it was asked for and when it was reported."""

    key: bytes
    value: bytes | None
    asked_at: float
    known_at: float
    is_conditional: bool
    is_at_primaries: bool
    """Whether W primaries had it when it was reported, and were to stay primaries: a newcomer may only have a hint."""


def unseen(cluster: Cluster, puts: Iterable[Put]) -> Iterator[str]:
    """Check S9 where homes and disks stay: who minted a conditional put knew of what R primaries had to know."""
    known = tuple(puts)
    for put in known:
        earlier = (old for old in known if old.key == put.key and old.is_at_primaries and old.known_at <= put.asked_at)
        for old in earlier if put.is_conditional else ():
            if not _all_saw(cluster, put, old):
                yield f"S9: {put.value!r} was written to {put.key!r} on a condition, by who did not know {old.value!r}"


def _all_saw(cluster: Cluster, put: Put, old: Put) -> bool:
    """Tell whether every mint of a put knew of a dot of an older one, or knew of it once and has forgotten it."""
    mints = [mint for mint in cluster.witness.mints if mint.key == put.key]
    dots = [mint.dot for mint in mints if mint.value == old.value]
    reaped = cluster.witness.reaped.get(put.key, EMPTY).seen
    known = [mint.seen for mint in mints if mint.value == put.value]
    return all(
        any(max(seen.get(dot.actor, 0), reaped.get(dot.actor, 0)) >= dot.counter for dot in dots) for seen in known
    )


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
