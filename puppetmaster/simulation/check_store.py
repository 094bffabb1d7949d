"""Decide whether the store kept its promises; the letters are those of the invariants in the documentation.

Each check looks at the disks after quiescence: faults are over, all peers are back, hints are home, and what hints have
missed anti-entropy has brought: no key is read for it.

S1  an acknowledged write is known to every primary of its key
S2  all primaries of a key hold the same, and no hint is left
S3  every value was put; a dot has one value (the witness sees to that while the schedule runs)
S4  nothing that an acknowledged delete covers is there
S5  what nothing covers is there, and what an acknowledged write covers is not
S6  a damaged row is never served and never taken for absent (the witness); S1 and S2 hold with one spoiled disk as with
    one lost one, for the keys of the workload are repaired
S9  where a schedule goes on for it, all deletes are forgotten in the end, and S4 and S5 hold all the same

They wait: S2 for keys outside their primaries, and S6 for registers and for keys all of whose copies are bad. That
damage is mended without a read stands in the tests of the scrub, for a pass of it is not waited for here. S7 stands in
`check_registers`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from ...ring.copies.versions import EMPTY, join
from ...ring.facts import Context, Dot, Versions
from ...ring.terms import PeerId
from .cluster import Cluster
from .disk import Disk
from .store_workload import StoreWorkload, Written
from .witness import Mint


@dataclass(frozen=True, slots=True)
class Copies:
    """What the primaries of one key hold, by peer name; `mints` are all writes of that key that others may have."""

    key: bytes
    held: dict[str, Versions | None]
    reaped: Versions
    """What was known of deletes that were forgotten."""

    mints: list[Mint]
    writes: list[Written]


def store_violations(cluster: Cluster, workload: StoreWorkload) -> list[str]:
    """Check S1 to S5."""
    violations = list(_hints(cluster))
    for key in workload.keys:
        copies = copies_of(cluster, workload, key)
        checks = (_durability, _convergence, _invention, _resurrection, _siblings)
        violations += [violation for check in checks for violation in check(copies)]
    violations += _reads(workload)
    return violations


def copies_of(cluster: Cluster, workload: StoreWorkload, key: bytes) -> Copies:
    """Gather what is known of a key."""
    held = {name: versions_at(cluster, name, key) for name in primaries_of(cluster, key)}
    mints = [mint for mint in cluster.witness.mints if mint.key == key]
    reaped = cluster.witness.reaped.get(key, EMPTY)
    return Copies(key, held, reaped, mints, [written for written in workload.written.values() if written.key == key])


def primaries_of(cluster: Cluster, key: bytes) -> list[str]:
    """Name the primaries of a key that have a disk: one whose disk was emptied is another peer now."""
    ring = cluster.running[cluster.live()[0]].node.ring
    names = {PeerId(cluster.member(name).id): name for name in cluster.disks}
    return [names[peer] for peer in ring.preference(key)[:3] if peer in names]


def settled(cluster: Cluster, workload: StoreWorkload) -> bool:
    """Tell whether all hints are delivered and all primaries agree."""
    held = ([versions_at(cluster, name, key) for name in primaries_of(cluster, key)] for key in workload.keys)
    return not any(True for _ in _hints(cluster)) and all(copy == copies[0] for copies in held for copy in copies)


def versions_at(cluster: Cluster, name: str, key: bytes) -> Versions | None:
    """Read a copy from a disk; a damaged one counts as none, so it must have been repaired."""
    disk, row = cluster.disks[name], b"v/" + key
    raw = None if row in disk.damaged else disk.rows.get(row)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Versions)


def _owned(cluster: Cluster) -> list[tuple[str, Disk]]:
    """List the disks of members: what one that is none any more keeps is for nobody."""
    return [(name, disk) for name, disk in cluster.disks.items() if not disk.is_given_up]


def _hints(cluster: Cluster) -> Iterator[str]:
    there = {cluster.member(name).id for name in cluster.disks}
    for name, disk in _owned(cluster):
        for row, value in disk.scan(b"h/", b"h/", 1000):
            _, target, kind, subject = row.split(b"/", 3)
            is_lost = value is None or (kind == b"c" and subject in disk.damaged)
            if not is_lost and target.decode() in there:
                yield f"S2: {name} still keeps the hint {row[:60]!r}"


def unreaped(cluster: Cluster) -> Iterator[str]:
    """Check S9: some time after the last fault no peer remembers a delete."""
    for name, disk in _owned(cluster):
        for row, _ in disk.scan(b"d/", b"d/", 100):
            yield f"S9: {name} still keeps the tombstone {row[6:]!r}"


def _dots_of(copies: Copies, written: Written) -> list[Dot]:
    """List the dots that a write got: one, or more if it was tried again elsewhere."""
    same = (mint for mint in copies.mints if mint.value == written.value and mint.context == written.context)
    return [mint.dot for mint in same]


def _saw(context: Context, dot: Dot) -> bool:
    return context.get(dot.actor, 0) >= dot.counter


def _durability(copies: Copies) -> Iterator[str]:
    for written in copies.writes:
        if written.is_acknowledged:
            dots = _dots_of(copies, written)
            for name, versions in copies.held.items():
                seen = join(copies.reaped, versions or EMPTY).seen
                if not any(_saw(seen, dot) for dot in dots):
                    yield f"S1: {written.value!r} at {copies.key!r} was acknowledged and is unknown to {name}"


def _convergence(copies: Copies) -> Iterator[str]:
    first, *others = copies.held.items()
    for name, versions in others:
        if versions != first[1]:
            yield f"S2: {first[0]} and {name} hold different copies of {copies.key!r}"


def _invention(copies: Copies) -> Iterator[str]:
    put = {written.value for written in copies.writes}
    for name, versions in copies.held.items():
        for sibling in versions.siblings if versions is not None else ():
            if sibling.value not in put:
                yield f"S3: {name} holds {sibling.value!r} at {copies.key!r}, which nobody put"


def _resurrection(copies: Copies) -> Iterator[str]:
    deletes = [written for written in copies.writes if written.is_acknowledged and written.value is None]
    for name, versions in copies.held.items():
        for sibling in versions.siblings if versions is not None else ():
            if sibling.value is not None and any(_saw(delete.context, sibling.dot) for delete in deletes):
                yield f"S4: {sibling.value!r} at {copies.key!r} was deleted and is back at {name}"


def _siblings(copies: Copies) -> Iterator[str]:
    covered_by = [written.context for written in copies.writes if written.is_acknowledged]
    for name, versions in copies.held.items():
        there = {sibling.dot for sibling in versions.siblings} if versions is not None else set()
        for written in copies.writes:
            if written.is_acknowledged and not _is_kept(copies, written, there):
                yield f"S5: {written.value!r} at {copies.key!r} is gone from {name}, and nothing covers it"
        for dot in there:
            if any(_saw(context, dot) for context in covered_by):
                yield f"S5: {name} still holds {dot.actor[:8]}:{dot.counter} of {copies.key!r}, which was overwritten"


def _is_kept(copies: Copies, written: Written, there: set[Dot]) -> bool:
    """Tell whether a write is there under one of its dots, or was overwritten by a write that had read it."""
    dots = _dots_of(copies, written)
    gone = (copies.reaped.seen, *(mint.context for mint in copies.mints))
    return any(dot in there or any(_saw(context, dot) for context in gone) for dot in dots)


def _reads(workload: StoreWorkload) -> Iterator[str]:
    put = {(written.key, written.value) for written in workload.written.values()}
    for key, got in workload.read:
        for value in got.values:
            if (key, value) not in put:
                yield f"S3: {value!r} was read at {key!r} but never put"
