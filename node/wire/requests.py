"""Spell what a client asks of a peer; every field is bounded."""

from typing import Annotated

from msgspec import Meta

from ...ring.facts import Context, Count
from ...ring.terms import Condition, Digest, Id, Key, Name, Quorum, Source, Value
from ...scheduling.jobs import JobRecord
from ...scheduling.messages import JobId
from .logs import ListLogs, ReadLog
from .roots import Request

Patience = Annotated[float, Meta(ge=0.0, le=600.0)]


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


class CollectChunks(Request, frozen=True, array_like=True, tag=True):
    """Have this peer remove its chunks that nobody has named for `grace_s`; answered by `ChunksCollected`.

    After `patience_s` the answer tells how far that is; who asks by the same `name` again goes on waiting. With
    `is_dry` nothing is changed.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    grace_s: Annotated[float, Meta(ge=0.0, le=1e9)]
    is_dry: bool = False
    patience_s: Patience = 2.0


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


class DropJob(Request, frozen=True, array_like=True, tag=True):
    """Forget an ended job at this peer alone, its logs included; answered by `JobTaken`."""

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
    | CollectChunks
    | ShowMetrics
    | ListLogs
    | ReadLog
    | PrepareJob
    | SubmitJob
    | WatchJob
    | ListJobs
    | KillJob
    | DropJob
    | ListPeers
    | LeaveRing
    | RemovePeer
    | PlanMove
    | PlanJoin
    | DescribeRing
)
