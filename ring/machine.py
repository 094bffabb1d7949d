"""Join the parts of the storage half of a peer: hand each event to the part that it is for.

    membership   who is a member and who lives          puts, coordinator   writes: asking for one, and doing one
    serving      this peer's own copies                 gets, listing       reads of one key, and of a page of keys
    registers    write-once decisions                   chunks              placing immutable bytes
    handoff      hints on their way home                transfer            keys on their way to new primaries
    member_rows  the member table on disk               joining             no act before the cluster is known

A start begins with the member table of before, then with the records of jobs that have not ended (`reopening`).

There is no rule here. A message that a part sends to its own peer is delivered on the spot, so a peer asks itself just
as it asks any other; what leaves is for the world.
"""

from collections import deque
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import assert_never

from .copies.reopening import Reopening
from .copies.serving import Serving
from .effects import Completed, Joined, MemberChanged, RingEffect, Send
from .errors import InvariantBroken
from .events import (
    ChunkOffered,
    ChunkPulled,
    ClusterAwaited,
    DecisionRequested,
    ExchangeDue,
    GetRequested,
    GossipDue,
    HandoffDue,
    KeysRequested,
    LeaveRequested,
    LinkBroke,
    MessageReceived,
    OperationDone,
    ProbeDue,
    ProbeExpired,
    PutRequested,
    RequestDue,
    RingEvent,
    Started,
    SuspicionExpired,
)
from .membership.joining import Joining
from .membership.member_rows import MemberRows
from .membership.swim import Membership, MembershipSettings
from .messages import (
    Accept,
    Accepted,
    Ack,
    ChunkStored,
    CoordinatePut,
    FetchVersions,
    Gossip,
    KeysListed,
    ListKeys,
    Ping,
    PingRequest,
    Prepare,
    Promised,
    PushPull,
    PutCoordinated,
    StoreChunk,
    StoreVersions,
    Update,
    VersionsFetched,
    VersionsStored,
)
from .operations import VersionsListed
from .placement.rendezvous import Placement
from .placement.roster import Roster
from .repair.handoff import Handoff
from .repair.handoff_settings import HandoffSettings
from .repair.transfer import Transfer, TransferSettings
from .requests.chunks import Chunks
from .requests.coordinator import Coordinator, refusal
from .requests.gets import Gets
from .requests.listing import Listings
from .requests.puts import Puts
from .requests.quorum import QuorumSettings
from .requests.registers import Registers, RegisterSettings
from .terms import Incarnation, Instant, Member, PeerId, start_of

RingRequest = PutRequested | GetRequested | KeysRequested | ChunkOffered | DecisionRequested | ClusterAwaited

