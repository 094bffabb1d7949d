"""Join the parts of the storage half of a peer: hand each event to the part that it is for (`parts` lists them).

There is no rule here. A message that a part sends to its own peer is delivered on the spot, so a peer asks itself just
as it asks any other; what leaves is for the world.

A start begins with the member table of before, then with the records of jobs that have not ended (`reopening`).
"""

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import assert_never

from .effects import Completed, Joined, MemberChanged, Operate, RingEffect, Send
from .entropy.metrics import RepairMetrics
from .errors import InvariantBroken
from .events import (
    ChunkOffered,
    ChunkPulled,
    ClusterAwaited,
    CollectEvent,
    DamageEvent,
    DecisionRequested,
    ExpiryDue,
    GetRequested,
    HandoffDue,
    KeysRequested,
    MembershipEvent,
    MessageReceived,
    MintForetold,
    MoveEvent,
    OperationDone,
    PlanRequested,
    PutRequested,
    RequestDue,
    RingEvent,
    RingRequest,
    Started,
)
from .facts import Update
from .membership.banishing import word_to_removed
from .messages import (
    ChunkStored,
    CopyAnswered,
    CopyAsked,
    EntropyMessage,
    KeysListed,
    NamesMessage,
    ProbeMessage,
    PutCoordinated,
    RegisterMessage,
    ServiceAsked,
    ServiceDone,
    StandingMessage,
    VersionsFetched,
    VersionsStored,
    VersionsWanted,
    WriteMessage,
)
from .metrics import Metrics, collect_metrics, member_metrics, repair_metrics, scrub_metrics
from .operations import DropCopy
from .outcomes import VersionsListed
from .owners import Owner, owner_of
from .parts import Parts
from .placement.rendezvous import Placement
from .requests.coordinator import refusal
from .settings import RingSettings
from .terms import Incarnation, Instant, Member, PeerId
from .transfer.walk import Progress

Effects = list[RingEffect]

MENDED_MAX = 16
"""Corrupt copies that one page of keys has mended."""


