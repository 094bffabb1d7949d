"""Bring keys to their primaries: when a member has joined or left, and once after each start.

Each peer pages through its own keys with the placement of before and the one of now. A key whose primaries gained a
peer is sent there by the first live one of its old primaries, so that normally one peer sends it; if none of these
lives, every holder sends it, for a merge makes a copy too many harmless. A page is acknowledged before the next is
read. The old placement is kept until a whole pass has been acknowledged: after a second change all is done again, from
the old placement to the newest; for a newcomer that was dead or silent the keys that it is owed, once it is back.

A key that lies here although this peer is no primary of it, neither before nor now, is a *stray*: a coordinator died
over it, or had a wrong view of the members. Every pass sends strays to all their primaries, for nobody else may have
them. They stay here as well: their dots must not be minted again.

Chunks are not in the store that is listed here, so a change of placement leaves them where they were put: who reads
one must go on down its preference list, and only who knows the manifests can place it anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..alarm import Alarm
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent, Started
from ..messages import StoreVersions, Versions, VersionsStored
from ..operations import ListVersions, ReadVersions, StoreOutcome, VersionsListed, VersionsRead
from ..placement.rendezvous import Placement
from ..placement.roster import Roster
from ..terms import Instant, PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Set the pace of transfers; a page in flight bounds what they take from foreground work."""

    settle_s: float = 1.0
    """A change is acted on only after so long, for joins come in bursts."""

    patience_s: float = 2.0
    """An acknowledgement is waited for so long before the copy is sent again."""

    tries_max: int = 3
    join_s: float = 5.0
    """A peer that knew nobody and finds others so soon after its start joins them: it has only strays to share."""

    rest_s: float = 10.0
    """A pass that could not reach everybody is made again after so long."""

    page: int = 64

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a pause or a limit is not positive.
        """
        if min(self.settle_s, self.patience_s, self.join_s, self.rest_s) <= 0 or min(self.page, self.tries_max) < 1:
            raise ValueError(f"transfer settings must be positive: {self}")


@dataclass(slots=True, kw_only=True)
class _Flight:
    """One copy on its way to a primary."""

    to: PeerId
    key: bytes
    versions: Versions
    due: Instant
    tries: int = 1


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One walk through all local keys, from one placement to another."""

    old: Placement
    new: Placement
    after: bytes = b""
    has_more: bool = True
    listing: int | None = None
    reading: dict[int, tuple[bytes, list[PeerId]]] = field(default_factory=dict)
    flights: dict[str, _Flight] = field(default_factory=dict)
    only: frozenset[PeerId] | None = None
    owed: set[PeerId] = field(default_factory=set)
    is_broken: bool = False

    def serves(self, peer: PeerId) -> bool:
        """Tell whether this pass is for that primary: a second one is only for those whom the first did not reach."""
        return self.only is None or peer in self.only


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
        self._joins_until = Instant(0.0)
        self._settled = roster.placement
        self._only: frozenset[PeerId] | None = None
        self._pass: _Pass | None = None

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an outcome, an acknowledgement or a wake; all else is no business of this part."""
        walk = self._pass
        match event:
            case Started(seeds=seeds):
                return self._start(now, is_joining=bool(seeds) and len(self._roster.homes) == 1)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return self._wake(now)
            case OperationDone(ticket=ticket, outcome=outcome) if walk and ticket == walk.listing:
                return self._listed(now, walk, outcome)
            case OperationDone(ticket=ticket, outcome=outcome) if walk and ticket in walk.reading:
                return self._read(now, walk, ticket, outcome)
            case MessageReceived(message=VersionsStored(request=id_)) if walk and id_ in walk.flights:
                del walk.flights[id_]
                return self._go_on(now, walk)
            case _:
                return []

    def _start(self, now: Instant, *, is_joining: bool) -> list[RingEffect]:
        """Begin with the placement that was known before this start."""
        self._settled = self._roster.placement
        self._joins_until = Instant(now + self._settings.join_s if is_joining else now)
        return self._begin_at(Instant(now + self._settings.settle_s))

    def ownership_changed(self, now: Instant) -> list[RingEffect]:
        """Take note of another placement; the first that a joining peer learns of is where it begins."""
        if now < self._joins_until:
            self._joins_until, self._settled = now, self._roster.placement
        self._only = None
        return self._begin_at(Instant(now + self._settings.settle_s))

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
        self._pass = _Pass(old=self._settled, new=self._roster.placement, only=self._only)
        return self._go_on(now, self._pass)

    def _go_on(self, now: Instant, walk: _Pass) -> list[RingEffect]:
        if walk.listing is not None or walk.reading or walk.flights:
            return []
        if not walk.has_more:
            return self._end(now, walk)
        walk.listing = next(self._tickets)
        page = ListVersions(prefix=b"", after=walk.after, limit=self._settings.page)
        return [Operate(ticket=walk.listing, operation=page)]

    def _end(self, now: Instant, walk: _Pass) -> list[RingEffect]:
        """Settle on the new placement; after a change meanwhile the old one is kept, and with it who sends what.

        Else a key might fall to a newcomer of the first change to send, which did not have it yet when it looked.
        """
        self._pass = None
        if self._begins is not None:
            return self._alarm.set(max(self._begins, now))
        if walk.is_broken or walk.owed:
            self._only = walk.only if walk.is_broken else frozenset(walk.owed)
            return self._begin_at(Instant(now + self._settings.rest_s))
        self._settled, self._only = walk.new, None
        return []

    # --- one page ---

    def _listed(self, now: Instant, walk: _Pass, outcome: StoreOutcome) -> list[RingEffect]:
        walk.listing = None
        if not isinstance(outcome, VersionsListed):
            walk.has_more, walk.is_broken = False, True
            return self._go_on(now, walk)
        walk.has_more = outcome.more
        effects: list[RingEffect] = []
        for key, _ in outcome.entries:
            walk.after = key
            effects += self._begin_key(walk, key)
        return [*effects, *self._go_on(now, walk)]

    def _begin_key(self, walk: _Pass, key: bytes) -> list[RingEffect]:
        receivers = self._receivers(walk, key)
        reachable = [peer for peer in receivers if self._roster.alive(peer)]
        walk.owed |= set(receivers) - set(reachable)
        if not reachable:
            return []
        ticket = next(self._tickets)
        walk.reading[ticket] = (key, reachable)
        return [Operate(ticket=ticket, operation=ReadVersions(key=key))]

    def _receivers(self, walk: _Pass, key: bytes) -> list[PeerId]:
        """List the primaries to which this peer is to send a key."""
        me = self._roster.me
        before, now = (placement.preference(key)[: self._replicas] for placement in (walk.old, walk.new))
        if me not in (*before, *now):
            wanted = now
        elif me == next(filter(self._roster.alive, before), me):
            wanted = tuple(peer for peer in now if peer not in before)
        else:
            wanted = ()
        return [peer for peer in wanted if peer != me and walk.serves(peer)]

    def _read(self, now: Instant, walk: _Pass, ticket: int, outcome: StoreOutcome) -> list[RingEffect]:
        key, receivers = walk.reading.pop(ticket)
        if not isinstance(outcome, VersionsRead):
            walk.is_broken = True
        elif outcome.versions is not None:
            return [effect for peer in receivers for effect in self._launch(now, walk, peer, key, outcome.versions)]
        return self._go_on(now, walk)

    def _launch(self, now: Instant, walk: _Pass, peer: PeerId, key: bytes, versions: Versions) -> list[RingEffect]:
        id_ = next(self._ids)
        due = Instant(now + self._settings.patience_s)
        walk.flights[id_] = _Flight(to=peer, key=key, versions=versions, due=due)
        message = StoreVersions(request=id_, key=key, versions=versions)
        return [Send(to=peer, message=message), *self._alarm.set(due)]

    def _send_again(self, now: Instant, walk: _Pass) -> list[RingEffect]:
        """Send anew what is not acknowledged; a receiver that is gone, or stays silent, is left for another pass."""
        effects: list[RingEffect] = []
        for id_, flight in [(id_, flight) for id_, flight in walk.flights.items() if now >= flight.due]:
            if flight.tries >= self._settings.tries_max or not self._roster.alive(flight.to):
                del walk.flights[id_]
                walk.owed.add(flight.to)
                continue
            flight.tries += 1
            flight.due = Instant(now + self._settings.patience_s)
            message = StoreVersions(request=id_, key=flight.key, versions=flight.versions)
            effects.append(Send(to=flight.to, message=message))
        due = min((flight.due for flight in walk.flights.values()), default=None)
        wake = [] if due is None else self._alarm.set(due)
        return [*effects, *wake, *self._go_on(now, walk)]
