"""Bring home the keys that lie where nobody looks for them, and give up the copy here once all their homes have it.

    every 15 s    ReadTrees, ListStrays ──> FetchVersions here ──> StoreVersions to all homes
                  DropCopy  <── only when all of them have acknowledged a durable copy

A stray is what a fallback keeps, what a home of before still has, and what a coordinator with a wrong view of the
members has left behind. A dropped copy's dots are not minted again (`Coordinator.gave_up`), and its hints go with it:
those whom they are for have just acknowledged the same. Nothing is sought at the first look after the homes changed:
who has not heard of the change yet still reads here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from ..alarm import Alarm
from ..copies.trees import Tree
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent, Started
from ..facts import Update, Versions
from ..messages import FetchVersions, StoreVersions, VersionsFetched, VersionsStored
from ..operations import DropCopy, ListStrays, ReadTrees
from ..outcomes import CopyDropped, StoreOutcome, StraysListed, TreesRead
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .metrics import RepairMetrics
from .owning import owners
from .settings import EntropySettings

_EACH = 16


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One stray on its way home."""

    tree: Tree
    key: bytes
    homes: tuple[PeerId, ...]
    awaited: set[PeerId]
    versions: Versions | None = None


class Strays:
    """Looks for keys out of place now and then, and hands them over."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        metrics: RepairMetrics,
        rng: Random,
    ) -> None:
        self._roster = roster
        self._members = members
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._metrics = metrics
        self._rng = rng
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._ticket: int | None = None
        self._dropping: set[int] = set()
        self._flights: dict[str, _Flight] = {}
        self._homes = roster.homes
        """The homes at the last look."""

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a wake or an answer; all else is not this part's."""
        match event:
            case Started():
                return self._rest(now)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return [*self._look(), *self._rest(now)]
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._ticket:
                self._ticket = None
                return self._listed(outcome)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._dropping:
                self._dropping.remove(ticket)
                self._metrics.strays_handed += isinstance(outcome, CopyDropped) and outcome.is_dropped
                return []
            case MessageReceived(message=VersionsFetched(request=id_, versions=versions)) if id_ in self._flights:
                return self._send_home(id_, self._flights[id_], versions)
            case MessageReceived(sender=sender, message=VersionsStored(request=id_)) if id_ in self._flights:
                return self._acknowledged(id_, self._flights[id_], sender)
            case _:
                return []

    def _rest(self, now: Instant) -> list[RingEffect]:
        jitter = self._rng.uniform(-self._settings.jitter, self._settings.jitter)
        return self._alarm.set(Instant(now + self._settings.exchange_s * (1 + jitter)))

    def _look(self) -> list[RingEffect]:
        """Begin anew; what has not been acknowledged by now is still here, and is found again."""
        self._flights.clear()
        if self._homes != self._roster.homes:
            self._homes = self._roster.homes
            return []
        self._ticket = next(self._tickets)
        return [Operate(ticket=self._ticket, operation=ReadTrees(first=0, last=2 * self._roster.placement.vnodes - 1))]

    def _listed(self, outcome: StoreOutcome) -> list[RingEffect]:
        match outcome:
            case TreesRead(trees=trees):
                foreign = tuple(tree for tree, _ in trees if self._is_deliverable(owners(self._roster, tree)))
                self._ticket = next(self._tickets)
                listing = ListStrays(trees=foreign, each=_EACH, limit=self._settings.strays_max)
                return [Operate(ticket=self._ticket, operation=listing)] if foreign else []
            case StraysListed(keys=keys):
                self._metrics.strays_seen = len(keys)
                return [effect for tree, key in keys for effect in self._fetch(tree, key)]
            case _:
                return []

    def _is_deliverable(self, homes: tuple[PeerId, ...]) -> bool:
        """Tell whether this peer is none of the homes, and all of them live."""
        return self._roster.me not in homes and all(map(self._roster.alive, homes))

    def _fetch(self, tree: Tree, key: bytes) -> list[RingEffect]:
        id_, homes = next(self._ids), owners(self._roster, tree)
        self._flights[id_] = _Flight(tree=tree, key=key, homes=homes, awaited=set(homes))
        return [Send(to=self._roster.me, message=FetchVersions(request=id_, key=key))]

    def _send_home(self, id_: str, flight: _Flight, versions: Versions | None) -> list[RingEffect]:
        if flight.versions is not None:
            return []
        if versions is None:
            del self._flights[id_]
            return []
        flight.versions = versions
        store = StoreVersions(request=id_, key=flight.key, versions=versions)
        return [Send(to=peer, message=store) for peer in flight.homes]

    def _acknowledged(self, id_: str, flight: _Flight, sender: PeerId) -> list[RingEffect]:
        flight.awaited.discard(sender)
        if flight.awaited or flight.versions is None:
            return []
        del self._flights[id_]
        if set(owners(self._roster, flight.tree)) - set(flight.homes):  # this peer may be a home by now
            return []
        ticket = next(self._tickets)
        self._dropping.add(ticket)
        drop = DropCopy(key=flight.key, versions=flight.versions, hinted=tuple(sorted(self._members)))
        return [Operate(ticket=ticket, operation=drop)]
