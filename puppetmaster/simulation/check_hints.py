"""Watch, where nobody comes or goes for good and every disk works, that hints stand in for absent primaries (S10).

Some time after a write was minted, each primary of its key knows of it, or somebody keeps a hint of it for
that primary. And a hint that is gone has reached the one whom it was for, if that is still a home of the key: who was
to become one while the peers joined, and has not, needs it no more. A write need not have been acknowledged for
that; only who minted it must have been awake for long enough to notice who is absent.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from ...ring.copies.trees import RECORD_PREFIXES
from ...ring.facts import Dot, Versions
from ...ring.terms import RECORD_QUORUM, Quorum
from .cluster import Cluster
from .disk import Disk
from .process import Process
from .witness import Mint

AWAKE_LOOKS = 32
"""Looks at which who minted a write was awake, four a second: a write stays open for five seconds at most."""
BUSY = 3
"""Store operations that wait: a disk that is behind may not have written its hints yet."""
KEYS = (b"key/", b"ending/", b"register/")
"""Keys of three homes each."""

Hint = tuple[str, str, bytes]
"""Who keeps it, for whom, of which key."""


class Hinted:
    """Looks at the hints of all peers between two events."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._quorum = Quorum()
        self._judged = 0
        self._awake: Counter[int] = Counter()
        """Looks at which who minted a write was awake, by the number of the mint."""
        self._hints: dict[Hint, Versions] = {}

    def look(self) -> None:
        """Check the writes that are old enough, and the hints that are gone since the last look."""
        self._check_mints()
        hints = dict(self._all_hints())
        for (keeper, target, key), versions in self._hints.items():
            is_lost = (keeper, target, key) not in hints and not self._knows(target, key, versions)
            if is_lost and self._is_home(keeper, target, key):
                self._cluster.witness.accuse(f"S10: {keeper} dropped a hint of {key!r} that {target} does not know")
        self._hints = hints

    def _check_mints(self) -> None:
        mints = self._cluster.witness.mints
        for number in range(self._judged, len(mints)):
            mint = mints[number]
            process = self._minted_by(mint)
            if process is None or not mint.key.startswith(KEYS):
                self._awake[number] = AWAKE_LOOKS + 1
            elif len(process.queue) < BUSY and not process.disk.delay_s and not process.frozen:
                self._awake[number] += 1
            if process is not None and self._awake[number] == AWAKE_LOOKS:
                self._check(process, mint)
        while self._judged < len(mints) and self._awake[self._judged] > AWAKE_LOOKS:
            self._judged += 1

    def _minted_by(self, mint: Mint) -> Process | None:
        """Find the process that made a write, if it runs on and its clock was left alone."""
        peer, start, _ = mint.dot.actor.split(".")
        running = self._cluster.running.values()
        found = next((each for each in running if each.id == peer and each.start == int(start)), None)
        return None if found is None or found.clock_was_set else found

    def _check(self, process: Process, mint: Mint) -> None:
        names = {self._cluster.member(name).id: name for name in self._cluster.disks}
        primaries = process.node.ring.preference(mint.key)[: self._quorum.replicas]
        for primary in (names[peer] for peer in primaries if peer in names):
            if not self._knows_dot(primary, mint.key, mint.dot) and not self._is_hinted(primary, mint):
                who = f"{primary} lacks {mint.value!r} at {mint.key!r}"
                self._cluster.witness.accuse(f"S10: {who}, and nobody keeps a hint of it")

    def _is_hinted(self, primary: str, mint: Mint) -> bool:
        hints = (versions for (_, target, key), versions in self._all_hints() if (target, key) == (primary, mint.key))
        return any(_saw(versions, mint.dot) for versions in hints)

    def _is_home(self, keeper: str, name: str, key: bytes) -> bool:
        """Tell whether a peer is a home of a key in the eyes of who kept a hint for it."""
        process = self._cluster.running.get(keeper)
        count = RECORD_QUORUM.replicas if key.startswith(RECORD_PREFIXES) else self._quorum.replicas
        peer = self._cluster.member(name).id
        return process is not None and peer in process.node.ring.preference(key)[:count]

    def _knows(self, name: str, key: bytes, versions: Versions) -> bool:
        return all(self._knows_dot(name, key, Dot(*each)) for each in versions.seen.items())

    def _knows_dot(self, name: str, key: bytes, dot: Dot) -> bool:
        held = _copy(self._cluster.disks[name], key)
        reaped = self._cluster.witness.reaped.get(key)
        return (held is not None and _saw(held, dot)) or (reaped is not None and _saw(reaped, dot))

    def _all_hints(self) -> Iterator[tuple[Hint, Versions]]:
        names = {self._cluster.member(name).id: name for name in self._cluster.disks}
        for keeper, disk in self._cluster.disks.items():
            for row, raw in disk.scan(b"h/", b"h/", 1000):
                _, target, kind, key = row.split(b"/", 3)
                if kind == b"v" and raw is not None and target.decode() in names:
                    yield (keeper, names[target.decode()], key), msgspec.msgpack.decode(raw, type=Versions)


def _copy(disk: Disk, key: bytes) -> Versions | None:
    raw = disk.rows.get(b"v/" + key)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Versions)


def _saw(versions: Versions, dot: Dot) -> bool:
    return versions.seen.get(dot.actor, 0) >= dot.counter
