"""Decide whether files kept their promises while peers collect what nobody names.

G1  every chunk of a file that was acknowledged, and that nobody has begun to remove since, can be read at the end
G2  as long as such a file is not removed, no peer gives up a copy that it has acknowledged to the file's client
G3  once all members can be asked, a chunk that no manifest names is gone after its grace
"""

from collections.abc import Iterator

import msgspec

from ...ring.copies.versions import live_values
from ...ring.facts import Liveness, Standing, Versions
from ...scheduling.jobs import Manifest, manifest_key
from .cluster import Cluster
from .file_workload import FileWorkload, Upload

_VERSIONS = msgspec.msgpack.Decoder(Versions)
_MANIFEST = msgspec.msgpack.Decoder(Manifest)
_ROWS = b"v/" + manifest_key("file-")


def lost_chunks(cluster: Cluster, workload: FileWorkload) -> Iterator[str]:
    """Look for chunks that can be read nowhere (G1)."""
    for upload in workload.stored:
        for digest in upload.digests:
            if all(process.disk.chunk(digest) is None for process in cluster.running.values()):
                yield f"G1: chunk {digest.hex()[:8]} of {upload.path} is lost, stored at {upload.stored_at:.2f} s"


class GivenUp:
    """Watches for copies that vanish from disks on which nothing else does (G2)."""

    def __init__(self, cluster: Cluster, workload: FileWorkload) -> None:
        self._cluster = cluster
        self._workload = workload
        self._kept: dict[str, set[bytes]] = {}
        self._accused: set[tuple[str, bytes]] = set()

    def look(self) -> None:
        """Compare what each disk has now with what it had before, and with what its peer has acknowledged."""
        ours = self._workload.sizes.keys()
        for name, disk in self._cluster.disks.items():
            kept = ours & disk.chunks.keys()
            gone, self._kept[name] = self._kept.get(name, set()) - kept, kept
            if gone:
                self._cluster.witness.note("chunk collected")
        for upload in self._workload.stored:
            self._look_for(upload)

    def _look_for(self, upload: Upload) -> None:
        for digest, holders in upload.holders.items():
            for name in holders:
                if digest not in self._kept[name] and (name, digest) not in self._accused:
                    self._accused.add((name, digest))
                    what = f"chunk {digest.hex()[:8]} of {upload.path}, stored at {upload.stored_at:.2f} s"
                    self._cluster.witness.accuse(f"G2: {name} gave up {what}, by {self._cluster.timeline.now:.2f} s")


def can_collect(cluster: Cluster) -> bool:
    """Tell whether every peer could ask every member: nobody is dead for good, joins or leaves."""
    tables = [process.node.ring.members.values() for process in cluster.running.values()]
    members = [held for table in tables for held in table if held.standing is not Standing.REMOVED]
    return all(held.liveness is Liveness.ALIVE and held.standing is Standing.VALID for held in members)


def idle_chunks(cluster: Cluster, workload: FileWorkload) -> Iterator[str]:
    """Look for chunks that are kept, and that no copy of a manifest names (G3)."""
    named = {digest for process in cluster.running.values() for digest in _names(process.disk.rows)}
    for name, process in cluster.running.items():
        rows = process.disk.rows
        for digest in workload.sizes:
            if b"c/" + digest in rows and digest not in named:
                yield f"G3: {name} keeps chunk {digest.hex()[:8]}, which nobody names"


def _names(rows: dict[bytes, bytes]) -> Iterator[bytes]:
    for row, raw in rows.items():
        if row.startswith(_ROWS):
            for value in live_values(_VERSIONS.decode(raw)):
                yield from (chunk.digest for file in _MANIFEST.decode(value).files for chunk in file.chunks)