class Ring:
    """Turns events into effects for the storage half of one peer."""

    def __init__(
        self, me: Member, incarnation: Incarnation, settings: RingSettings, rng: Random, recorded: int = 0
    ) -> None:
        """Make a peer; `recorded` is the start before this one by its own disk, 0 where the directory is new."""
        self._me = PeerId(me.id)
        self._parts = Parts(me, incarnation, settings, rng, recorded)
        self._speaks = False
        self._seeds: tuple[str, ...] = ()

    @property
    def members(self) -> Mapping[PeerId, Update]:
        """Everybody ever heard of, this peer included, in whatever state."""
        return self._parts.membership.members

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation of this peer, refutations included."""
        return self._parts.membership.incarnation

    @property
    def awareness(self) -> int:
        """How slow this peer takes itself to be: 0 is healthy, 8 the worst (Lifeguard, section 3.1)."""
        return self._parts.membership.awareness

    @property
    def news_queued(self) -> int:
        """How many pieces of news about members wait to be spread further."""
        return self._parts.membership.news_queued

    @property
    def placement(self) -> Placement:
        """Where every vnode lives: over all members that own keys, be they alive or dead."""
        return self._parts.roster.placement

    @property
    def progress(self) -> Progress:
        """How far this peer is with what it passes on to others."""
        return self._parts.transfer.progress

    @property
    def votes_owed(self) -> int:
        """How many jobs that have not ended keep this peer from leaving."""
        return self._parts.registry.votes_owed

    @property
    def may_vote(self) -> bool:
        """Whether this peer acts as an acceptor of registers."""
        return self._parts.registers.may_vote

    @property
    def repairs(self) -> RepairMetrics:
        """What anti-entropy has found and done since the start of this process."""
        return self._parts.anti_entropy.metrics

    def metrics(self, now: Instant) -> Metrics:
        """Count what each mechanism has done and has still to do."""
        members = member_metrics(self.members, self.awareness, self.news_queued)
        damage = scrub_metrics(self._parts.scrub, self._parts.mending)
        repairs = repair_metrics(self.repairs, self.progress, now)
        return {**members, **damage, **repairs, **collect_metrics(self._parts.collector.metrics)}

    def alive(self, peer: PeerId) -> bool:
        """Tell whether a peer is believed alive."""
        return self._parts.roster.alive(peer)

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """List all homes of `key`, best first; the first N are its primaries."""
        return self._parts.roster.preference(key)

    def handle(self, now: Instant, event: RingEvent) -> Effects:
        """Take one event, and return what the world is to do about it."""
        outward: Effects = []
        steps = deque(self._dispatch(now, event))
        while steps:
            match steps.popleft():
                case Send(to=self._me, message=message):
                    steps.extend(self._dispatch(now, MessageReceived(sender=self._me, message=message)))
                case MemberChanged(update=update) as changed:
                    outward.append(changed)
                    steps.extend(self._member_changed(now, update))
                case Operate(operation=DropCopy(key=key, versions=versions)) as drop:
                    self._parts.coordinator.gave_up(key, versions)
                    outward.append(drop)
                case effect:
                    outward.append(effect)
        return outward

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: it does not; the message tells where.
        """
        parts = self._parts
        for part in (parts.membership, parts.registers, parts.serving, parts.handoff, parts.collector):
            part.check()
        removed = set(parts.roster.removed_peers)
        if removed and any(home.id in removed for home in parts.roster.homes):
            raise InvariantBroken(f"a peer that was removed still owns keys at {self._me}: {sorted(removed)}")

    # --- events ---

    def _dispatch(self, now: Instant, event: RingEvent) -> Effects:
        parts = self._parts
        match event:
            case MessageReceived():
                return self._receive(now, event)
            case OperationDone() | MintForetold() | RequestDue():
                return self._to_its_owner(now, event)
            case Started(seeds=seeds):
                self._seeds = seeds
                return parts.member_rows.read()
            case ChunkPulled():
                return [*parts.serving.handle(event), *self._mend(now, event)]
            case HandoffDue() | ExpiryDue():
                part = parts.handoff if isinstance(event, HandoffDue) else parts.expiry
                return part.handle(now, event)
            case _ if isinstance(event, RingRequest):
                return self._begin(now, event)
            case _ if isinstance(event, MembershipEvent):
                return parts.membership.handle(now, event)
            case _ if isinstance(event, DamageEvent):
                return self._mend(now, event)
            case _ if isinstance(event, CollectEvent):
                return parts.collector.handle(now, event)
            case _:
                return self._move(now, event)

    def _move(self, now: Instant, event: MoveEvent) -> Effects:
        if isinstance(event, PlanRequested):
            return self._parts.survey.handle(event)
        return self._parts.registry.handle(now, event)

    def _start(self, now: Instant, event: OperationDone | RequestDue) -> Effects:
        """Take up the member table of before, and ask its members whether this disk is the newest."""
        parts = self._parts
        noted = parts.member_rows.take_table(event) if isinstance(event, OperationDone) else None
        if noted is None:
            return []
        effects = parts.membership.recall(now, noted)
        parts.roster.refresh(self.members, parts.membership.changes)
        effects += parts.lineage.begin(now, self.members, self._seeds)
        return [*effects, *self._speak(now)]

    def _trace(self, now: Instant, event: MessageReceived | RequestDue) -> Effects:
        """Take in what others know of this peer's last start."""
        parts = self._parts
        effects = parts.lineage.handle(now, event, self.members) if parts.member_rows.is_read else []
        parts.registers.may_vote = parts.lineage.may_vote
        return [*effects, *self._speak(now)]

    def _speak(self, now: Instant) -> Effects:
        """Begin in earnest, once nothing stands against it."""
        parts = self._parts
        if self._speaks or not parts.member_rows.is_read or parts.lineage.is_silent(now):
            return []
        self._speaks = True
        parts.registers.may_vote = parts.lineage.may_vote
        parts.joining.start(self._seeds, parts.registry.settled_members)
        knows_nobody = bool(parts.joining.obstacle)
        is_alone = not knows_nobody and len(self.members) == 1
        effects = parts.registry.start(now, parts.lineage.resumed(parts.member_rows.own), is_alone=is_alone)
        parts.roster.refresh(self.members, parts.membership.changes)
        started = Started(seeds=self._seeds)
        parts.anti_entropy.begin(knows_cluster=not knows_nobody)
        movers, menders = (parts.handoff, parts.transfer), (parts.anti_entropy, parts.expiry, parts.scrub)
        for part in (*movers, *menders, parts.membership, parts.collector):
            effects += part.handle(now, started)
        return [*effects, *parts.reopening.start(), *self._let_in(now)]

    def _let_in(self, now: Instant) -> Effects:
        return [effect for request in self._parts.joining.take_held() for effect in self._begin(now, request)]

    def _begin(self, now: Instant, event: RingRequest) -> Effects:
        """Take up a request; a decision waits for its majority anyway, all else for this peer to know its cluster."""
        parts = self._parts
        if parts.joining.obstacle and not isinstance(event, DecisionRequested):
            return parts.joining.hold(now, event)
        match event:
            case PutRequested():
                return parts.puts.handle(now, event)
            case GetRequested():
                return parts.gets.handle(now, event)
            case KeysRequested():
                return parts.listings.handle(now, event)
            case ChunkOffered():
                return parts.chunks.handle(now, event)
            case DecisionRequested():
                return parts.registers.handle(now, event)
            case ClusterAwaited(request=request):
                return [Completed(request=request, answer=Joined())]
            case _:
                assert_never(event)

    # --- messages ---

    def _receive(self, now: Instant, event: MessageReceived) -> Effects:
        """Hand a message to the part that it is for; who was removed is told so, whatever it says."""
        parts, message = self._parts, event.message
        if parts.membership.is_removed(event.sender) and event.sender != self._me:
            return [word_to_removed(self.members[event.sender], message)]
        if isinstance(message, CopyAsked):
            return parts.serving.handle(event)
        if isinstance(message, CopyAnswered):
            return self._copy_answered(now, event, message)
        if isinstance(message, WriteMessage):
            return self._write(now, event, message)
        if isinstance(message, ProbeMessage):
            return parts.membership.handle(now, event) if self._speaks else []
        if isinstance(message, RegisterMessage):
            return parts.registers.handle(now, event)
        if isinstance(message, EntropyMessage):
            return parts.anti_entropy.handle(now, event)
        if isinstance(message, NamesMessage):
            return parts.collector.handle(now, event) if self._speaks else []
        return self._stand(now, event, message)

    def _copy_answered(self, now: Instant, event: MessageReceived, message: CopyAnswered) -> Effects:
        """Offer what a peer says of its copies to all parts that ask peers for such."""
        parts = self._parts
        match message:
            case VersionsFetched(request=request) if parts.gets.awaits(request):
                return parts.gets.handle(now, event)
            case VersionsStored(request=request) if parts.coordinator.awaits(request):
                return parts.coordinator.handle(now, event)
            case VersionsFetched():
                readers = (parts.coordinator, parts.anti_entropy)
                return [effect for part in readers for effect in part.handle(now, event)]
            case VersionsStored():
                writers = (parts.handoff, parts.transfer, parts.anti_entropy)
                return [effect for part in writers for effect in part.handle(now, event)]
            case ChunkStored():
                placers = (parts.chunks, parts.handoff, parts.anti_entropy, parts.farewell)
                return [effect for part in placers for effect in part.handle(now, event)]
            case VersionsWanted():
                return parts.transfer.handle(now, event)
            case KeysListed():
                return parts.listings.handle(now, event)
            case _:
                assert_never(message)

    def _write(self, now: Instant, event: MessageReceived, message: WriteMessage) -> Effects:
        parts = self._parts
        if isinstance(message, PutCoordinated):
            return parts.puts.handle(now, event)
        if obstacle := parts.joining.obstacle:
            return [Send(to=event.sender, message=refusal(message, obstacle))]
        return parts.coordinator.handle(now, event)

    def _stand(self, now: Instant, event: MessageReceived, message: StandingMessage) -> Effects:
        if isinstance(message, ServiceAsked | ServiceDone):
            return self._parts.registry.handle(now, event)
        return self._trace(now, event)

    # --- what the world has done ---

    def _to_its_owner(self, now: Instant, event: OperationDone | MintForetold | RequestDue) -> Effects:
        """Hand it to the one part that it is for, if it tells; else all are asked."""
        parts = self._parts
        match event.owner if isinstance(event, RequestDue) else owner_of(event.ticket):
            case Owner.SERVING if isinstance(event, OperationDone):
                return [*parts.serving.handle(event), *self._mend_listed(now, event)]
            case Owner.COORDINATOR:
                return parts.coordinator.handle(now, event)
            case Owner.GETS:
                return parts.gets.handle(now, event)
            case Owner.PUTS:
                return parts.puts.handle(now, event)
            case _:
                return [] if isinstance(event, MintForetold) else self._offer(now, event)

    def _offer(self, now: Instant, event: OperationDone | RequestDue) -> Effects:
        """Offer it to all parts: tickets and request ids are drawn from one source, so only one knows it."""
        parts = self._parts
        readers = (parts.listings, parts.chunks)
        writers = (parts.handoff, parts.transfer, parts.anti_entropy, parts.expiry, parts.collector)
        offered = (*readers, *writers) if isinstance(event, RequestDue) else writers
        effects = [effect for part in offered for effect in part.handle(now, event)]
        effects += parts.member_rows.handle(now, event, self.members)
        effects += parts.registry.handle(now, event) if isinstance(event, RequestDue) else parts.survey.handle(event)
        effects += parts.farewell.handle(now, event)
        if isinstance(event, RequestDue):
            effects += [*parts.joining.wake(now, event), *self._trace(now, event)]
        else:
            effects += self._repair(now, event)
        return [*parts.registers.handle(now, event), *effects, *self._start(now, event)]

    def _repair(self, now: Instant, event: OperationDone) -> Effects:
        """Go on with the records of a start, and mend what a list of keys has shown to be corrupt."""
        return [*self._parts.reopening.handle(event), *self._mend_listed(now, event), *self._mend(now, event)]

    def _mend_listed(self, now: Instant, event: OperationDone) -> Effects:
        if not isinstance(event.outcome, VersionsListed):
            return []
        return [step for key in event.outcome.corrupt[:MENDED_MAX] for step in self._parts.gets.mend(now, key)]

    def _mend(self, now: Instant, event: OperationDone | ChunkPulled | DamageEvent) -> Effects:
        """Look for damage, and have what was found brought back."""
        parts = self._parts
        effects = [*parts.scrub.handle(now, event), *parts.mending.handle(now, event)]
        effects += [step for key in parts.mending.take_keys() for step in parts.gets.mend(now, key)]
        return [*effects, *parts.mending.wake(now)]

    def _member_changed(self, now: Instant, update: Update) -> Effects:
        parts = self._parts
        parts.lineage.learn(update)
        has_ownership_changed = parts.roster.refresh(self.members, parts.membership.changes)
        effects = parts.transfer.ownership_changed(now) if has_ownership_changed else []
        effects += parts.member_rows.member_changed(update, self.members)
        parts.joining.met(parts.registry.settled_members)
        effects += self._let_in(now)
        effects += parts.registry.member_changed(now, update)
        effects += parts.handoff.member_changed(now, update)
        knows_cluster = not parts.joining.obstacle
        effects += parts.anti_entropy.member_changed(now, update, knows_cluster=knows_cluster)
        for part in (parts.puts, parts.coordinator, parts.chunks, parts.listings):
            effects += part.members_changed(now)
        return effects
