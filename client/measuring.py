"""Ask every live peer for its own counters."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from ..node.wire.requests import MetricsShown, PeerView, ShowMetrics
from ..ring.errors import MurmurationError
from ..ring.facts import Liveness
from ..ring.terms import Member
from .connection import Connection

PATIENCE_S = 2.0
"""A peer that does not tell within this time is left out."""

Metrics = dict[str, float]


def metrics_of_all(views: Iterable[PeerView]) -> dict[str, Metrics]:
    """Give the counters of all live peers that tell, by the peer's id: names may be used twice."""
    members = [view.member for view in views if view.liveness is Liveness.ALIVE]
    if not members:
        return {}
    with ThreadPoolExecutor(len(members)) as threads:
        found = threads.map(_metrics_of, members)
        return {member.id: values for member, values in zip(members, found, strict=True) if values is not None}


def _metrics_of(member: Member) -> Metrics | None:
    try:
        with Connection((member.url,), patience_s=PATIENCE_S) as connection:
            return connection.ask(ShowMetrics(), MetricsShown).values
    except MurmurationError:
        return None


def with_load_and_disk(view: PeerView, metrics: dict[str, Metrics]) -> PeerView:
    """Add what a peer said of itself: the share of its slots in use, the bytes on its disk, and how it syncs."""
    values = metrics.get(view.member.id, {})
    load, disk = values.get("slots.load", view.load), values.get("disk.bytes", view.disk_bytes)
    is_relaxed = values.get("store.relaxed")
    sync = view.sync if is_relaxed is None else "relaxed" if is_relaxed else "full"
    return replace(view, load=load, disk_bytes=int(disk), sync=sync)
