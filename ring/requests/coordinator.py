"""Coordinate writes of this and other peers: mint one dot for each, spread the copies, and say what was achieved.

    asker ── CoordinatePut ──> coordinator: MintVersion, foretold
                               ── StoreVersions ──> the other primaries (fallbacks with a hint where one is absent)
                               MintVersion, durable here
                               <── VersionsStored ──
          <── PutCoordinated ── at W durable copies, its own included; the rest follow after the answer

The copies leave as soon as the store tells what it is about to write, so all homes write at the same time. Where the
coordinator's own disk then refuses, its copy is hinted like that of any absent primary; and because others may have a
dot now that its own copy lacks, it goes on under a new name for that key (`actors`), and foretells nothing until its
disk has taken a write.

A conditional put begins with a look at R primaries (`looking`), and ends without a write where its condition fails.

An actor is one start of one peer, with a number drawn at that start: a disk put back to an older state makes its peer
count starts again that it has lived through, and with the same names it would use dots again that others know.

A retry brings the same request id; the coordinator remembers recent ones, so it mints no second dot. It would serve
even where it is no primary in its own eyes: its dots are its own, so nothing breaks, and tables soon agree.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from msgspec import msgpack
from msgspec.structs import replace

from ..alarm import RequestAlarms
from ..copies.records import record_seen
from ..effects import Operate, RingEffect, Send
from ..events import MessageReceived, MintForetold, OperationDone, RequestDue, RingEvent
from ..facts import Context, Versions
from ..messages import CoordinatePut, FetchVersions, PutCoordinated, StoreVersions, VersionsFetched, VersionsStored
from ..operations import MintVersion, ReadVersions
from ..outcomes import MintConflict, StoreFailed, StoreOutcome, VersionsMerged, VersionsRead
from ..owners import Owner
from ..placement.roster import Roster
from ..terms import Condition, Incarnation, Instant, PeerId, Quorum, start_of
from .actors import Actors
from .looking import Look
from .quorum import Copy, QuorumSettings, Spread
from .turns import Turns

_LINGER_PATIENCES = 4
"""A write stays open for so many replica patiences at least: time for a fallback's fallback, and then for a hint."""


@dataclass(slots=True, kw_only=True)
class _Write:
    """One write under coordination; it outlives its answer until all N copies are durable or hinted."""

    id: str
    identity: bytes
    order: CoordinatePut
    askers: list[PeerId]
    spread: Spread
    deadline: Instant
    closes: Instant
    look: Look | None = None
    versions: Versions | None = None
    context: Context = field(default_factory=dict)
    """What the writer is told to hand back; it covers the write once that is minted."""
    is_minting: bool = False
    has_left: bool = False
    """Whether anybody was sent a copy."""
    is_answered: bool = False
    replaced_corrupt: bool = False


