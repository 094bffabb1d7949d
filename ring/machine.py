"""Join the parts of the storage half of a peer: hand each event to the part that it is for.

    membership   who is a member and who lives          puts, coordinator   writes: asking for one, and doing one
    serving      this peer's own copies                 gets, listing       reads of one key, and of a page of keys
    registers    write-once decisions                   chunks              placing immutable bytes
    handoff      hints on their way home                transfer            keys on their way to new primaries
    anti_entropy copies that differ or lie astray, and deletes that may be forgotten
    expiry       values that have ended                 scrub, mending      damage on the disk
    member_rows  the member table on disk               joining             no act before the cluster is known
    lineage      no word from an old disk

A start begins with the member table of before, then with the records of jobs that have not ended (`reopening`).

There is no rule here. A message that a part sends to its own peer is delivered on the spot, so a peer asks itself just
as it asks any other; what leaves is for the world.
"""

from collections import deque
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from .copies.reopening import Reopening
from .copies.serving import Serving
from .effects import Completed, Joined, MemberChanged, Operate, RingEffect, Send
from .errors import InvariantBroken
from .events import (
    ChunkOffered,
    ChunkPulled,
    ChunksScrubbed,
    ClusterAwaited,
    DecisionRequested,
    ExchangeDue,
    ExpiryDue,
    GetRequested,
    GossipDue,
    HandoffDue,
    KeysRequested,
    LeaveRequested,
    LinkBroke,
    MendDue,
    MessageReceived,
    OperationDone,
    PlanRequested,
    ProbeDue,
    ProbeExpired,
    PutRequested,
    RelayExpired,
    RemoveRequested,
    RequestDue,
    RingEvent,
    ScrubDue,
    Started,
    StopRequested,
    SuspicionExpired,
)
from .membership.joining import Joining
from .membership.lineage import Lineage
from .membership.member_rows import MemberRows
from .membership.registry import Registry, RegistrySettings
from .membership.swim import Membership, MembershipSettings
from .messages import (
    Accept,
    Accepted,
    Ack,
    ChunkStored,
    CompareLeaves,
    CompareTrees,
    CoordinatePut,
    FetchVersions,
    Gossip,
    KeysListed,
    LeavesCompared,
    ListKeys,
    Nack,
    OfferVersions,
    Ping,
    PingRequest,
    Prepare,
    Promised,
    PushPull,
    PutCoordinated,
    ReapTombstone,
    RecallStart,
    SeekStrays,
    ServiceAsked,
    ServiceDone,
    StartRecalled,
    StoreChunk,
    StoreVersions,
    StraysFound,
    TreesCompared,
    Update,
    VersionsFetched,
    VersionsStored,
    VersionsWanted,
)
from .metrics import Metrics, member_metrics, repair_metrics, scrub_metrics
from .operations import DropCopy, VersionsListed
from .owners import Owner, owner_of, tickets_of
from .placement.rendezvous import Placement
from .placement.roster import Roster
from .repair.anti_entropy import AntiEntropy
from .repair.entropy_settings import EntropySettings
from .repair.expiry import Expiry
from .repair.farewell import Farewell
from .repair.handoff import Handoff
from .repair.handoff_settings import HandoffSettings
from .repair.mending import Mending
from .repair.repair_metrics import RepairMetrics
from .repair.scrub import Scrub, ScrubSettings
from .repair.survey import Survey
from .repair.transfer import Transfer, TransferSettings
from .repair.transfer_pass import Progress
from .requests.chunks import Chunks
from .requests.coordinator import Coordinator, refusal
from .requests.gets import Gets
from .requests.listing import Listings
from .requests.puts import Puts
from .requests.quorum import QuorumSettings
from .requests.registers import Registers, RegisterSettings
from .terms import VNODES, Incarnation, Instant, Member, PeerId, start_of

Effects = list[RingEffect]
RingRequest = PutRequested | GetRequested | KeysRequested | ChunkOffered | DecisionRequested | ClusterAwaited

