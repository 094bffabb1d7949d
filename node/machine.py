"""Wire the ring and the scheduling of one peer together by messages; it dispatches and holds no rule of theirs.

    client, peers, disk, processes
        │ NodeEvent                                        NodeEffect ▲
        ▼                                                             │
    ┌─ Node ───────────────────────────────────────────────────────────┐
    │  Ring        MemberChanged, RecordSeen, Completed ──► Scheduling │
    │              ◄── FindRecord, StoreRecord, Decide, PlaceChunk     │
    └──────────────────────────────────────────────────────────────────┘

The two halves never import each other: an effect of the one becomes an event of the other here, and what neither
can use goes out to the performer.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias, get_args

from ..ring.effects import (
    Completed,
    DiskOld,
    Failed,
    GetDone,
    MemberChanged,
    MendChunk,
    Operate,
    Parted,
    PullChunk,
    RecordSeen,
    RemoveChunk,
    RingEffect,
    ScrubChunks,
    Send,
    SendTo,
    Usurped,
    WakeAt,
)
from ..ring.effects import Decided as RingDecided
from ..ring.events import (
    ChunkOffered,
    ClusterAwaited,
    DecisionRequested,
    GetRequested,
    MessageReceived,
    PutRequested,
    RingEvent,
    Started,
    StopRequested,
    VotesOwed,
)
from ..ring.machine import Ring
from ..ring.messages import RingMessage
from ..ring.settings import RingSettings
from ..ring.terms import RECORD_QUORUM, Instant, Member, PeerId, Quorum
from ..scheduling.effects import (
    Answer,
    Decide,
    DismissJob,
    FindOutput,
    FindRecord,
    ForgetJob,
    JobSeen,
    OweVotes,
    PlaceChunk,
    PrepareAttempts,
    SchedulingEffect,
    StartAttempts,
    StopAttempt,
    StoreRecord,
    Tell,
    WakeSchedulingAt,
)
from ..scheduling.events import (
    ChunkSettled,
    ElectorateRequested,
    MemberSeen,
    OutputFound,
    RecordFound,
    RecordStored,
    RegisterDecided,
    SchedulingEvent,
    SchedulingMessageReceived,
    SchedulingStarted,
    SchedulingStopped,
)
from ..scheduling.jobs import job_key, register_key
from ..scheduling.machine import Scheduling
from ..scheduling.settings import SchedulingSettings
from .effects import LookAtDisk, MeasureDisk, NodeEffect, Post, ReplyTo, RunAttempts, Wake
from .events import ClientAsked, DiskMeasured, KnockDue, Knocked, LookedAtDisk, NodeEvent, PeerSpoke, PeerStarted
from .inputs import with_inputs
from .knocks import Knocks
from .latency import Latencies
from .lookup import Lookup
from .moves import move_event, move_objection
from .questions import StoreQuestion, job_event, job_reply, objection, store_event, store_reply
from .siblings import Siblings
from .wire.logs import ListLogs, ReadLog
from .wire.replies import ClientReply, MetricsShown, Refused
from .wire.requests import (
    CheckChunks,
    CollectChunks,
    DescribeRing,
    DropJob,
    FindKeys,
    GetKey,
    Hello,
    KillJob,
    LeaveRing,
    ListJobs,
    ListPeers,
    LocateChunk,
    OfferChunk,
    PlanJoin,
    PlanMove,
    PrepareJob,
    PutKey,
    RemovePeer,
    ShowMetrics,
    SubmitJob,
    WatchJob,
)

RECORD_PATIENCE_S = 5.0
CHUNK_PATIENCE_S = 5.0
CHUNK_BYTES_PER_S = 8 << 20
"""A chunk's placing may take `CHUNK_PATIENCE_S` and its size over this rate; then it is tried anew among the living."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """The settings of both halves."""

    ring: RingSettings
    scheduling: SchedulingSettings


@dataclass(frozen=True, slots=True)
class _Client:
    """Who waits for an answer: a client's question."""

    route: bytes
    request: str