class Coordinator:
    """Holds the writes that this peer coordinates, and remembers those it has finished."""

    def __init__(
        self,
        *,
        roster: Roster,
        incarnation: Incarnation,
        drawn: int,
        tickets: Iterator[int],
        ids: Iterator[str],
        settings: QuorumSettings,
    ) -> None:
        """Mint by an actor of this start's own; `drawn` is a random number of 32 bits."""
        self._roster = roster
        self._actors = Actors(f"{roster.me}.{start_of(incarnation)}.{drawn:08x}")
        self._foretells = True
        self._tickets = tickets
        self._ids = ids
        self._settings = settings
        self._writes: dict[str, _Write] = {}
        self._alarms = RequestAlarms(Owner.COORDINATOR)
        self._by_identity: dict[bytes, _Write] = {}
        self._minting: dict[int, _Write] = {}
        self._turns: Turns[tuple[_Write, Versions | None]] = Turns()
        self._remembered: OrderedDict[bytes, PutCoordinated] = OrderedDict()

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an order, what comes of it or a wake; all else is no business of this part."""
        match event:
            case MessageReceived(sender=sender, message=CoordinatePut() as order):
                return self._ordered(now, sender, order)
            case OperationDone(ticket=ticket, outcome=outcome) if ticket in self._minting:
                return self._decided(now, self._minting.pop(ticket), outcome)
            case MintForetold(ticket=ticket, versions=versions, actor=actor) if ticket in self._minting:
                return self._foretold(now, self._minting[ticket], versions, actor)
            case MessageReceived(sender=sender, message=VersionsStored(request=id_)) if id_ in self._writes:
                self._writes[id_].spread.acknowledged(sender)
                return self._advance(now, self._writes[id_])
            case MessageReceived(sender=sender, message=VersionsFetched() as copy) if copy.request in self._writes:
                return self._looked(now, sender, self._writes[copy.request], copy)
            case RequestDue(owner=Owner.COORDINATOR):
                due = [effect for id_ in self._alarms.rung(now) for effect in self._advance(now, self._writes[id_])]
                return [*due, *self._alarms.wake()]
            case _:
                return []

    def awaits(self, request: str) -> bool:
        """Tell whether answers of that request are for a write that is open here."""
        return request in self._writes

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Ask others for the copies of peers that are no longer alive, and peers that are back for their own."""
        return [effect for write in list(self._writes.values()) for effect in self._advance(now, write)]

    def gave_up(self, key: bytes, versions: Versions) -> None:
        """Take note that a copy goes: its dots may be known elsewhere, so none of them may be minted again."""
        if self._actors.have_minted(versions):
            self._actors.part_from(key)

    # --- one dot for each request ---

    def _ordered(self, now: Instant, asker: PeerId, order: CoordinatePut) -> list[RingEffect]:
        identity = _identity(order)
        known = self._remembered.get(identity)
        if known is not None and not known.error:
            return [Send(to=asker, message=known)]
        open_write = self._by_identity.get(identity)
        if open_write is not None:
            return self._joined(now, asker, open_write, order)
        write = self._begin(now, asker, order, identity)
        if known is not None:
            return self._operate(write, ReadVersions(key=order.key))
        if order.condition is Condition.NONE:
            return self._mint(write, None)
        write.look = Look(
            roster=self._roster,
            key=order.key,
            replicas=max(1, order.replicas),
            reads_required=order.reads_required,
            patience_s=self._settings.replica_patience_s,
        )
        return self._advance(now, write)

    def _looked(self, now: Instant, home: PeerId, write: _Write, copy: VersionsFetched) -> list[RingEffect]:
        if write.look is None:
            return []
        write.look.answered(home, copy.versions, copy.error)
        return self._advance(now, write)

    def _look(self, now: Instant, write: _Write, look: Look) -> list[RingEffect]:
        """Go on asking until R homes have said what they hold; nothing is written before."""
        if look.reached:
            write.look = None
            return self._mint(write, look.merged)
        if look.obstacle or now >= write.deadline:
            return self._refuse(write, look.obstacle or look.shortage)
        fetch = FetchVersions(request=write.id, key=write.order.key)
        asked = [Send(to=home, message=fetch) for home in look.ask(now)]
        return [*asked, *self._alarms.set(write.id, min(look.next_due, write.deadline))]

    def _mint(self, write: _Write, known: Versions | None, *, is_one_of_many: bool = False) -> list[RingEffect]:
        order = write.order
        if self._turns.holds(order.key, (write, known)):
            return self._alarms.set(write.id, write.deadline)
        is_plain = order.condition is Condition.NONE and not order.over_corrupt and not is_one_of_many
        is_foretold = is_plain and self._foretells and self._turns.is_free(order.key)
        self._turns.begin(order.key, is_foretold=is_foretold)
        write.is_minting = True
        mint = MintVersion(
            key=order.key,
            value=order.value,
            context=order.context,
            actor=self._actors.of(order.key),
            expires_at=order.expires_at,
            condition=order.condition,
            known=known,
            over_corrupt=order.over_corrupt,
            is_foretold=is_foretold,
            hints_for=write.spread.hints_at_once(),
        )
        return self._operate(write, mint)

    def _operate(self, write: _Write, operation: MintVersion | ReadVersions) -> list[RingEffect]:
        ticket = next(self._tickets)
        self._minting[ticket] = write
        return [Operate(ticket=ticket, operation=operation), *self._alarms.set(write.id, write.deadline)]

    def _begin(self, now: Instant, asker: PeerId, order: CoordinatePut, identity: bytes) -> _Write:
        id_ = next(self._ids)
        quorum = Quorum(replicas=order.replicas, writes_required=order.writes_required, strict=order.strict)
        patience_s = self._settings.replica_patience_s
        spread = Spread(
            roster=self._roster, key=order.key, quorum=quorum, patience_s=patience_s, keeper=self._roster.me
        )
        write = _Write(
            id=id_,
            identity=identity,
            order=order,
            askers=[asker],
            spread=spread,
            deadline=Instant(now + order.patience_s),
            closes=Instant(now + max(order.patience_s, _LINGER_PATIENCES * patience_s)),
        )
        self._writes[id_] = self._by_identity[identity] = write
        return write

    def _joined(self, now: Instant, asker: PeerId, write: _Write, order: CoordinatePut) -> list[RingEffect]:
        """Let one more asker wait for a write that is under way, or that has missed W but not yet given up."""
        write.askers.append(asker)
        write.is_answered = False
        write.deadline = Instant(now + order.patience_s)
        write.closes = max(write.closes, write.deadline)
        return self._advance(now, write)

    def _decided(self, now: Instant, write: _Write, outcome: StoreOutcome) -> list[RingEffect]:
        """Take what came of a mint, and let those mint that have waited for it."""
        was_minting, write.is_minting = write.is_minting, False
        effects = self._minted(now, write, outcome)
        waiting = self._turns.end(write.order.key) if was_minting else []
        is_one_of_many = len(waiting) > 1
        return effects + [step for turn in waiting for step in self._mint(*turn, is_one_of_many=is_one_of_many)]

    def _foretold(self, now: Instant, write: _Write, versions: Versions, actor: str) -> list[RingEffect]:
        """Let the copies go while this peer's own is on its way to the disk."""
        write.versions = versions
        write.context = _context_after(write.order.context, versions, actor)
        write.spread.awaits(self._roster.me)
        return self._advance(now, write)

    def _minted(self, now: Instant, write: _Write, outcome: StoreOutcome) -> list[RingEffect]:
        match outcome:
            case VersionsMerged(versions=versions, actor=actor, replaced_corrupt=replaced):
                self._foretells = True
                write.replaced_corrupt = replaced
                write.context = _context_after(write.order.context, versions, actor)
                if write.identity not in self._remembered:
                    self._remember(write.identity, _reply(write, error="no copies are acknowledged yet"))
            case VersionsRead(versions=Versions() as versions):
                pass  # a retry of a write that was minted here before: what the key holds now contains its dot
            case MintConflict(versions=versions):
                return self._refuse(write, "something else is there", conflict=versions)
            case StoreFailed(reason=reason) if write.versions is not None:
                return self._lost(now, write, reason)
            case StoreFailed(reason=reason, is_corrupt=is_corrupt):
                return self._refuse(write, reason, is_corrupt=is_corrupt)
            case _:
                return self._refuse(write, "the copy minted before is gone")
        write.versions = versions
        write.spread.acknowledged(self._roster.me)
        return [*record_seen(write.order.key, versions), *self._advance(now, write)]

    def _lost(self, now: Instant, write: _Write, reason: str) -> list[RingEffect]:
        """Go on with the copies at others where this peer's disk has refused its own."""
        self._foretells = False
        self._actors.part_from(write.order.key)
        if not write.has_left:
            return self._refuse(write, reason)
        write.spread.lost_keeper(now)
        return self._advance(now, write)

    def _refuse(
        self, write: _Write, reason: str, *, conflict: Versions | None = None, is_corrupt: bool = False
    ) -> list[RingEffect]:
        self._forget(write)
        refused = replace(refusal(write.order, reason), conflict=conflict, is_corrupt=is_corrupt)
        return [Send(to=asker, message=refused) for asker in write.askers]

    # --- its copies ---

    def _advance(self, now: Instant, write: _Write) -> list[RingEffect]:
        if write.look is not None:
            return self._look(now, write, write.look)
        effects: list[RingEffect] = []
        if write.versions is not None:
            effects += self._store(write, write.versions, write.spread.advance(now))
        if not write.is_answered and (write.spread.reached or now >= write.deadline):
            effects += self._answer(write)
        if write.versions is not None and not write.is_minting and (write.spread.complete or now >= write.closes):
            self._forget(write)
            return [*effects, *self._store(write, write.versions, write.spread.hints_left())]
        due = min(write.spread.next_due, write.closes if write.is_answered else write.deadline)
        return [*effects, *(self._alarms.set(write.id, due) if due > now else [])]

    def _store(self, write: _Write, versions: Versions, copies: list[Copy]) -> list[RingEffect]:
        write.has_left = write.has_left or bool(copies)
        return [
            Send(
                to=copy.to,
                message=StoreVersions(request=write.id, key=write.order.key, versions=versions, hint_for=copy.hint_for),
            )
            for copy in copies
        ]

    def _answer(self, write: _Write) -> list[RingEffect]:
        spread = write.spread
        error = ""
        if not spread.reached:
            copies = spread.primaries + spread.fallbacks
            error = f"only {copies} of {spread.required} copies durable in time: unknown whether it took effect"
        reply = _reply(write, error)
        if not error or write.identity in self._remembered:
            self._remember(write.identity, reply)
        askers, write.askers, write.is_answered = write.askers, [], True
        return [Send(to=asker, message=reply) for asker in dict.fromkeys(askers)]

    def _remember(self, identity: bytes, reply: PutCoordinated) -> None:
        self._remembered[identity] = reply
        self._remembered.move_to_end(identity)
        while len(self._remembered) > self._settings.remembered_max:
            self._remembered.popitem(last=False)

    def _forget(self, write: _Write) -> None:
        del self._writes[write.id]
        self._alarms.drop(write.id)
        del self._by_identity[write.identity]