MENDED_MAX = 16
"""Corrupt copies that one page of keys has mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSettings:
    """Put the settings of the parts together; all peers of a cluster must agree on `vnodes` and `replicas`."""

    vnodes: int = VNODES
    replicas: int = 3
    membership: MembershipSettings = field(default_factory=MembershipSettings)
    quorum: QuorumSettings = field(default_factory=QuorumSettings)
    registers: RegisterSettings = field(default_factory=RegisterSettings)
    handoff: HandoffSettings = field(default_factory=HandoffSettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    scrub: ScrubSettings = field(default_factory=ScrubSettings)
    entropy: EntropySettings = field(default_factory=EntropySettings)


class Ring:
    """Turns events into effects for the storage half of one peer."""

    def __init__(
        self, me: Member, incarnation: Incarnation, settings: RingSettings, rng: Random, recorded: int = 0
    ) -> None:
        """Make a peer; `recorded` is the start before this one by its own disk, 0 where the directory is new."""
        self._me = PeerId(me.id)
        tickets = tickets_of(Owner.ANY)
        ids = (f"{start_of(incarnation):x}.{ticket:x}" for ticket in tickets)
        quorum, replicas = settings.quorum, settings.replicas
        self._roster = roster = Roster(me, vnodes=settings.vnodes, replicas=replicas)
        self._membership = Membership(me, incarnation, settings.vnodes, settings.membership, rng)
        self._joining = Joining(me.url)
        self._member_rows = MemberRows(me=self._me, tickets=tickets, ids=ids)
        self._reopening = Reopening(tickets)
        self._speaks = False
        self._lineage = Lineage(me, incarnation, recorded, ids)
        self._seeds: tuple[str, ...] = ()
        self._registers = Registers(self._me, tickets, settings.registers, rng)
        self._registers.may_vote = recorded == 0
        self._serving = Serving(me=self._me, tickets=tickets_of(Owner.SERVING), asked_max=quorum.serving_max)
        self._puts = Puts(roster=roster, settings=quorum)
        self._coordinator = Coordinator(
            roster=roster,
            incarnation=incarnation,
            drawn=copy(rng).getrandbits(32),  # of a copy, so that no other chance depends on it
            tickets=tickets_of(Owner.COORDINATOR),
            ids=ids,
            settings=quorum,
        )
        self._gets = Gets(roster=roster, ids=ids, settings=quorum)
        self._listings = Listings(roster=roster, ids=ids, settings=quorum)
        self._chunks = Chunks(roster=roster, ids=ids, settings=quorum)
        self._expiry = Expiry(tickets)
        self._mending = Mending(tickets=tickets)
        self._scrub = Scrub(tickets=tickets, settings=settings.scrub, mending=self._mending)
        self._handoff = Handoff(
            me=me,
            roster=roster,
            replicas=replicas,
            tickets=tickets,
            ids=ids,
            settings=settings.handoff,
            quorum=quorum,
            rng=rng,
        )
        self._transfer = Transfer(
            roster=roster, replicas=replicas, tickets=tickets, ids=ids, settings=settings.transfer
        )
        self._anti_entropy = AntiEntropy(
            roster=roster,
            members=self._membership.members,
            tickets=tickets,
            ids=ids,
            settings=settings.entropy,
            quorum=quorum,
            rng=Random(copy(rng).getrandbits(64)),  # of a copy, so that no other chance depends on it
        )
        self._survey = Survey(roster=roster, replicas=replicas, tickets=tickets)
        self._farewell = Farewell(me=me, roster=roster, replicas=replicas, tickets=tickets, ids=ids, quorum=quorum)
        self._registry = Registry(
            membership=self._membership,
            roster=roster,
            transfer=self._transfer,
            farewell=self._farewell,
            ids=ids,
            settings=settings.registry,
        )

    @property
    def members(self) -> Mapping[PeerId, Update]:
        """Everybody ever heard of, this peer included, in whatever state."""
        return self._membership.members

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation of this peer, refutations included."""
        return self._membership.incarnation

    @property
    def awareness(self) -> int:
        """How slow this peer takes itself to be: 0 is healthy, 8 the worst (Lifeguard, section 3.1)."""
        return self._membership.awareness

    @property
    def news_queued(self) -> int:
        """How many pieces of news about members wait to be spread further."""
        return self._membership.news_queued

    @property
    def placement(self) -> Placement:
        """Where every vnode lives: over all members that own keys, be they alive or dead."""
        return self._roster.placement

    @property
    def progress(self) -> Progress:
        """How far this peer is with what it passes on to others."""
        return self._transfer.progress

    @property
    def may_vote(self) -> bool:
        """Whether this peer acts as an acceptor of registers."""
        return self._registers.may_vote

    @property
    def repairs(self) -> RepairMetrics:
        """What anti-entropy has found and done since the start of this process."""
        return self._anti_entropy.metrics

    def metrics(self, now: Instant) -> Metrics:
        """Count what each mechanism has done and has still to do."""
        members = member_metrics(self.members, self.awareness, self.news_queued)
        return {
            **members,
            **scrub_metrics(self._scrub, self._mending),
            **repair_metrics(self.repairs, self.progress, now),
        }

    def alive(self, peer: PeerId) -> bool:
        """Tell whether a peer is believed alive."""
        return self._roster.alive(peer)

    def preference(self, key: bytes) -> tuple[PeerId, ...]:
        """List all homes of `key`, best first; the first N are its primaries."""
        return self._roster.preference(key)

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take one event, and return what the world is to do about it."""
        outward: list[RingEffect] = []
        steps = deque(self._dispatch(now, event))
        while steps:
            match steps.popleft():
                case Send(to=self._me, message=message):
                    steps.extend(self._dispatch(now, MessageReceived(sender=self._me, message=message)))
                case MemberChanged(update=update) as changed:
                    outward.append(changed)
                    steps.extend(self._member_changed(now, update))
                case Operate(operation=DropCopy(versions=versions)) as drop:
                    self._coordinator.gave_up(versions)
                    outward.append(drop)
                case effect:
                    outward.append(effect)
        return outward

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: it does not; the message tells where.
        """
        for part in (self._membership, self._registers, self._serving, self._handoff):
            part.check()
        removed = set(self._roster.removed_peers)
        if removed and any(home.id in removed for home in self._roster.homes):
            raise InvariantBroken(f"a peer that was removed still owns keys at {self._me}: {sorted(removed)}")

    # --- dispatch ---

    def _dispatch(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        match event:
            case MessageReceived():
                return self._receive(now, event)
            case OperationDone() | RequestDue():
                return self._to_its_owner(now, event)
            case ProbeDue() | ProbeExpired() | RelayExpired() | SuspicionExpired() | GossipDue() | ExchangeDue():
                return self._membership.handle(now, event)
            case LinkBroke() | StopRequested():
                return self._membership.handle(now, event)
            case LeaveRequested() | RemoveRequested():
                return self._registry.handle(now, event)
            case PlanRequested():
                return self._survey.handle(event)
            case Started(seeds=seeds):
                self._seeds = seeds
                return self._member_rows.read()
            case PutRequested() | GetRequested() | KeysRequested() | ChunkOffered():
                return self._begin(now, event)
            case DecisionRequested() | ClusterAwaited():
                return self._begin(now, event)
            case ChunkPulled():
                return [*self._serving.handle(event), *self._mend(now, event)]
            case ScrubDue() | MendDue() | ChunksScrubbed():
                return self._mend(now, event)
            case HandoffDue():
                return self._handoff.handle(now, event)
            case ExpiryDue():
                return self._expiry.handle(now, event)
            case _:
                assert_never(event)

    def _start(self, now: Instant, event: OperationDone | RequestDue) -> list[RingEffect]:
        """Take up the member table of before, and ask its members whether this disk is the newest."""
        noted = self._member_rows.take_table(event) if isinstance(event, OperationDone) else None
        if noted is None:
            return []
        effects = self._membership.recall(now, noted)
        self._roster.refresh(self.members, self._membership.changes)
        effects += self._lineage.begin(now, self.members, self._seeds)
        return [*effects, *self._speak(now)]

    def _trace(self, now: Instant, event: MessageReceived | RequestDue) -> list[RingEffect]:
        """Take in what others know of this peer's last start."""
        effects = self._lineage.handle(now, event) if self._member_rows.is_read else []
        self._registers.may_vote = self._lineage.may_vote
        return [*effects, *self._speak(now)]

    def _speak(self, now: Instant) -> list[RingEffect]:
        """Begin in earnest, once nothing stands against it."""
        if self._speaks or not self._member_rows.is_read or self._lineage.is_silent(now):
            return []
        self._speaks = True
        self._registers.may_vote = self._lineage.may_vote
        self._joining.start(self._seeds, self._registry.settled_members)
        knows_nobody = bool(self._joining.obstacle)
        is_alone = not knows_nobody and len(self.members) == 1
        effects = self._registry.start(now, self._member_rows.own, is_alone=is_alone)
        self._roster.refresh(self.members, self._membership.changes)
        started = Started(seeds=self._seeds)
        self._anti_entropy.begin(knows_cluster=not knows_nobody)
        for part in (self._handoff, self._transfer, self._anti_entropy, self._expiry, self._scrub, self._membership):
            effects += part.handle(now, started)
        return [*effects, *self._reopening.start(), *self._let_in(now)]

    def _let_in(self, now: Instant) -> list[RingEffect]:
        return [effect for request in self._joining.take_held() for effect in self._begin(now, request)]

    def _begin(self, now: Instant, event: RingRequest) -> list[RingEffect]:
        """Take up a request; a decision waits for its majority anyway, all else for this peer to know its cluster."""
        if self._joining.obstacle and not isinstance(event, DecisionRequested):
            return self._joining.hold(now, event)
        match event:
            case PutRequested():
                return self._puts.handle(now, event)
            case GetRequested():
                return self._gets.handle(now, event)
            case KeysRequested():
                return self._listings.handle(now, event)
            case ChunkOffered():
                return self._chunks.handle(now, event)
            case DecisionRequested():
                return self._registers.handle(now, event)
            case ClusterAwaited(request=request):
                return [Completed(request=request, answer=Joined())]
            case _:
                assert_never(event)

    def _receive(self, now: Instant, event: MessageReceived) -> list[RingEffect]:
        """Hand a message to the part that it is for; who was removed is told so, whatever it says."""
        if self._membership.is_removed(event.sender) and event.sender != self._me:
            return [Send(to=event.sender, message=Gossip(news=(self.members[event.sender],)))]
        match event.message:
            case ServiceAsked() | ServiceDone():
                return self._registry.handle(now, event)
            case Ping() | PingRequest() | Ack() | Nack() | Gossip() | PushPull():
                return self._membership.handle(now, event) if self._speaks else []
            case RecallStart() | StartRecalled():
                return self._trace(now, event)
            case CoordinatePut() as order:
                obstacle = self._joining.obstacle
                refused: list[RingEffect] = [Send(to=event.sender, message=refusal(order, obstacle))]
                return refused if obstacle else self._coordinator.handle(now, event)
            case PutCoordinated():
                return self._puts.handle(now, event)
            case VersionsWanted():
                return self._transfer.handle(now, event)
            case StoreVersions() | OfferVersions() | FetchVersions() | ListKeys() | StoreChunk():
                return self._serving.handle(event)
            case VersionsFetched():
                readers = (self._gets, self._coordinator, self._anti_entropy)
                return [effect for part in readers for effect in part.handle(now, event)]
            case KeysListed():
                return self._listings.handle(now, event)
            case Prepare() | Promised() | Accept() | Accepted():
                return self._registers.handle(now, event)
            case VersionsStored():
                parts = (self._coordinator, self._handoff, self._transfer, self._anti_entropy)
                return [effect for part in parts for effect in part.handle(now, event)]
            case ChunkStored():
                placers = (self._chunks, self._handoff, self._anti_entropy, self._farewell)
                return [effect for part in placers for effect in part.handle(now, event)]
            case CompareTrees() | TreesCompared() | CompareLeaves() | LeavesCompared():
                return self._anti_entropy.handle(now, event)
            case SeekStrays() | StraysFound() | ReapTombstone():
                return self._anti_entropy.handle(now, event)
            case _:
                assert_never(event.message)

    def _to_its_owner(self, now: Instant, event: OperationDone | RequestDue) -> list[RingEffect]:
        """Hand it to the one part that it is for, if it tells; else all are asked."""
        match event.owner if isinstance(event, RequestDue) else owner_of(event.ticket):
            case Owner.SERVING if isinstance(event, OperationDone):
                return [*self._serving.handle(event), *self._mend_listed(now, event)]
            case Owner.COORDINATOR:
                return self._coordinator.handle(now, event)
            case Owner.GETS:
                return self._gets.handle(now, event)
            case Owner.PUTS:
                return self._puts.handle(now, event)
            case _:
                return self._offer(now, event)

    def _offer(self, now: Instant, event: OperationDone | RequestDue) -> list[RingEffect]:
        """Offer it to all parts: tickets and request ids are drawn from one source, so only one knows it."""
        readers = (self._listings, self._chunks)
        writers = (self._handoff, self._transfer, self._anti_entropy, self._expiry)
        parts = (*readers, *writers) if isinstance(event, RequestDue) else writers
        effects = [effect for part in parts for effect in part.handle(now, event)]
        effects += self._member_rows.handle(now, event, self.members)
        effects += self._registry.handle(now, event) if isinstance(event, RequestDue) else self._survey.handle(event)
        effects += self._farewell.handle(now, event)
        if isinstance(event, RequestDue):
            effects += [*self._joining.wake(now, event), *self._trace(now, event)]
        else:
            effects += self._repair(now, event)
        return [*self._registers.handle(now, event), *effects, *self._start(now, event)]

    def _repair(self, now: Instant, event: OperationDone) -> list[RingEffect]:
        """Go on with the records of a start, and mend what a list of keys has shown to be corrupt."""
        return [*self._reopening.handle(event), *self._mend_listed(now, event), *self._mend(now, event)]

    def _mend_listed(self, now: Instant, event: OperationDone) -> Effects:
        if not isinstance(event.outcome, VersionsListed):
            return []
        return [step for key in event.outcome.corrupt[:MENDED_MAX] for step in self._gets.mend(now, key)]

    def _mend(self, now: Instant, event: OperationDone | ChunkPulled | ChunksScrubbed | ScrubDue | MendDue) -> Effects:
        """Look for damage, and have what was found brought back."""
        effects = [*self._scrub.handle(now, event), *self._mending.handle(now, event)]
        effects += [step for key in self._mending.take_keys() for step in self._gets.mend(now, key)]
        return [*effects, *self._mending.wake(now)]

    def _member_changed(self, now: Instant, update: Update) -> list[RingEffect]:
        self._lineage.learn(update)
        has_ownership_changed = self._roster.refresh(self.members, self._membership.changes)
        effects = self._transfer.ownership_changed(now) if has_ownership_changed else []
        effects += self._member_rows.member_changed(update, self.members)
        self._joining.met(self._registry.settled_members)
        effects += self._let_in(now)
        effects += self._registry.member_changed(now, update)
        effects += self._handoff.member_changed(now, update)
        knows_cluster = not self._joining.obstacle
        effects += self._anti_entropy.member_changed(now, update, knows_cluster=knows_cluster)
        for part in (self._puts, self._coordinator, self._chunks, self._listings):
            effects += part.members_changed(now)
        return effects
