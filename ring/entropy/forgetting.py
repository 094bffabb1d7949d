"""Forget actors of starts that are over, so that a key which is written for years does not outgrow every bound.

Each start of a coordinator is an actor of its own, and a copy must know of each whose values were overwritten: else an
older copy would bring them back. Once there is no older copy any more, the actor can go. That is what `Reaping` proves
for deletes, and the proof is the same: since the overwriting was first seen here, `tombstone_grace_s` have passed, and
then every other home was found equal and every other member kept nothing of that vnode. What is known of a key only
grows, so the key may well be written meanwhile.

The first home of a key sees to this and tells the others. Where one did not hear of it, an exchange brings the actors
back, and no value. An actor whose start is not over stays, for it must count on from where it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ..alarm import Alarm
from ..copies.trees import spot_of
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent, Started
from ..facts import Context, Standing, Update, Versions
from ..messages import ForgetWriters
from ..operations import ForgetActors, ListCrowds
from ..outcomes import ActorsForgotten, CrowdsListed
from ..placement.roster import Roster
from ..terms import Instant, PeerId, start_of
from .metrics import RepairMetrics
from .owning import owners
from .reaping import Reaping
from .settings import EntropySettings

PAGE: Final = 64
WATCHED_MAX: Final = 4096
FORGETTING_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class _Watched:
    """Actors of which nothing was current when they were first seen so, with their counts."""

    actors: Context
    since: Instant


class Forgetting:
    """Watches keys with many actors until there is proof."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        reaping: Reaping,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        metrics: RepairMetrics,
    ) -> None:
        self._roster = roster
        self._members = members
        self._reaping = reaping
        self._tickets = tickets
        self._settings = settings
        self._metrics = metrics
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._after = b""
        self._listing: int | None = None
        self._running: set[int] = set()
        self._watched: dict[bytes, _Watched] = {}

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a wake, an order to forget or an outcome; all else is not this part's."""
        match event:
            case Started():
                return self._rest(now)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                self._listing = next(self._tickets)
                look = ListCrowds(after=self._after, limit=PAGE)
                return [Operate(ticket=self._listing, operation=look), *self._rest(now)]
            case OperationDone(ticket=ticket, outcome=CrowdsListed() as listed) if ticket == self._listing:
                return self._listed(now, listed)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._running:
                self._running.remove(ticket)
                self._metrics.actors_forgotten += outcome.count if isinstance(outcome, ActorsForgotten) else 0
                return []
            case MessageReceived(sender=sender, message=ForgetWriters() as order):
                return self._ordered(sender, order)
            case _:
                return []

    def _rest(self, now: Instant) -> list[RingEffect]:
        return self._alarm.set(Instant(now + self._settings.exchange_s))

    def _listed(self, now: Instant, listed: CrowdsListed) -> list[RingEffect]:
        self._listing, self._after = None, listed.after or b""
        self._reaping.also.clear()
        if self._roster.moves or not self._reaping.knows_cluster:
            return []
        return [effect for tree, key, versions in listed.entries for effect in self._look(now, tree, key, versions)]

    def _look(self, now: Instant, tree: int, key: bytes, versions: Versions) -> list[RingEffect]:
        """Have actors of a key forgotten that are proven to be over; ask for proof where their time has come."""
        homes = owners(self._roster, tree)
        if homes[:1] != (self._roster.me,):
            self._watched.pop(key, None)
            return []
        watched = self._watched.get(key) or self._watch(now, key, versions)
        ripe_at = Instant(watched.since + self._settings.tombstone_grace_s)
        if now < ripe_at or not watched.actors:
            return []
        if not self._reaping.is_proven(tree, homes, ripe_at):
            self._reaping.also.add(tree)
            return []
        del self._watched[key]
        return [Send(to=home, message=ForgetWriters(key=key, actors=watched.actors)) for home in homes]

    def _watch(self, now: Instant, key: bytes, versions: Versions) -> _Watched:
        current = {sibling.dot.actor for sibling in versions.siblings}
        over = {a: count for a, count in versions.seen.items() if a not in current and self._is_over(a)}
        watched = _Watched(over, now)
        if over and len(self._watched) < WATCHED_MAX:
            self._watched[key] = watched
        return watched

    def _is_over(self, actor: str) -> bool:
        """Tell whether an actor can mint no more: its peer is known in a later start, or is no member any more."""
        peer, _, rest = actor.partition(".")
        start = rest.partition(".")[0]
        if not start.isdecimal():
            return False
        held = self._members.get(PeerId(peer))
        return held is None or held.standing is Standing.REMOVED or int(start) < start_of(held.incarnation)

    def _ordered(self, sender: PeerId, order: ForgetWriters) -> list[RingEffect]:
        """Forget actors on the order of one of the key's homes."""
        tree, _ = spot_of(order.key, self._roster.placement.vnodes)
        homes = owners(self._roster, tree)
        if sender not in homes or self._roster.me not in homes or len(self._running) >= FORGETTING_MAX:
            return []
        ticket = next(self._tickets)
        self._running.add(ticket)
        forget = ForgetActors(key=order.key, actors=order.actors, hinted=tuple(sorted(self._members)))
        return [Operate(ticket=ticket, operation=forget)]
