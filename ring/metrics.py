"""Gather what the parts of the ring count, under one name each: `part.what`, in seconds, bytes or plain numbers."""

from collections.abc import Mapping

from .collecting.metrics import CollectMetrics
from .entropy.metrics import RepairMetrics
from .facts import Liveness, Update
from .repair.mending import Mending
from .repair.scrub import Scrub
from .terms import Instant, PeerId
from .transfer.walk import Progress

Metrics = dict[str, float]


def scrub_metrics(scrub: Scrub, mending: Mending) -> Metrics:
    """Count what the scrub has read, and what became of the damage that it found."""
    return {
        "scrub.passes": scrub.passes,
        "scrub.rows_read": scrub.rows_read,
        "scrub.bytes_read": scrub.bytes_read,
        "scrub.found": mending.found,
        "scrub.mended": mending.mended,
        "scrub.waiting": mending.waiting,
        "scrub.given_up": mending.given_up,
        "scrub.beyond_mending": mending.beyond_mending,
    }


def repair_metrics(repairs: RepairMetrics, progress: Progress, now: Instant) -> Metrics:
    """Count what anti-entropy has compared and repaired, what may be forgotten, and what is passed on to others."""
    clean_at = repairs.clean_at.values()
    ago: Metrics = {}
    if clean_at:
        ago = {"repair.last_clean_ago_s": now - max(clean_at), "repair.first_clean_ago_s": now - min(clean_at)}
    return {
        **ago,
        "repair.exchanges": repairs.exchanges,
        "repair.exchanges_failed": repairs.exchanges_failed,
        "repair.trees_compared": repairs.trees_compared,
        "repair.leaves_compared": repairs.leaves_compared,
        "repair.keys_repaired": repairs.keys_repaired,
        "repair.chunks_repaired": repairs.chunks_repaired,
        "repair.failed": repairs.repairs_failed,
        "repair.moved_bytes": repairs.bytes_moved,
        "repair.trees_clean": len(repairs.clean_at),
        "strays.seen": repairs.strays_seen,
        "strays.handed": repairs.strays_handed,
        "tombstones.waiting": repairs.tombstones_waiting,
        "tombstones.reaped": repairs.tombstones_reaped,
        "actors.forgotten": repairs.actors_forgotten,
        "transfer.is_under_way": float(progress.is_under_way),
        "transfer.keys_looked_at": progress.keys_looked_at,
        "transfer.keys_sent": progress.keys_sent,
        "transfer.sent_bytes": progress.bytes_sent,
    }


def collect_metrics(collect: CollectMetrics) -> Metrics:
    """Count the chunks that nobody named: those removed here, and those that wait for the end of their grace."""
    return {
        "collect.passes": collect.passes,
        "collect.refused": collect.refused,
        "collect.removed": collect.removed,
        "collect.removed_bytes": collect.removed_bytes,
        "collect.waiting": collect.waiting,
        "collect.waiting_bytes": collect.waiting_bytes,
    }


def member_metrics(members: Mapping[PeerId, Update], awareness: int, news_queued: int) -> Metrics:
    """Count the members by what is believed of them, and tell how this peer itself fares."""
    states = [update.liveness for update in members.values()]
    counts: Metrics = {f"members.{state.name.lower()}": states.count(state) for state in Liveness}
    return {**counts, "members.awareness": awareness, "members.news_queued": news_queued}
