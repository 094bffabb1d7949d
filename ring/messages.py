"""Spell what the storage halves of two peers say to each other; every field is bounded."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from .terms import Digest, Id, Key, Member, Name, Source, Value

Sequence = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
PeerKey = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Liveness(IntEnum):
    """What is believed of a member; the order is that of strength at one incarnation (SWIM, section 4.2)."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Update(Struct, frozen=True, array_like=True):
    """One piece of news about one member.

    `accuser` is the peer whose own probe of a suspect failed, so that confirmations count independent ones only
    (Lifeguard, section 3.2); it is empty in all other news.
    """

    member: Member
    liveness: Liveness
    incarnation: Count
    accuser: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""


News = Annotated[tuple[Update, ...], Meta(max_length=64)]


class Message(Struct, frozen=True, array_like=True, tag=True):
    """Root of all that travels between peers; the tag is the class name."""


# --- membership (SWIM) ---


class Ping(Message, frozen=True, array_like=True, tag=True):
    """Ask whether `target` lives; one who is not the target (an address used again) does not answer."""

    sequence: Sequence
    target: PeerKey
    news: News = ()


class PingRequest(Message, frozen=True, array_like=True, tag=True):
    """Ask a third peer to ping `target` on the sender's behalf."""

    sequence: Sequence
    target: PeerKey
    news: News = ()


class Ack(Message, frozen=True, array_like=True, tag=True):
    """Answer a ping, or forward the answer to who asked for it; `sequence` is the asker's own."""

    sequence: Sequence
    news: News = ()


class Gossip(Message, frozen=True, array_like=True, tag=True):
    """Spread news between probes."""

    news: News


class PushPull(Message, frozen=True, array_like=True, tag=True):
    """Exchange whole member tables: the way to join, and what heals all that gossip missed."""

    vnodes: Annotated[int, Meta(ge=1, le=65536)]
    members: Annotated[tuple[Update, ...], Meta(max_length=4096)]
    reply_wanted: bool


# --- versioned values ---


class Dot(Struct, frozen=True, array_like=True):
    """One write: the `counter`-th by `actor`, an incarnation of a peer."""

    actor: Annotated[str, Meta(max_length=64)]
    counter: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]


class Sibling(Struct, frozen=True, array_like=True):
    """One of the concurrent values of a key; `value` is None where the write was a delete (a tombstone)."""

    dot: Dot
    value: Value | None


class Versions(Struct, frozen=True, array_like=True):
    """A dotted version vector set: every dot up to `seen[actor]` is known, and only `siblings` are still current.

    `siblings` are sorted by dot, so that equal sets are equal bytes.
    """

    seen: Annotated[dict[Annotated[str, Meta(max_length=64)], Count], Meta(max_length=256)]
    siblings: Annotated[tuple[Sibling, ...], Meta(max_length=100)]


Context = Annotated[dict[Annotated[str, Meta(max_length=64)], Count], Meta(max_length=256)]


class CoordinatePut(Message, frozen=True, array_like=True, tag=True):
    """Ask a primary of `key` to coordinate a write, because only a primary mints dots."""

    request: Id
    key: Key
    value: Value | None
    context: Context
    replicas: int
    writes_required: int
    strict: bool
    patience_s: Annotated[float, Meta(ge=0.0, le=600.0)]


class PutCoordinated(Message, frozen=True, array_like=True, tag=True):
    """Tell who forwarded a write how it went; `error` is empty where W was reached."""

    request: Id
    error: Annotated[str, Meta(max_length=1024)]
    context: Context
    replicas: int
    primaries: int
    fallbacks: int


class StoreVersions(Message, frozen=True, array_like=True, tag=True):
    """Merge these versions into the copy of `key`; with `hint_for`, keep them for that absent primary too."""

    request: Id
    key: Key
    versions: Versions
    hint_for: PeerKey | None = None


class VersionsStored(Message, frozen=True, array_like=True, tag=True):
    """Acknowledge a durable merge."""

    request: Id


class FetchVersions(Message, frozen=True, array_like=True, tag=True):
    """Ask for the local copy of `key`."""

    request: Id
    key: Key


class VersionsFetched(Message, frozen=True, array_like=True, tag=True):
    """Give the local copy of a key, or None where there is none; `error` says that the copy is unreadable."""

    request: Id
    versions: Versions | None
    error: Annotated[str, Meta(max_length=1024)] = ""


class ListKeys(Message, frozen=True, array_like=True, tag=True):
    """Ask for the keys held locally that begin with `prefix` and sort after `after`, at most `limit`."""

    request: Id
    prefix: Annotated[bytes, Meta(max_length=4096)]
    after: Annotated[bytes, Meta(max_length=4096)]
    limit: Annotated[int, Meta(ge=1, le=1000)]


class KeysListed(Message, frozen=True, array_like=True, tag=True):
    """Give one page of local keys in order, each with its versions stripped of their values; `more` follow."""

    request: Id
    entries: Annotated[tuple[tuple[Key, Versions], ...], Meta(max_length=1000)]
    more: bool


# --- chunks: immutable, named by their content, carried by the bulk transport ---


class StoreChunk(Message, frozen=True, array_like=True, tag=True):
    """Ask a home of a chunk to pull it from `source` and keep it; with `hint_for`, on behalf of that primary."""

    request: Id
    digest: Digest
    size: Count
    source: Source
    hint_for: PeerKey | None = None


class ChunkStored(Message, frozen=True, array_like=True, tag=True):
    """Acknowledge that a chunk is durable here; `error` is empty, else says why it is not."""

    request: Id
    error: Annotated[str, Meta(max_length=1024)]


# --- write-once registers (single-decree Paxos) ---


class Ballot(Struct, frozen=True, array_like=True, order=True):
    """A round of a proposer; ordered by round, then by proposer."""

    round: Count
    proposer: Name


class Prepare(Message, frozen=True, array_like=True, tag=True):
    """Ask an acceptor of the register `key` to promise `ballot` (Paxos, phase 1a)."""

    request: Id
    key: Key
    ballot: Ballot


class Promised(Message, frozen=True, array_like=True, tag=True):
    """Answer a prepare: granted if `promised` equals the ballot asked for; with what was accepted before."""

    request: Id
    ballot: Ballot
    promised: Ballot
    accepted: Ballot | None
    value: Value | None


class Accept(Message, frozen=True, array_like=True, tag=True):
    """Ask an acceptor to accept `value` at `ballot` (Paxos, phase 2a)."""

    request: Id
    key: Key
    ballot: Ballot
    value: Value


class Accepted(Message, frozen=True, array_like=True, tag=True):
    """Answer an accept: granted if `promised` equals the ballot asked for."""

    request: Id
    ballot: Ballot
    promised: Ballot


RingMessage = (
    Ping
    | PingRequest
    | Ack
    | Gossip
    | PushPull
    | CoordinatePut
    | PutCoordinated
    | StoreVersions
    | VersionsStored
    | FetchVersions
    | VersionsFetched
    | ListKeys
    | KeysListed
    | StoreChunk
    | ChunkStored
    | Prepare
    | Promised
    | Accept
    | Accepted
)
