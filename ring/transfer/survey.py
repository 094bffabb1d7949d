"""Tell what a change of the members would move, without moving anything: the dry run of join, leave and remove.

The vnodes concerned follow from the placement alone. Keys, chunks and their bytes are counted here page by page, for
those that this peer would have to send; who asks every home, and adds up, knows the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..effects import Completed, Failed, MovePlanned, Operate, RingEffect
from ..events import OperationDone, PlanRequested
from ..operations import ListChunks, WeighVersions
from ..outcomes import ChunksListed, StoreOutcome, VersionsWeighed
from ..placement.rendezvous import Placement
from ..placement.roster import Roster
from ..requests.chunks import chunk_key

PAGE = 1000


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One dry run: how far it is."""

    event: PlanRequested
    old: Placement
    new: Placement
    keys: int = 0
    chunks: int = 0
    bytes: int = 0


class Survey:
    """Holds the dry runs under way."""

    def __init__(self, *, roster: Roster, replicas: int, tickets: Iterator[int]) -> None:
        self._roster = roster
        self._replicas = replicas
        self._tickets = tickets
        self._walks: dict[int, _Walk] = {}

    def handle(self, event: PlanRequested | OperationDone) -> list[RingEffect]:
        """Begin a dry run, or take a page of it; all else is no business of this part."""
        match event:
            case PlanRequested():
                return self._begin(event)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._walks:
                return self._taken(self._walks.pop(ticket), outcome)
            case _:
                return []

    def _taken(self, walk: _Walk, outcome: StoreOutcome) -> list[RingEffect]:
        match outcome:
            case VersionsWeighed():
                return self._weighed(walk, outcome)
            case ChunksListed():
                return self._chunks_weighed(walk, outcome)
            case _:
                return [Completed(request=walk.event.request, answer=Failed(reason="the disk of a peer has failed"))]

    def _begin(self, event: PlanRequested) -> list[RingEffect]:
        homes = frozenset(home for home in self._roster.target_homes if home.id != event.gone)
        if event.comer is not None:
            homes |= {event.comer}
        if not homes:
            return [Completed(request=event.request, answer=Failed(reason="nobody would be left"))]
        walk = _Walk(event=event, old=self._roster.placement, new=self._roster.place(homes))
        return self._operate(walk, WeighVersions(after=b"", limit=PAGE))

    def _operate(self, walk: _Walk, operation: WeighVersions | ListChunks) -> list[RingEffect]:
        ticket = next(self._tickets)
        self._walks[ticket] = walk
        return [Operate(ticket=ticket, operation=operation)]

    def _weighed(self, walk: _Walk, page: VersionsWeighed) -> list[RingEffect]:
        for key, size in page.entries:
            copies = self._copies_to_send(walk, key)
            walk.keys += copies
            walk.bytes += copies * size
        if page.more:
            return self._operate(walk, WeighVersions(after=page.entries[-1][0], limit=PAGE))
        return self._operate(walk, ListChunks(after=b"", limit=PAGE))

    def _chunks_weighed(self, walk: _Walk, page: ChunksListed) -> list[RingEffect]:
        for digest, size in page.entries:
            copies = self._copies_to_send(walk, chunk_key(digest))
            walk.chunks += copies
            walk.bytes += copies * size
        if page.more:
            return self._operate(walk, ListChunks(after=page.entries[-1][0], limit=PAGE))
        return [Completed(request=walk.event.request, answer=self._sum_up(walk))]

    def _copies_to_send(self, walk: _Walk, key: bytes) -> int:
        """Count the new primaries of a key that this peer would serve: its giver if that lives, else its first home."""
        before, now = (placement.preference(key)[: self._replicas] for placement in (walk.old, walk.new))
        givers = () if walk.event.by_removal else tuple(peer for peer in before if peer not in now)
        stay = tuple(peer for peer in before if peer != walk.event.gone or not walk.event.by_removal)
        first = next(filter(self._roster.alive, (*givers, *stay)), None)
        return sum(peer not in before for peer in now) if first == self._roster.me else 0

    def _sum_up(self, walk: _Walk) -> MovePlanned:
        zones = {home.id: home.zone or home.id for home in walk.old.homes | walk.new.homes}
        vnodes = violations = 0
        for vnode in range(walk.old.vnodes):
            before, now = walk.old.primaries(vnode), walk.new.primaries(vnode)
            vnodes += bool(set(now) - set(before))
            violations += len({zones[peer] for peer in now}) < len({zones[peer] for peer in before})
        return MovePlanned(
            vnodes=vnodes, keys=walk.keys, chunks=walk.chunks, bytes=walk.bytes, zone_violations=violations
        )
