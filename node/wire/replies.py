"""Spell what a peer answers to a client; every field is bounded."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from ...ring.facts import Context, Count, Liveness, Standing
from ...ring.terms import JOINED_MAX, Id, Key, Member, Name, Source, Value
from ...scheduling.status import Condition, JobStatus
from .logs import LogRead, LogsListed
from .roots import Reply

Line = Annotated[str, Meta(max_length=4096)]


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


class ChunksCollected(Reply, frozen=True, array_like=True, tag=True):
    """Tell how many chunks of this peer nobody names: those `removed` (in a dry pass, that would be), and others.

    Those `waiting` have a part of their grace before them, the first of them `due_in_s`; `held` of them may be of a job
    that has not ended. `failed` could not be removed; `named` ones stay.
    """

    is_over: bool
    removed: Count
    removed_bytes: Count
    waiting: Count
    waiting_bytes: Count
    held: Count
    failed: Count
    named: Count
    named_bytes: Count
    due_in_s: float | None = None


class MetricsShown(Reply, frozen=True, array_like=True, tag=True):
    """Give this peer's counters by name, `part.what`: plain numbers, seconds or bytes, as the name says."""

    peer: Name
    values: Annotated[dict[Name, float], Meta(max_length=1024)]


class JobPrepared(Reply, frozen=True, array_like=True, tag=True):
    """Give the electorate of a job, best first."""

    electorate: Annotated[tuple[Id, ...], Meta(max_length=16)]


class JobTaken(Reply, frozen=True, array_like=True, tag=True):
    """The job is stored, or its end decided, and either survives this peer."""

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
    condition: Condition = Condition.WELL


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
    | ChunksCollected
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
