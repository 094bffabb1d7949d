"""Forget deleted keys for good, and only when nobody can bring back what was deleted.

A tombstone is what keeps a delete from being undone by an older copy. It may go once there is no older copy any more:

    it has been here, unchanged, for `tombstone_grace_s`, and since then
    every other home of the key was found equal in an exchange, so it knows of the delete, and
    every other member has said that it keeps no key of that vnode, so nobody has a stray or a hint of it.

All members must live, and must have lived for `settle_s` when they were asked: what an older request of theirs still
had on its way has arrived by then. One that is dead for long stops all reaping until it is back or removed: it may hold
what nobody else does. The first home of a key sees to this and tells the others; each forgets the key only if it knows
of the same writes. Where one did not hear of it, an exchange brings the tombstone back, and no value. Hints of the key
go in the same step, and a dot that was forgotten is not minted again (`Coordinator.gave_up`).

All times are of this process, and begin anew with it: a restart only puts reaping off.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from ..alarm import Alarm
from ..copies.trees import Tree, print_of_versions, spot_of
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, OperationDone, RequestDue, RingEvent, Started
from ..facts import Liveness, Standing, Update, Versions
from ..messages import ReapTombstone, SeekStrays, StraysFound
from ..operations import DropCopy, ListTombstones
from ..outcomes import CopyDropped, TombstonesListed
from ..placement.roster import Roster
from ..terms import Instant, PeerId, start_of
from .exchanges import LONG_AGO, Exchanges
from .metrics import RepairMetrics
from .owning import owners
from .settings import EntropySettings

PAGE: Final = 256
TREES_MAX: Final = 1024
DROPPING_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class _Watched:
    """A tombstone as it was first seen."""

    known: bytes
    since: Instant


@dataclass(frozen=True, slots=True)
class _Sought:
    """A question for strays that is on its way."""

    peer: PeerId
    trees: tuple[Tree, ...]
    at: Instant


class Reaping:
    """Watches tombstones until there is proof."""

    def __init__(
        self,
        *,
        roster: Roster,
        members: Mapping[PeerId, Update],
        exchanges: Exchanges,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: EntropySettings,
        metrics: RepairMetrics,
        rng: Random,
    ) -> None:
        self._roster = roster
        self._members = members
        self._exchanges = exchanges
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._metrics = metrics
        self._rng = rng
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._after = b""
        self._listing: int | None = None
        self._dropping: set[int] = set()
        self._watched: dict[bytes, _Watched] = {}
        self._lives_since: dict[PeerId, tuple[int, Instant]] = {}
        """Since when each member has lived without a break, and in which start."""
        self.also: set[Tree] = set()
        """Trees without a ripe tombstone of which proof is wanted too."""
        self._sought: dict[str, _Sought] = {}
        self._free_at: dict[tuple[Tree, PeerId], Instant] = {}
        """When a member was asked that keeps no keys of a tree which it does not own."""
        self.knows_cluster = False
        """Before it does, this peer would take itself for the only member."""

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a start, a wake, an order to reap or an answer; all else is not this part's."""
        match event:
            case Started():
                return self._rest(now)
            case RequestDue(request=self._id) if self._alarm.rings(now):
                return [*self._look(now), *self._rest(now)]
            case OperationDone(ticket=ticket, outcome=TombstonesListed() as listed) if ticket == self._listing:
                return self._listed(now, listed)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._dropping:
                self._dropping.remove(ticket)
                self._metrics.tombstones_reaped += isinstance(outcome, CopyDropped) and outcome.is_dropped
                return []
            case MessageReceived(sender=sender, message=StraysFound(request=id_, trees=trees)) if id_ in self._sought:
                self._found(sender, self._sought.pop(id_), frozenset(trees))
                return []
            case MessageReceived(sender=sender, message=ReapTombstone() as order):
                return self._ordered(sender, order)
            case _:
                return []

    def member_changed(self, now: Instant, update: Update) -> None:
        """Note who begins to live, and who has stopped."""
        peer, start = PeerId(update.member.id), start_of(update.incarnation)
        if update.liveness is not Liveness.ALIVE:
            self._lives_since.pop(peer, None)
        elif self._lives_since.get(peer, (-1, now))[0] != start:
            self._lives_since[peer] = start, now

    # --- looking ---

    def _rest(self, now: Instant) -> list[RingEffect]:
        jitter = self._rng.uniform(-self._settings.jitter, self._settings.jitter)
        return self._alarm.set(Instant(now + self._settings.exchange_s * (1 + jitter)))

    def _look(self, now: Instant) -> list[RingEffect]:
        for peer in self._roster.alive_peers:
            if peer not in self._lives_since and peer in self._members:
                self._lives_since[peer] = start_of(self._members[peer].incarnation), now
        self._listing = next(self._tickets)
        return [Operate(ticket=self._listing, operation=ListTombstones(after=self._after, limit=PAGE))]

    def _listed(self, now: Instant, listed: TombstonesListed) -> list[RingEffect]:
        """Watch what is new, and reap what has waited long enough and is proven; ask about the rest."""
        self._listing, self._after = None, listed.after or b""
        if self._roster.moves or not self.knows_cluster:
            return []
        effects: list[RingEffect] = []
        unproven = set(self.also)
        reaped = 0
        for tree, key, versions in listed.entries:
            homes = owners(self._roster, tree)
            if homes[:1] != (self._roster.me,):
                self._watched.pop(key, None)
                continue
            ripe_at = Instant(self._watch(now, key, versions) + self._settings.tombstone_grace_s)
            if now < ripe_at or reaped >= self._settings.reaped_at_once:
                continue
            if self.is_proven(tree, homes, ripe_at):
                reaped += 1
                self._watched.pop(key, None)
                effects += [Send(to=home, message=ReapTombstone(key=key, versions=versions)) for home in homes]
            else:
                unproven.add(tree)
        if listed.after is None:
            self._forget_gone(now)
        self._metrics.tombstones_waiting = len(self._watched)
        return [*effects, *self._seek(now, sorted(unproven)[:TREES_MAX])]

    def _watch(self, now: Instant, key: bytes, versions: Versions) -> Instant:
        """Tell since when a tombstone has been seen as it is."""
        known = print_of_versions(key, versions)
        watched = self._watched.get(key)
        if watched is not None and watched.known == known:
            return watched.since
        if watched is not None or len(self._watched) < self._settings.tombstones_watched_max:
            self._watched[key] = _Watched(known, now)
        return now

    def _forget_gone(self, now: Instant) -> None:
        """Forget the oldest notes now and then: a key that was written again is listed no more."""
        horizon = now - 10 * max(self._settings.tombstone_grace_s, self._settings.exchange_s)
        self._watched = {key: watched for key, watched in self._watched.items() if watched.since > horizon}

    # --- proof ---

    def _others(self) -> list[PeerId]:
        return [peer for peer, held in self._members.items() if held.standing is not Standing.REMOVED]

    def is_proven(self, tree: Tree, homes: tuple[PeerId, ...], ripe_at: Instant) -> bool:
        """Tell whether no member can hold anything of a tree that is older than what was here at that time."""
        for peer in self._others():
            if peer == self._roster.me:
                continue
            _, since = self._lives_since.get(peer, (0, Instant(float("inf"))))
            asked_at = self._exchanges.equal_since(tree, peer) if peer in homes else self._free_since(tree, peer)
            if not self._roster.alive(peer) or asked_at < max(ripe_at, since + self._settings.settle_s):
                return False
        return True

    def _free_since(self, tree: Tree, peer: PeerId) -> Instant:
        return self._free_at.get((tree, peer), LONG_AGO)

    def _seek(self, now: Instant, trees: list[Tree]) -> list[RingEffect]:
        """Ask all who own none of these trees whether they keep keys of them; what was asked before is over."""
        self._sought.clear()
        self._free_at = {at: since for at, since in self._free_at.items() if at[0] in trees}
        foreign: defaultdict[PeerId, list[Tree]] = defaultdict(list)
        for tree in trees:
            homes = owners(self._roster, tree)
            for peer in self._others():
                if peer not in homes and self._roster.alive(peer):
                    foreign[peer].append(tree)
        effects: list[RingEffect] = []
        for peer, unowned in foreign.items():
            id_ = next(self._ids)
            self._sought[id_] = _Sought(peer, tuple(unowned), now)
            effects.append(Send(to=peer, message=SeekStrays(request=id_, trees=tuple(unowned))))
        return effects

    def _found(self, sender: PeerId, sought: _Sought, kept: frozenset[Tree]) -> None:
        if sender == sought.peer:
            self._free_at |= {(tree, sender): sought.at for tree in sought.trees if tree not in kept}

    # --- reaping ---

    def _ordered(self, sender: PeerId, order: ReapTombstone) -> list[RingEffect]:
        """Forget a key on the order of one of its homes."""
        tree, _ = spot_of(order.key, self._roster.placement.vnodes)
        homes = owners(self._roster, tree)
        if sender not in homes or self._roster.me not in homes or len(self._dropping) >= DROPPING_MAX:
            return []
        if any(sibling.value is not None for sibling in order.versions.siblings):
            return []
        ticket = next(self._tickets)
        self._dropping.add(ticket)
        drop = DropCopy(key=order.key, versions=order.versions, hinted=tuple(sorted(self._members)))
        return [Operate(ticket=ticket, operation=drop)]
