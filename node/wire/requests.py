"""Spell what a client asks of a peer, and what the peer answers; every field is bounded."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from ...ring.facts import Context, Count, Liveness, Standing
from ...ring.terms import JOINED_MAX, Condition, Digest, Id, Key, Member, Name, Quorum, Source, Value
from ...scheduling.jobs import JobRecord
from ...scheduling.messages import JobId
from ...scheduling.status import JobStatus
from .logs import ListLogs, LogRead, LogsListed, ReadLog
from .roots import Reply, Request

Patience = Annotated[float, Meta(ge=0.0, le=600.0)]
Line = Annotated[str, Meta(max_length=4096)]


class Hello(Request, frozen=True, array_like=True, tag=True):
    """Ask who is there; answered by `Welcome`."""


class PutKey(Request, frozen=True, array_like=True, tag=True):
    """Write a key (None deletes it) over what `context` covers; answered by `KeyPut`, or by `KeyConflict`.

    The value ends at `expires_at`, in milliseconds since 1970; 0 for never.
    """

    key: Key
    value: Value | None
    context: Context = {}
    quorum: Quorum = Quorum()
    patience_s: Patience = 5.0
    expires_at: Count = 0
    condition: Condition = Condition.NONE


class GetKey(Request, frozen=True, array_like=True, tag=True):
    """Read a key; answered by `KeyGot`."""

    key: Key
    quorum: Quorum = Quorum()
    patience_s: Patience = 5.0


class FindKeys(Request, frozen=True, array_like=True, tag=True):
    """List one page of live keys by prefix; answered by `KeysFound`, or refused where silent homes may hide some.

    `quorum` is the one that such keys are written with: it tells how many silent homes are too many.
    """

    prefix: Annotated[bytes, Meta(max_length=4096)]
    after: Annotated[bytes, Meta(max_length=4096)] = b""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    patience_s: Patience = 5.0
    quorum: Quorum = Quorum()


class OfferChunk(Request, frozen=True, array_like=True, tag=True):
    """Have a chunk replicated from `source`, the client's own bulk server; answered by `ChunkKept`."""

    digest: Digest
    size: Count
    source: Source
    quorum: Quorum = Quorum()
    patience_s: Patience = 60.0


class LocateChunk(Request, frozen=True, array_like=True, tag=True):
    """Ask where a chunk can be had, best place first; answered by `ChunkAt`."""

    digest: Digest


class CheckChunks(Request, frozen=True, array_like=True, tag=True):
    """Have this peer read its own copies of chunks and check them; answered by `ChunksChecked`."""

    digests: Annotated[tuple[Digest, ...], Meta(max_length=1024)]
    patience_s: Patience = 300.0


class ShowMetrics(Request, frozen=True, array_like=True, tag=True):
    """Ask this peer what its mechanisms have done and have still to do; answered by `MetricsShown`."""


class PrepareJob(Request, frozen=True, array_like=True, tag=True):
    """Ask who should decide a job of that id; answered by `JobPrepared`, which goes into the record."""

    job: JobId


class SubmitJob(Request, frozen=True, array_like=True, tag=True):
    """Have this peer track a job; answered by `JobTaken`. Asking twice for one id is harmless."""

    record: JobRecord


class WatchJob(Request, frozen=True, array_like=True, tag=True):
    """Ask for a job's status once it differs from version `seen`; answered by `JobShown`."""

    job: JobId
    seen: int = -1
    patience_s: Patience = 1.0


class ListJobs(Request, frozen=True, array_like=True, tag=True):
    """Ask for every job known here; answered by `JobsShown`."""


class KillJob(Request, frozen=True, array_like=True, tag=True):
    """End a job everywhere; answered by `JobTaken`."""

    job: JobId


class ListPeers(Request, frozen=True, array_like=True, tag=True):
    """Ask for the member table; answered by `PeersShown`."""


class LeaveRing(Request, frozen=True, array_like=True, tag=True):
    """Have `peer`, which must be the one that is asked, hand over all it keeps and end; answered by `MoveStarted`."""

    peer: Id


