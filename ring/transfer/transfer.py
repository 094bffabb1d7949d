"""Bring keys to their next primaries: when a member joins, leaves or is removed, and once after each start.

Each home pages through its own keys with the placements of before and the *course*: every placement that may come as
some join or leave. Who becomes a primary of a key by any of them is offered the copy, values left out, and what it
wants is sent: so a pass that is made again, after a restart of either side, moves only what is missing.

    OfferVersions ──> VersionsWanted ──> ReadVersions ──> StoreVersions ──> VersionsStored        page after page

Two rounds of a pass: first each key is offered by one home, the one that gives it up if it lives, else the first live
one; then by all its other homes, for an acknowledged write may be at any W of them. A newcomer that all homes have
served so knows whatever any of them knew. Who leaves offers all that it holds to all their target primaries.

A pass is acknowledged as a whole: `has_served` tells who joins or leaves that this home is through, and holds as long
as the homes change along the course only: after a removal everybody is served anew. The old placement
is kept until then; after a second change all is done again, from the old placement to the newest; for a receiver that
was dead or silent the keys that it is owed, once it is back. A home whose store is empty is through at once.

A key that lies here although this peer is no primary of it, neither before nor now, is a *stray*: a coordinator died
over it, or had a wrong view of the members. Every pass offers strays to all their primaries, for nobody else may have
them. They stay here as well: their dots must not be minted again.
"""

from collections.abc import Iterator, Mapping

from ..alarm import Alarm
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent, Started
from ..facts import Standing, Versions
from ..messages import OfferVersions, StoreVersions, VersionsStored, VersionsWanted
from ..operations import ListVersions, ReadVersions
from ..outcomes import StoreOutcome, VersionsListed, VersionsRead
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .walk import Flight, Pass, Progress, TransferSettings, receivers_of

__all__ = ["Transfer", "TransferSettings"]


