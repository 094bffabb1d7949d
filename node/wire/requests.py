"""Spell what a client asks of a peer, and what the peer answers; every field is bounded."""

from typing import Annotated

from msgspec import Meta, Struct

from ...ring.messages import Context, Count, Liveness
from ...ring.terms import Digest, Id, Key, Member, Name, Quorum, Source, Value
from ...scheduling.jobs import JobRecord
from ...scheduling.messages import JobId
from ...scheduling.status import JobStatus

Patience = Annotated[float, Meta(ge=0.0, le=600.0)]
Line = Annotated[str, Meta(max_length=4096)]


class Request(Struct, frozen=True, array_like=True, tag=True):
    """Root of what clients ask; the tag is the class name."""


class Hello(Request, frozen=True, array_like=True, tag=True):
    """Ask who is there; answered by `Welcome`."""


class PutKey(Request, frozen=True, array_like=True, tag=True):
    """Write a key (None deletes it) over what `context` covers; answered by `KeyPut`."""

    key: Key
    value: Value | None
    context: Context = {}
    quorum: Quorum = Quorum()
    patience_s: Patience = 5.0


class GetKey(Request, frozen=True, array_like=True, tag=True):
    """Read a key; answered by `KeyGot`."""

    key: Key
    quorum: Quorum = Quorum()
    patience_s: Patience = 5.0


class FindKeys(Request, frozen=True, array_like=True, tag=True):
    """List one page of live keys by prefix; answered by `KeysFound`."""

    prefix: Annotated[bytes, Meta(max_length=4096)]
    after: Annotated[bytes, Meta(max_length=4096)] = b""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    patience_s: Patience = 5.0


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
    | PrepareJob
    | SubmitJob
    | WatchJob
    | ListJobs
    | KillJob
    | ListPeers
    | DescribeRing
)


class Reply(Struct, frozen=True, array_like=True, tag=True):
    """Root of what peers answer; the tag is the class name."""


class Refused(Reply, frozen=True, array_like=True, tag=True):
    """The request was not carried out, or its outcome is unknown; `kind` is one word, `reason` one line."""

    kind: Name
    reason: Line


class Welcome(Reply, frozen=True, array_like=True, tag=True):
    """Introduce the peer, and the control addresses of the others that it knows alive."""

    member: Member
    version: Name
    urls: Annotated[tuple[str, ...], Meta(max_length=4096)]


class KeyPut(Reply, frozen=True, array_like=True, tag=True):
    """Say what a write really reached: `primaries` + `fallbacks` durable copies out of `replicas` homes."""

    context: Context
    replicas: int
    primaries: int
    fallbacks: int


class KeyGot(Reply, frozen=True, array_like=True, tag=True):
    """Give the live values of a key (none if it is absent) and the context that covers them."""

    values: Annotated[tuple[Value, ...], Meta(max_length=100)]
    context: Context
    replicas: int
    answered: int


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
    """One member as the answering peer sees it; `load` is the share of its slots in use, -1 where unknown."""

    member: Member
    liveness: Liveness
    incarnation: int
    load: float = -1.0
    disk_bytes: int = -1


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


ClientReply = (
    Refused
    | Welcome
    | KeyPut
    | KeyGot
    | KeysFound
    | ChunkKept
    | ChunkAt
    | JobPrepared
    | JobTaken
    | JobShown
    | JobsShown
    | PeersShown
    | RingShown
)
