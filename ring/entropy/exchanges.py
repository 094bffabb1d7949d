"""Keep the homes of every key alike by comparing their trees, for ever (DeCandia 2007, section 4.7).

    every 15 s, and soon after a peer is back or has become a home:   one exchange with one live home of the same keys

Each peer compares with the one that it has not met for the longest time, one at a time; it answers others meanwhile. So
no copy depends on a hint, a read or a transfer alone: what these miss is found here, whatever was the reason.
"""

from collections.abc import Iterator, Mapping
from random import Random

from ..alarm import Alarm
from ..copies.trees import Tree
from ..effects import RingEffect
from ..events import RequestDue, RingEvent, Started
from ..facts import Liveness, Update
from ..placement.rendezvous import Home
from ..placement.roster import Roster
from ..requests.quorum import QuorumSettings
from ..terms import Instant, PeerId
from .exchange import Exchange
from .metrics import RepairMetrics
from .owning import partners
from .settings import EntropySettings

LONG_AGO = Instant(float("-inf"))


class Exchanges:
    """Decides with whom to compare when, and holds the exchange under way."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        quorum: QuorumSettings,
        metrics: RepairMetrics,
        rng: Random,
    ) -> None:
        self._roster = roster
        self._members = members
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._quorum = quorum
        self._metrics = metrics
        self._rng = rng
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._exchange: Exchange | None = None
        self._met_at: dict[PeerId, Instant] = {}
        self._awaited: dict[PeerId, None] = {}
        """Peers that are back, to be met before all others."""
        self._equal_at: dict[tuple[Tree, PeerId], Instant] = {}
        self._partners: frozenset[PeerId] = frozenset()
        self._partners_of: tuple[frozenset[Home], frozenset[Home]] | None = None

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a wake or an event of the exchange under way; all else is not this part's."""
        match event:
            case Started():
                return self._alarm.set(self._later(now, self._settings.exchange_s))
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._begin(now)
            case _ if self._exchange is not None:
                effects = self._exchange.handle(now, event)
                return [*effects, *self._end(now, self._exchange)]
            case _:
                return []

    def member_changed(self, now: Instant, update: Update) -> list[RingEffect]:
        """Meet a peer that is back soon; end the exchange with one that is gone."""
        peer = PeerId(update.member.id)
        if update.liveness is not Liveness.ALIVE:
            self._awaited.pop(peer, None)
            if self._exchange is not None and self._exchange.partner == peer:
                self._exchange.stop()
                return self._end(now, self._exchange)
            return []
        if peer == self._roster.me or peer in self._roster.moves:
            return []  # who joins or leaves is served by transfers
        self._awaited[peer] = None
        return self._alarm.set(self._later(now, self._settings.hurry_s))

    def equal_since(self, tree: Tree, peer: PeerId) -> Instant:
        """Tell when this peer last began to find a tree of its own equal at another."""
        return self._equal_at.get((tree, peer), LONG_AGO)

    def _begin(self, now: Instant) -> list[RingEffect]:
        if self._exchange is not None:
            return []
        partner = self._next_partner()
        if partner is None:
            return self._alarm.set(self._later(now, self._settings.exchange_s))
        self._awaited.pop(partner, None)
        self._met_at[partner] = now
        self._exchange = Exchange(
            partner=partner,
            roster=self._roster,
            members=self._members,
            tickets=self._tickets,
            ids=self._ids,
            settings=self._settings,
            quorum=self._quorum,
            metrics=self._metrics,
        )
        return self._exchange.begin(now)

    def _end(self, now: Instant, exchange: Exchange) -> list[RingEffect]:
        """Put a finished exchange away; where it has found much, the next one with that partner follows at once."""
        if not exchange.is_over:
            return []
        self._exchange = None
        self._metrics.exchanges += 1
        self._metrics.exchanges_failed += exchange.has_failed
        for tree in exchange.clean:
            self._equal_at[tree, exchange.partner] = exchange.began_at
            self._metrics.clean_at[tree] = exchange.began_at
        if exchange.has_repaired and not exchange.has_failed:
            self._awaited[exchange.partner] = None
        pause_s = self._settings.hurry_s if self._awaited else self._settings.exchange_s
        return self._alarm.set(self._later(now, pause_s))

    def _next_partner(self) -> PeerId | None:
        """Choose a live home of the same keys: one that is back, else the one that was met longest ago."""
        homes_of = (self._roster.homes, self._roster.target_homes)
        if homes_of != self._partners_of:
            self._partners, self._partners_of = partners(self._roster), homes_of
            known = self._partners
            self._equal_at = {at: since for at, since in self._equal_at.items() if at[1] in known}
        homes = sorted(peer for peer in self._partners if self._roster.alive(peer))
        awaited = [peer for peer in homes if peer in self._awaited]
        self._rng.shuffle(homes)
        return min(awaited or homes, key=lambda peer: self._met_at.get(peer, LONG_AGO), default=None)

    def _later(self, now: Instant, pause_s: float) -> Instant:
        jitter = self._rng.uniform(-self._settings.jitter, self._settings.jitter)
        return Instant(now + pause_s * (1 + jitter))