MENDED_MAX = 16
"""Corrupt copies that one page of keys has mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSettings:
    """Put the settings of the parts together; all peers of a cluster must agree on `vnodes` and `replicas`."""

    vnodes: int = 1024
    replicas: int = 3
    membership: MembershipSettings = field(default_factory=MembershipSettings)
    quorum: QuorumSettings = field(default_factory=QuorumSettings)
    registers: RegisterSettings = field(default_factory=RegisterSettings)
    handoff: HandoffSettings = field(default_factory=HandoffSettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)


class Ring:
    """Turns events into effects for the storage half of one peer."""

    def __init__(self, me: Member, incarnation: Incarnation, settings: RingSettings, rng: Random) -> None:
        self._me = PeerId(me.id)
        tickets = count(1)
        ids = (f"{start_of(incarnation):x}.{ticket:x}" for ticket in tickets)
        quorum, replicas = settings.quorum, settings.replicas
        self._roster = roster = Roster(me, vnodes=settings.vnodes, replicas=replicas)
        self._membership = Membership(me, incarnation, settings.vnodes, settings.membership, rng)
        self._joining = Joining(me.url)
        self._member_rows = MemberRows(me=self._me, tickets=tickets, ids=ids)
        self._reopening = Reopening(tickets)
        self._seeds: tuple[str, ...] = ()
        self._registers = Registers(self._me, tickets, settings.registers, rng)
        self._serving = Serving(me=self._me, tickets=tickets, asked_max=quorum.serving_max)
        self._puts = Puts(roster=roster, settings=quorum)
        self._coordinator = Coordinator(
            roster=roster,
            incarnation=incarnation,
            drawn=copy(rng).getrandbits(32),  # of a copy, so that no other chance depends on it
            tickets=tickets,
            ids=ids,
            settings=quorum,
        )
        self._gets = Gets(roster=roster, ids=ids, settings=quorum)
        self._listings = Listings(roster=roster, ids=ids, settings=quorum)
        self._chunks = Chunks(roster=roster, ids=ids, settings=quorum)
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

    @property
    def members(self) -> Mapping[PeerId, Update]:
        """Everybody ever heard of, this peer included, in whatever state."""
        return self._membership.members

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation of this peer, refutations included."""
        return self._membership.incarnation

    @property
    def placement(self) -> Placement:
        """Where every vnode lives: over all members that have not left, be they alive or dead."""
        return self._roster.placement

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
        left = set(self._roster.left_peers)
        if left and any(home.id in left for home in self._roster.homes):
            raise InvariantBroken(f"a peer that has left still owns keys at {self._me}: {sorted(left)}")

    # --- dispatch ---

    def _dispatch(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        match event:
            case MessageReceived():
                return self._receive(now, event)
            case OperationDone() | RequestDue():
                return [*self._to_its_owner(now, event), *self._start(now, event)]
            case ProbeDue() | ProbeExpired() | SuspicionExpired() | GossipDue() | ExchangeDue():
                return self._membership.handle(now, event)
            case LinkBroke() | LeaveRequested():
                return self._membership.handle(now, event)
            case Started(seeds=seeds):
                self._seeds = seeds
                return self._member_rows.read()
            case PutRequested() | GetRequested() | KeysRequested() | ChunkOffered():
                return self._begin(now, event)
            case DecisionRequested() | ClusterAwaited():
                return self._begin(now, event)
            case ChunkPulled():
                return self._serving.handle(event)
            case HandoffDue():
                return self._handoff.handle(now, event)
            case _:
                assert_never(event)

    def _start(self, now: Instant, event: OperationDone | RequestDue) -> list[RingEffect]:
        """Begin in earnest once the member table has been read."""
        noted = self._member_rows.take_table(event) if isinstance(event, OperationDone) else None
        if noted is None:
            return []
        effects = self._membership.recall(now, noted)
        self._roster.refresh(self.members, self._membership.changes)
        self._joining.start(self._seeds, len(self.members))
        started = Started(seeds=self._seeds)
        for part in (self._handoff, self._transfer, self._membership):
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
        match event.message:
            case Ping() | PingRequest() | Ack() | Gossip() | PushPull():
                return self._membership.handle(now, event) if self._member_rows.is_read else []
            case CoordinatePut() as order:
                obstacle = self._joining.obstacle
                refused: list[RingEffect] = [Send(to=event.sender, message=refusal(order, obstacle))]
                return refused if obstacle else self._coordinator.handle(now, event)
            case PutCoordinated():
                return self._puts.handle(now, event)
            case StoreVersions() | FetchVersions() | ListKeys() | StoreChunk():
                return self._serving.handle(event)
            case VersionsFetched():
                return self._gets.handle(now, event)
            case KeysListed():
                return self._listings.handle(now, event)
            case Prepare() | Promised() | Accept() | Accepted():
                return self._registers.handle(now, event)
            case VersionsStored():
                parts = (self._coordinator, self._handoff, self._transfer)
                return [effect for part in parts for effect in part.handle(now, event)]
            case ChunkStored():
                return [*self._chunks.handle(now, event), *self._handoff.handle(now, event)]
            case _:
                assert_never(event.message)

    def _to_its_owner(self, now: Instant, event: OperationDone | RequestDue) -> list[RingEffect]:
        """Offer it to all parts: tickets and request ids are drawn from one source, so only one knows it."""
        readers = (self._gets, self._listings, self._chunks, self._puts)
        writers = (self._coordinator, self._handoff, self._transfer)
        parts = (*readers, *writers) if isinstance(event, RequestDue) else writers
        effects = [effect for part in parts for effect in part.handle(now, event)]
        effects += self._member_rows.handle(now, event, self.members)
        effects += self._joining.wake(now, event) if isinstance(event, RequestDue) else self._repair(now, event)
        return [*self._serving.handle(event), *self._registers.handle(now, event), *effects]

    def _repair(self, now: Instant, event: OperationDone) -> list[RingEffect]:
        """Go on with the records of a start, and mend what a list of keys has shown to be corrupt."""
        effects = self._reopening.handle(event)
        if isinstance(event.outcome, VersionsListed):
            effects += [step for key in event.outcome.corrupt[:MENDED_MAX] for step in self._gets.mend(now, key)]
        return effects

    def _member_changed(self, now: Instant, update: Update) -> list[RingEffect]:
        has_ownership_changed = self._roster.refresh(self.members, self._membership.changes)
        effects = self._transfer.ownership_changed(now) if has_ownership_changed else []
        effects += self._member_rows.member_changed(update, self.members)
        self._joining.met(len(self.members))
        effects += self._let_in(now)
        effects += self._handoff.member_changed(now, update)
        for part in (self._puts, self._coordinator, self._chunks, self._listings):
            effects += part.members_changed(now)
        return effects
