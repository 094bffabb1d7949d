"""Ask every live peer for its own counters."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from msgspec.structs import replace

from ..node.wire.replies import MetricsShown, MoveForeseen, PeerView
from ..node.wire.requests import ShowMetrics
from ..ring.errors import MurmurationError
from ..ring.facts import Liveness, Standing
from ..ring.terms import Member
from .connection import Connection
from .moves import question_of

PATIENCE_S = 2.0
"""A peer that does not tell within this time is left out."""

Metrics = dict[str, float]


def metrics_of_all(views: Iterable[PeerView]) -> dict[str, Metrics]:
    """Give the counters of all live peers that tell, by the peer's id: names may be used twice."""
    return _of_all(views, _metrics_of)


def moves_of_all(views: Sequence[PeerView]) -> dict[str, Metrics]:
    """Tell of each live peer how many bytes it has to send, sent or not, for who joins or leaves at the moment.

    Each peer goes through its keys for that, so it is asked only where somebody moves.
    """
    questions = [question_of(view) for view in views if view.standing in (Standing.JOINING, Standing.LEAVING)]

    def ask(connection: Connection) -> Metrics:
        foreseen = [connection.ask(question, MoveForeseen) for question in questions]
        return {"transfer.to_move_bytes": sum(each.bytes for each in foreseen)}

    return _of_all(views, ask)


def _of_all(views: Iterable[PeerView], ask: Callable[[Connection], Metrics]) -> dict[str, Metrics]:
    members = [view.member for view in views if view.liveness is Liveness.ALIVE]
    if not members:
        return {}

    def tell(member: Member) -> Metrics | None:
        try:
            with Connection((member.url,), patience_s=PATIENCE_S) as connection:
                return ask(connection)
        except MurmurationError:
            return None

    with ThreadPoolExecutor(len(members)) as threads:
        found = threads.map(tell, members)
        return {member.id: values for member, values in zip(members, found, strict=True) if values is not None}


def _metrics_of(connection: Connection) -> Metrics:
    return connection.ask(ShowMetrics(), MetricsShown).values


def with_load_and_disk(view: PeerView, metrics: dict[str, Metrics]) -> PeerView:
    """Add what a peer said of itself: the share of its slots in use, the bytes on its disk, and how it syncs."""
    values = metrics.get(view.member.id, {})
    load, disk = values.get("slots.load", view.load), values.get("disk.bytes", view.disk_bytes)
    is_relaxed = values.get("store.relaxed")
    sync = view.sync if is_relaxed is None else "relaxed" if is_relaxed else "full"
    return replace(view, load=load, disk_bytes=int(disk), sync=sync)