class RemovePeer(Request, frozen=True, array_like=True, tag=True):
    """Take a member out for ever; answered by `MoveStarted`. One that lives is only removed by `force`."""

    peer: Id
    force: bool = False


class PlanMove(Request, frozen=True, array_like=True, tag=True):
    """Ask what the answering peer would send if `gone` left or were removed; answered by `MoveForeseen`."""

    gone: Id
    by_removal: bool


class PlanJoin(Request, frozen=True, array_like=True, tag=True):
    """Ask what the answering peer would send if a peer of that weight and zone joined; answered by `MoveForeseen`.

    Which keys it would get depends on its `comer` id too, how many hardly.
    """

    comer: Id
    weight: Annotated[float, Meta(gt=0.0)] = 1.0
    zone: Name = ""


class DescribeRing(Request, frozen=True, array_like=True, tag=True):
    """Ask for the placement, or with `key` for that key's preference list; answered by `RingShown`."""

    key: Annotated[bytes, Meta(max_length=4096)] = b""


ClientRequest = (
    Hello
    | PutKey
    | GetKey
    | FindKeys
    | OfferChunk
    | LocateChunk
    | CheckChunks
    | ShowMetrics
    | ListLogs
    | ReadLog
    | PrepareJob
    | SubmitJob
    | WatchJob
    | ListJobs
    | KillJob
    | ListPeers
    | LeaveRing
    | RemovePeer
    | PlanMove
    | PlanJoin
    | DescribeRing
)


class Refused(Reply, frozen=True, array_like=True, tag=True):
    """The request was not carried out, or its outcome is unknown; `kind` is one word, `reason` one line.

    Among the kinds: `quorum` (too few answered, nothing was written), `unknown` (too few answered, and a write may have
    taken effect), `corrupt` (no copy can be read), `caller` (asked for something wrong).
    """

    kind: Name
    reason: Line


class Welcome(Reply, frozen=True, array_like=True, tag=True):
    """Introduce the peer, and the control addresses of the others that it knows alive."""

    member: Member
    version: Name
    urls: Annotated[tuple[str, ...], Meta(max_length=4096)]


class KeyPut(Reply, frozen=True, array_like=True, tag=True):
    """Say what a write really reached: `primaries` + `fallbacks` durable copies out of `replicas` homes.

    The key now holds so many `siblings`, tombstones included. With `replaced_corrupt` no home could read its copy of
    the key, and what was there is lost.
    """

    context: Context
    replicas: int
    primaries: int
    fallbacks: int
    siblings: int = 1
    replaced_corrupt: bool = False


class KeyConflict(Reply, frozen=True, array_like=True, tag=True):
    """A conditional put was not written: give what is there, and the context that covers it.

    Where the values are more than a reply carries, some are `left_out`; the context covers them all the same.
    """

    values: Annotated[tuple[Value, ...], Meta(max_length=JOINED_MAX)]
    context: Context
    left_out: int = 0


class KeyGot(Reply, frozen=True, array_like=True, tag=True):
    """Give the live values of a key (none if it is absent) and the context that covers them.

    Of the `answered` copies, `primaries` are of the key's own homes. `ends` tells of each value when it ends, in
    milliseconds since 1970, with 0 for never; it is empty where none does. Where the values are more than a reply
    carries, some are `left_out`; the context covers them all the same.
    """

    values: Annotated[tuple[Value, ...], Meta(max_length=JOINED_MAX)]
    context: Context
    replicas: int
    answered: int
    primaries: int = 0
    ends: Annotated[tuple[Count, ...], Meta(max_length=JOINED_MAX)] = ()
    left_out: int = 0


class KeysFound(Reply, frozen=True, array_like=True, tag=True):
    """Give one page of live keys in order; `more` sort after the last one."""

    keys: Annotated[tuple[Key, ...], Meta(max_length=1000)]
    more: bool