class Transfer:
    """Follows the placement, and holds the pass under way."""

    def __init__(
        self,
        *,
        roster: Roster,
        replicas: int,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: TransferSettings,
    ) -> None:
        self._roster = roster
        self._replicas = replicas
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._begins: Instant | None = None
        self._settled = roster.course
        """Sets of homes by whose placement the primaries hold their keys, as far as this peer can tell."""
        self._course = roster.course
        """The homes that were to be expected when the members last changed."""
        self._served: dict[PeerId, int] = {}
        """Who joins or leaves, by the epoch for which this home has passed everything on."""
        self._only: frozenset[PeerId] | None = None
        self._look: int | None = None
        self._pass: Pass | None = None
        self.progress = Progress()

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an outcome, an acknowledgement or a wake; all else is no business of this part."""
        walk = self._pass
        match event:
            case Started():
                self._settled = (self._roster.homes,)
                return self._begin_at(Instant(now + self._settings.settle_s))
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._wake(now)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket == self._look:
                return self._looked(outcome)
            case OperationDone(ticket=ticket, outcome=outcome) if walk and ticket == walk.listing:
                return self._listed(now, walk, outcome)
            case OperationDone(ticket=ticket, outcome=outcome) if walk and ticket in walk.reading:
                return self._read(now, walk, ticket, outcome)
            case MessageReceived(sender=sender, message=VersionsWanted(request=id_, keys=keys)) if walk:
                return self._wanted(now, walk, id_, sender, keys)
            case MessageReceived(message=VersionsStored(request=id_)) if walk and id_ in walk.flights:
                del walk.flights[id_]
                return self._go_on(now, walk)
            case _:
                return []

    def ownership_changed(self, now: Instant) -> list[RingEffect]:
        """Take note of another placement, to be acted on when it has settled; at once where there are no keys."""
        self._only = None
        self.progress.is_under_way = True
        self._forget_what_was_not_to_be_expected()
        if self._roster.moves.get(self._roster.me, (None, 0))[0] is Standing.JOINING:
            self._settled = self._roster.course  # it owns nothing yet: all that lies here are strays
        else:
            self._forget_who_begins_anew()
        effects = self._begin_at(Instant(now + self._settings.settle_s))
        if self._pass is not None:
            return effects
        self._look = next(self._tickets)
        return [*effects, Operate(ticket=self._look, operation=ListVersions(prefix=b"", after=b"", limit=1))]

    def has_served(self, peer: PeerId, epoch: int) -> bool:
        """Tell whether this home has passed on all that the move of that peer moves."""
        return self._served.get(peer) == epoch and self._roster.moves.get(peer, (None, -1))[1] == epoch

    def _forget_what_was_not_to_be_expected(self) -> None:
        """Hold nobody for served any more where the homes are others than the course foresaw, as after a removal."""
        if self._roster.homes not in self._course:
            self._served.clear()
            if self._pass is not None:
                self._pass.is_outdated = True
        self._course = self._roster.course

    def _forget_who_begins_anew(self) -> None:
        """Take out of the old placement who joins again from the beginning."""
        moves = self._roster.moves
        again = {peer for peer, (standing, epoch) in moves.items() if standing is Standing.JOINING}
        again -= {peer for peer in again if self._served.get(peer) == moves[peer][1]}
        stay = [frozenset(home for home in old if home.id not in again) for old in self._settled]
        self._settled = tuple(dict.fromkeys(homes for homes in stay if homes)) or self._settled

    def _looked(self, outcome: StoreOutcome) -> list[RingEffect]:
        """Settle at once where nothing is kept; whatever is written from now on is sent to pending homes as well."""
        self._look = None
        is_empty = isinstance(outcome, VersionsListed) and not outcome.entries and not outcome.corrupt
        if is_empty and self._pass is None:
            self._begins, self._settled, self._only = None, self._roster.course, None
            self.progress.end()
            self._take_served(self._roster.moves, frozenset())
        return []

    # --- the pass ---

    def _begin_at(self, at: Instant) -> list[RingEffect]:
        self._begins = at if self._begins is None else min(at, self._begins)
        return self._alarm.set(self._begins)

    def _wake(self, now: Instant) -> list[RingEffect]:
        if self._pass is not None:
            return self._send_again(now, self._pass)
        if self._begins is None:
            return []
        if now < self._begins:
            return self._alarm.set(self._begins)
        self._begins = None
        if self._only is not None and not any(map(self._roster.alive, self._only)):
            return self._begin_at(Instant(now + self._settings.rest_s))
        old, new = tuple(map(self._roster.place, self._settled)), tuple(map(self._roster.place, self._roster.course))
        self._pass = Pass(old=old, new=new, only=self._only, moves=dict(self._roster.moves))
        self.progress.begin()
        return self._go_on(now, self._pass)

    def _go_on(self, now: Instant, walk: Pass) -> list[RingEffect]:
        effects = self._launch_next(now, walk)
        if walk.is_busy:
            return effects
        if now < walk.rests_until:
            return [*effects, *self._alarm.set(walk.rests_until)]
        if not walk.has_more and not walk.begin_second_round():
            return [*effects, *self._end(now, walk)]
        walk.listing = next(self._tickets)
        page = ListVersions(prefix=b"", after=walk.after, limit=self._settings.page)
        return [*effects, Operate(ticket=walk.listing, operation=page)]

    def _end(self, now: Instant, walk: Pass) -> list[RingEffect]:
        """Settle on the new placement; after a change meanwhile the old one is kept, and with it who sends what.

        Else a key might fall to a newcomer of the first change to send, which did not have it yet when it looked.
        """
        self._pass = None
        self.progress.end()
        if not walk.is_broken and not walk.is_outdated:
            self._take_served(walk.moves, walk.owed, walk.only)
        if self._begins is not None:
            return self._alarm.set(max(self._begins, now))
        if walk.is_broken or walk.owed:
            self._only = walk.only if walk.is_broken else frozenset(walk.owed)
            return self._begin_at(Instant(now + self._settings.rest_s))
        self._settled, self._only = tuple(placement.homes for placement in walk.new), None
        return []

    def _take_served(
        self,
        moves: Mapping[PeerId, tuple[Standing, int]],
        owed: frozenset[PeerId] | set[PeerId],
        only: frozenset[PeerId] | None = None,
    ) -> None:
        """Note whose move this pass has completed: newcomers that got all, and who leaves if enough others did.

        A dead home does not keep anybody from leaving, as long as a majority of every key's homes is served.
        """
        spared = (self._replicas - 1) // 2
        lacking = {peer for peer in owed if peer not in moves}
        for peer, (standing, epoch) in moves.items():
            is_served = peer not in owed and (only is None or peer in only)
            if is_served if standing is Standing.JOINING else len(lacking) <= spared:
                self._served[peer] = epoch

    # --- one page ---

    def _listed(self, now: Instant, walk: Pass, outcome: StoreOutcome) -> list[RingEffect]:
        walk.listing = None
        if not isinstance(outcome, VersionsListed):
            walk.give_up()
            return self._go_on(now, walk)
        walk.has_more = outcome.more
        offers: dict[PeerId, list[tuple[bytes, Versions]]] = {}
        for key, versions in outcome.entries:
            walk.after = key
            receivers = receivers_of(walk, key, self._roster, self._replicas)
            walk.owed |= {peer for peer in receivers if not self._roster.alive(peer)}
            for peer in filter(self._roster.alive, receivers):
                offers.setdefault(peer, []).append((key, versions))
        self.progress.keys_looked_at += len(outcome.entries)
        effects = [step for peer, entries in offers.items() for step in self._offer(now, walk, peer, entries)]
        return [*effects, *self._go_on(now, walk)]

    def _offer(self, now: Instant, walk: Pass, peer: PeerId, entries: list[tuple[bytes, Versions]]) -> list[RingEffect]:
        id_ = next(self._ids)
        return self._launch(now, walk, peer, id_, OfferVersions(request=id_, entries=tuple(entries)))

    def _wanted(self, now: Instant, walk: Pass, id_: str, sender: PeerId, keys: tuple[bytes, ...]) -> list[RingEffect]:
        flight = walk.flights.get(id_)
        if flight is None or not isinstance(flight.message, OfferVersions):
            return []
        del walk.flights[id_]
        offered = {key for key, _ in flight.message.entries}
        walk.waiting.extend((sender, key) for key in keys if key in offered)
        return self._go_on(now, walk)

    def _launch_next(self, now: Instant, walk: Pass) -> list[RingEffect]:
        """Read as many of the wanted copies as may be in flight at once, at the pace that is allowed."""
        effects: list[RingEffect] = []
        while walk.waiting and len(walk.reading) + len(walk.flights) < self._settings.in_flight_max:
            if now < walk.rests_until:
                return [*effects, *self._alarm.set(walk.rests_until)]
            receiver, key = walk.waiting.popleft()
            ticket = next(self._tickets)
            walk.reading[ticket] = (receiver, key)
            effects.append(Operate(ticket=ticket, operation=ReadVersions(key=key)))
        return effects

    def _read(self, now: Instant, walk: Pass, ticket: int, outcome: StoreOutcome) -> list[RingEffect]:
        receiver, key = walk.reading.pop(ticket)
        effects: list[RingEffect] = []
        if not isinstance(outcome, VersionsRead):
            walk.is_broken = True
        elif outcome.versions is not None:
            id_ = next(self._ids)
            message = StoreVersions(request=id_, key=key, versions=outcome.versions)
            effects = self._launch(now, walk, receiver, id_, message)
            size = len(key) + sum(len(sibling.value or b"") for sibling in outcome.versions.siblings)
            self.progress.sent(size)
            walk.rests_until = Instant(max(now, walk.rests_until) + size / self._settings.bytes_per_s)
        return [*effects, *self._go_on(now, walk)]

    def _launch(
        self, now: Instant, walk: Pass, peer: PeerId, id_: str, message: OfferVersions | StoreVersions
    ) -> list[RingEffect]:
        due = Instant(now + self._settings.patience_s)
        walk.flights[id_] = Flight(to=peer, message=message, due=due)
        return [Send(to=peer, message=message), *self._alarm.set(due)]

    def _send_again(self, now: Instant, walk: Pass) -> list[RingEffect]:
        """Send anew what is not acknowledged; a receiver that is gone, or stays silent, is left for another pass."""
        effects: list[RingEffect] = []
        for id_, flight in [(id_, flight) for id_, flight in walk.flights.items() if now >= flight.due]:
            if flight.tries >= self._settings.tries_max or not self._roster.alive(flight.to):
                del walk.flights[id_]
                walk.owed.add(flight.to)
                continue
            flight.tries += 1
            flight.due = Instant(now + self._settings.patience_s)
            effects.append(Send(to=flight.to, message=flight.message))
        due = min((flight.due for flight in walk.flights.values()), default=None)
        wake = [] if due is None else self._alarm.set(due)
        return [*effects, *wake, *self._go_on(now, walk)]