def refusal(order: CoordinatePut, reason: str) -> PutCoordinated:
    """Say by `replicas` 0 that nothing was written here, so that the asker may go to another coordinator."""
    return PutCoordinated(request=order.request, error=reason[:1024], context={}, replicas=0, primaries=0, fallbacks=0)


def _identity(order: CoordinatePut) -> bytes:
    """Name a write by all that its retries have in common, in case two callers choose one request id."""
    written = (order.key, order.value, order.expires_at, order.condition)
    content = (order.request, *written, sorted(order.context.items()))
    return blake2b(msgpack.encode(content), digest_size=16).digest()


def _reply(write: _Write, error: str) -> PutCoordinated:
    return PutCoordinated(
        request=write.order.request,
        error=error,
        context=write.context,
        replicas=write.spread.replicas,
        primaries=write.spread.primaries,
        fallbacks=write.spread.fallbacks,
        siblings=0 if write.versions is None else len(write.versions.siblings),
        replaced_corrupt=write.replaced_corrupt,
    )


def _context_after(context: Context, versions: Versions, actor: str) -> Context:
    """Give the writer a context that covers its own write, but no sibling that it has never seen.

    A context covers all dots of an actor up to the greatest; where that would take in another's concurrent value, the
    writer keeps the context it came with, for a false sibling is better than a lost write.
    """
    minted = versions.seen[actor]
    seen = context.get(actor, 0)
    hides = any(sibling.dot.actor == actor and seen < sibling.dot.counter < minted for sibling in versions.siblings)
    return context if hides else {**context, actor: minted}