class ChunkKept(Reply, frozen=True, array_like=True, tag=True):
    """Say which peers hold the chunk durably, by name."""

    holders: Annotated[tuple[Name, ...], Meta(max_length=64)]


class ChunkAt(Reply, frozen=True, array_like=True, tag=True):
    """Give places of a chunk, best first."""

    sources: Annotated[tuple[Source, ...], Meta(max_length=64)]


class CopyState(IntEnum):
    """What a peer has of a chunk."""

    ABSENT = 0
    SOUND = 1
    DAMAGED = 2


class ChunksChecked(Reply, frozen=True, array_like=True, tag=True):
    """Tell what this peer has of each chunk that was asked about, in that order."""

    states: Annotated[tuple[CopyState, ...], Meta(max_length=1024)]


class MetricsShown(Reply, frozen=True, array_like=True, tag=True):
    """Give this peer's counters by name, `part.what`: plain numbers, seconds or bytes, as the name says."""

    peer: Name
    values: Annotated[dict[Name, float], Meta(max_length=1024)]


class JobPrepared(Reply, frozen=True, array_like=True, tag=True):
    """Give the electorate of a job, best first."""

    electorate: Annotated[tuple[Id, ...], Meta(max_length=16)]


class JobTaken(Reply, frozen=True, array_like=True, tag=True):
    """The job is stored (or its end is on the way) and survives this peer."""

    job: Id


class JobShown(Reply, frozen=True, array_like=True, tag=True):
    """Give one job's status; None if this peer knows no such job."""

    status: JobStatus | None


class JobsShown(Reply, frozen=True, array_like=True, tag=True):
    """Give the status of every job known here, newest first, without lanes, events and ending."""

    statuses: Annotated[tuple[JobStatus, ...], Meta(max_length=10_000)]


class PeerView(Struct, frozen=True, array_like=True):
    """One member as the answering peer sees it.

    `load` is the share of its slots in use, -1 where unknown; `sync` is `full` or `relaxed`, and empty where unknown.
    """

    member: Member
    liveness: Liveness
    incarnation: int
    load: float = -1.0
    disk_bytes: int = -1
    standing: Standing = Standing.VALID
    epoch: int = 0
    sync: Name = ""


class MoveStarted(Reply, frozen=True, array_like=True, tag=True):
    """The member's standing has changed; what follows from that is under way."""


class MoveForeseen(Reply, frozen=True, array_like=True, tag=True):
    """Say in how many `vnodes` of the ring copies would move, and what the answering peer would send itself."""

    vnodes: int
    keys: int
    bytes: int
    zone_violations: int
    chunks: int = 0


class Moving(Struct, frozen=True, array_like=True):
    """How far the answering peer is with what it passes on to others.

    `votes_owed` is the number of jobs that have not ended and count on its vote: a leave waits for them too.
    """

    is_under_way: bool = False
    keys_looked_at: int = 0
    keys_sent: int = 0
    bytes_sent: int = 0
    votes_owed: int = 0


class PeersShown(Reply, frozen=True, array_like=True, tag=True):
    """Give the member table."""

    peers: Annotated[tuple[PeerView, ...], Meta(max_length=4096)]


class RingShown(Reply, frozen=True, array_like=True, tag=True):
    """Give the number of vnodes, the copies that each peer name is home to, and the homes of a key if asked.

    `preference` are the ids of all members, best home of the key first; `primaries` and `fallbacks` are their names.
    """

    vnodes: int
    replicas: int
    copies: dict[str, int]
    vnode: int = -1
    primaries: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    preference: tuple[str, ...] = ()
    moving: Moving = Moving()


ClientReply = (
    Refused
    | Welcome
    | KeyPut
    | KeyConflict
    | KeyGot
    | KeysFound
    | ChunkKept
    | ChunkAt
    | ChunksChecked
    | MetricsShown
    | LogsListed
    | LogRead
    | JobPrepared
    | JobTaken
    | JobShown
    | JobsShown
    | PeersShown
    | MoveStarted
    | MoveForeseen
    | RingShown
)