@dataclass(frozen=True, slots=True)
class _Preparation:
    """A client that is about to submit a job: only who knows its cluster may say who should decide it."""

    client: _Client
    job: str


_Waiting: TypeAlias = _Client | _Preparation | FindRecord | FindOutput | StoreRecord | Decide | PlaceChunk
_Step: TypeAlias = RingEvent | SchedulingEvent
_RING_EVENTS = frozenset(get_args(RingEvent))
_RING_MESSAGES = frozenset(get_args(RingMessage))


class Node:
    """One peer's decisions: events in, effects out."""

    def __init__(
        self,
        me: Member,
        incarnation: int,
        settings: NodeSettings,
        rng: random.Random,
        version: str = "",
        recorded: int = 0,
    ) -> None:
        """Make a peer; `recorded` is the start before this one by its own disk, 0 where the directory is new."""
        self._me = me
        self.ring = Ring(me, incarnation, settings.ring, rng, recorded)
        self.scheduling = Scheduling(PeerId(me.id), incarnation, me.workers, settings.scheduling, rng)
        self._knocks = Knocks()
        self._lookup = Lookup(me, version, self.ring, self.scheduling, self._knocks, settings.ring.replicas)
        self._names: Iterator[int] = count(1)
        self._name_root = f"{me.id[:12]}.{incarnation:x}."
        self._waiting: dict[str, _Waiting] = {}
        self._now = Instant(0.0)
        self._latencies = Latencies("puts", "gets")
        self._siblings = Siblings()

    def handle(self, now: Instant, event: NodeEvent) -> list[NodeEffect]:
        """Take one event through both halves until only effects on the world are left."""
        self._now = now
        out: list[NodeEffect] = []
        todo: deque[_Step] = deque(self._admit(event, out))
        while todo:
            step = todo.popleft()
            if type(step) in _RING_EVENTS:
                for ring_effect in self.ring.handle(now, step):  # type: ignore[arg-type]  # the set has just told
                    todo.extend(self._of_ring(ring_effect, out))
            else:
                for effect in self.scheduling.handle(now, step):  # type: ignore[arg-type]
                    todo.extend(self._of_scheduling(effect, out))
        return out

    def metrics(self) -> dict[str, float]:
        """Count what each mechanism of this peer has done and has still to do."""
        counts = {**self._latencies.metrics(), **self._siblings.metrics(), "slots.load": self.scheduling.load}
        return {**self.ring.metrics(self._now), **counts}

    def check(self) -> None:
        """Assert the invariants of both halves."""
        self.ring.check()
        self._knocks.check(self.ring.members)
        self.scheduling.check()

    def _admit(self, event: NodeEvent, out: list[NodeEffect]) -> list[_Step]:
        match event:
            case PeerSpoke(sender=sender, message=message):
                if type(message) in _RING_MESSAGES:
                    return [MessageReceived(sender=sender, message=message)]  # type: ignore[arg-type]  # it is one
                return [SchedulingMessageReceived(sender=sender, message=message)]  # type: ignore[arg-type]
            case ClientAsked():
                return self._asked(event, out)
            case PeerStarted(seeds=seeds):
                return [Started(seeds=seeds), SchedulingStarted()]
            case StopRequested():
                return [SchedulingStopped(), event]
            case Knocked():
                out += self._knocks.knocked(self._now, event)
                return []
            case KnockDue():
                out += self._knocks.due(event, self.ring.members)
                return []
            case LookedAtDisk(route=route, request=request, reply=reply):
                out.append(ReplyTo(route=route, request=request, reply=reply))
                return []
            case DiskMeasured(route=route, request=request, values=values):
                shown = MetricsShown(peer=self._me.name, values={**values, **self.metrics()})
                out.append(ReplyTo(route=route, request=request, reply=shown))
                return []
            case _:
                return [event]

    # --- questions of clients ---

    def _asked(self, event: ClientAsked, out: list[NodeEffect]) -> list[_Step]:
        match event.question:
            case PutKey() | GetKey() | FindKeys() | OfferChunk() | CollectChunks() as question:
                return self._asked_of_store(event, question, out)
            case SubmitJob() | WatchJob() | ListJobs() | KillJob() | DropJob() as question:
                return [job_event(self._expect(_Client(event.route, event.request)), question)]
            case LeaveRing() | RemovePeer() | PlanMove() | PlanJoin() as question:
                refused = move_objection(question, PeerId(self._me.id), self.ring.members)
                if refused is None:
                    return [move_event(self._expect(_Client(event.route, event.request)), question)]
                reply: ClientReply = refused
            case CheckChunks() | ListLogs() | ReadLog() as question:
                out.append(LookAtDisk(route=event.route, request=event.request, question=question))
                return []
            case ShowMetrics():
                out.append(MeasureDisk(route=event.route, request=event.request))
                return []
            case PrepareJob(job=job):
                preparation = self._expect(_Preparation(_Client(event.route, event.request), job))
                return [ClusterAwaited(request=preparation, patience_s=RECORD_PATIENCE_S)]
            case Hello() | LocateChunk() | ListPeers() | DescribeRing() as question:
                reply = self._lookup.answer(question)
        out.append(ReplyTo(route=event.route, request=event.request, reply=reply))
        return []

    def _asked_of_store(self, event: ClientAsked, question: StoreQuestion, out: list[NodeEffect]) -> list[_Step]:
        refused = objection(question)
        if refused is not None:
            out.append(ReplyTo(route=event.route, request=event.request, reply=refused))
            return []
        name = self._expect(_Client(event.route, event.request))
        if isinstance(question, PutKey | GetKey):
            self._latencies.begun(name, "puts" if isinstance(question, PutKey) else "gets", self._now)
        return [store_event(name, question)]

    # --- from one half to the other ---

    def _expect(self, who: _Waiting) -> str:
        name = self._name_root + str(next(self._names))
        self._waiting[name] = who
        return name

    def _of_ring(self, effect: RingEffect, out: list[NodeEffect]) -> list[_Step]:
        match effect:
            case Send(to=to, message=message):
                self._post(to, message, out)
            case WakeAt(at=at, event=event):
                out.append(Wake(at=at, event=event))
            case SendTo() | Operate() | PullChunk() | ScrubChunks() | RemoveChunk() | Usurped() | DiskOld() | Parted():
                out.append(effect)
            case MendChunk(ticket=ticket, digest=digest, size=size):
                out.append(PullChunk(ticket=ticket, digest=digest, size=size, sources=self._lookup.elsewhere(digest)))
            case MemberChanged(update=update):
                out += self._knocks.seen(update)
                return [MemberSeen(update=update)]
            case RecordSeen(key=key, values=values):
                return [RecordFound(job=key.removeprefix(b"job/").decode(), value=min(values, default=None))]
            case Completed(request=request, answer=answer):
                self._latencies.ended(request, self._now)
                self._siblings.note(answer)
                return self._completed(self._waiting.pop(request), answer, out)
        return []

    def _completed(self, who: _Waiting, answer: object, out: list[NodeEffect]) -> list[_Step]:
        error = answer.reason if isinstance(answer, Failed) else ""
        match who:
            case _Client(route=route, request=request):
                reply = store_reply(answer, self.ring.members)  # type: ignore[arg-type]
                out.append(ReplyTo(route=route, request=request, reply=reply))
                return []
            case _Preparation(client=client, job=job):
                if not error:  # what the ring has just learnt of members reaches scheduling before this
                    return [ElectorateRequested(request=self._expect(client), job=job)]
                refused = Refused(kind="quorum", reason=error)
                out.append(ReplyTo(route=client.route, request=client.request, reply=refused))
                return []
            case FindRecord(job=job):
                return [_record_found(job, answer)]
            case FindOutput(job=job):
                written = isinstance(answer, GetDone) and bool(answer.siblings)
                return [OutputFound(job=job, written=written, error=error)]
            case StoreRecord(job=job, key=key):
                return [RecordStored(job=job, key=key, error=error)]
            case Decide(job=job, which=which):
                value = answer.value if isinstance(answer, RingDecided) else b""
                return [RegisterDecided(job=job, which=which, value=value)]
            case PlaceChunk(request=request):
                return [ChunkSettled(request=request, error=error)]

    def _of_scheduling(self, effect: SchedulingEffect, out: list[NodeEffect]) -> list[_Step]:
        match effect:
            case Tell(to=to, message=message):
                self._post(to, message, out)
            case WakeSchedulingAt(at=at, event=event):
                out.append(Wake(at=at, event=event))
            case OweVotes(jobs=jobs):
                return [VotesOwed(jobs=jobs)]
            case StopAttempt() | DismissJob() | ForgetJob():
                out.append(effect)
            case StartAttempts(starts=starts) | PrepareAttempts(starts=starts):
                runs = tuple(with_inputs(start, self._lookup.holders, self.ring.members) for start in starts)
                out.append(RunAttempts(runs=runs, is_ahead=isinstance(effect, PrepareAttempts)))
            case Answer(request=request, answer=answer):
                who = self._waiting.pop(request)
                assert isinstance(who, _Client)
                if isinstance(answer, JobSeen):
                    answer = JobSeen(status=self._knocks.shown_in(answer.status, self.ring.members))
                out.append(ReplyTo(route=who.route, request=who.request, reply=job_reply(answer)))
            case FindRecord() | FindOutput() | StoreRecord() | Decide() | PlaceChunk():
                return [self._ring_event(effect)]
        return []

    def _ring_event(self, effect: FindRecord | FindOutput | StoreRecord | Decide | PlaceChunk) -> RingEvent:
        request = self._expect(effect)
        match effect:
            case FindRecord(job=job):
                quorum = Quorum(replicas=5, reads_required=1)
                return GetRequested(request=request, key=job_key(job), quorum=quorum, patience_s=RECORD_PATIENCE_S)
            case FindOutput(key=key):
                return GetRequested(request=request, key=key, quorum=RECORD_QUORUM, patience_s=RECORD_PATIENCE_S)
            case StoreRecord(key=key, value=value, replicas=replicas):
                quorum = Quorum(replicas=replicas, writes_required=0)
                return PutRequested(
                    request=request, key=key, value=value, context={}, quorum=quorum, patience_s=RECORD_PATIENCE_S
                )
            case Decide(job=job, which=which, value=value, acceptors=acceptors):
                key = register_key(job, which)
                return DecisionRequested(request=request, key=key, value=value, acceptors=acceptors)
            case PlaceChunk(digest=digest, size=size, source=source, copies=copies):
                return ChunkOffered(
                    request=request,
                    digest=digest,
                    size=size,
                    source=source,
                    quorum=Quorum(replicas=copies, writes_required=copies),
                    patience_s=CHUNK_PATIENCE_S + size / CHUNK_BYTES_PER_S,
                )

    def _post(self, to: PeerId, message: object, out: list[NodeEffect]) -> None:
        update = self.ring.members.get(to)
        if update is not None:
            out.append(Post(to=to, url=update.member.url, message=message))  # type: ignore[arg-type]


def _record_found(job: str, answer: object) -> RecordFound:
    """Tell what a read found; that there is nothing is sure only if a majority of the homes says so."""
    if not isinstance(answer, GetDone):
        return RecordFound(job=job, value=None, error=answer.reason if isinstance(answer, Failed) else "no answer")
    values = [sibling.value for sibling in answer.siblings if sibling.value is not None]
    unsure = not values and 2 * answer.answered <= answer.replicas
    error = f"only {answer.answered} of {answer.replicas} homes have answered" if unsure else ""
    return RecordFound(job=job, value=min(values, default=None), error=error)
