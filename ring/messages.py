"""Spell what the storage halves of two peers say to each other; every field is bounded."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from .terms import Condition, Digest, Id, Key, Member, Name, Source, Value

Sequence = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
PeerKey = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Liveness(IntEnum):
    """What is believed of a member; the order is that of strength at one incarnation (SWIM, section 4.2)."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Standing(IntEnum):
    """Where a member is between its joining and its removal; ownership follows it, never liveness.

    The order is that of strength at one epoch.
    """

    JOINING = 0
    VALID = 1
    LEAVING = 2
    REMOVED = 3


class Update(Struct, frozen=True, array_like=True):
    """One piece of news about one member: its liveness at an incarnation, and apart from that its standing at an epoch.

    `accuser` is the peer whose own probe of a suspect failed, so that confirmations count independent ones only
    (Lifeguard, section 3.2); it is empty in all other news.
    """

    member: Member
    liveness: Liveness
    incarnation: Count
    accuser: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""
    standing: Standing = Standing.VALID
    epoch: Count = 0


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


class Nack(Message, frozen=True, array_like=True, tag=True):
    """Tell who asked for a ping that its target has not answered yet: so the asker knows that itself is not cut off."""

    sequence: Sequence


class Gossip(Message, frozen=True, array_like=True, tag=True):
    """Spread news between probes."""

    news: News


class PushPull(Message, frozen=True, array_like=True, tag=True):
    """Exchange member tables, in pages where they are large: the way to join, and what heals all that gossip missed.

    Each page begins with what its sender says of itself; an answer is wanted to the first one only.
    """

    vnodes: Annotated[int, Meta(ge=1, le=65536)]
    members: Annotated[tuple[Update, ...], Meta(max_length=4096)]
    reply_wanted: bool


class ServiceAsked(Message, frozen=True, array_like=True, tag=True):
    """Ask a home whether it has passed on all that the sender's joining or leaving at `epoch` moves."""

    epoch: Count


class ServiceDone(Message, frozen=True, array_like=True, tag=True):
    """Tell who joins or leaves at `epoch` that this home has passed everything on."""

    epoch: Count


class RecallStart(Message, frozen=True, array_like=True, tag=True):
    """Ask what start of this peer was known before the one that asks; so it learns whether its disk is an old copy."""

    member: Member
    start: Count


class StartRecalled(Message, frozen=True, array_like=True, tag=True):
    """Tell `peer`, which asked from one start, the last start of it that was known before; 0 for none."""

    peer: PeerKey
    asked_from: Count
    known: Count


# --- versioned values ---


class Dot(Struct, frozen=True, array_like=True):
    """One write: the `counter`-th by `actor`, an incarnation of a peer."""

    actor: Annotated[str, Meta(max_length=64)]
    counter: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]


class Sibling(Struct, frozen=True, array_like=True):
    """One of the concurrent values of a key; `value` is None where the write was a delete (a tombstone).

    `expires_at` is when the value ends, in milliseconds since 1970, and 0 where it never does. A value that has ended
    is a tombstone of the same dot, with the same `expires_at`.
    """

    dot: Dot
    value: Value | None
    expires_at: Count = 0


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
    expires_at: Count = 0
    condition: Condition = Condition.NONE
    reads_required: Annotated[int, Meta(ge=0, le=16)] = 0
    over_corrupt: bool = False
    """No other coordinator is left to ask: write in place of a copy that cannot be read."""


class PutCoordinated(Message, frozen=True, array_like=True, tag=True):
    """Tell who forwarded a write how it went; `error` is empty where W was reached.

    `conflict` is what the key holds where that is why a conditional put was not written. With `is_corrupt` the
    coordinator's copy cannot be read; with `replaced_corrupt` it was written over, and what it held is lost here.
    """

    request: Id
    error: Annotated[str, Meta(max_length=1024)]
    context: Context
    replicas: int
    primaries: int
    fallbacks: int
    siblings: int = 0
    conflict: Versions | None = None
    is_corrupt: bool = False
    replaced_corrupt: bool = False


class StoreVersions(Message, frozen=True, array_like=True, tag=True):
    """Merge these versions into the copy of `key`; with `hint_for`, keep them for that absent primary too."""

    request: Id
    key: Key
    versions: Versions
    hint_for: PeerKey | None = None


class VersionsStored(Message, frozen=True, array_like=True, tag=True):
    """Acknowledge a durable merge."""

    request: Id


class OfferVersions(Message, frozen=True, array_like=True, tag=True):
    """Offer copies, values stripped, to a peer that is to be a primary of their keys."""

    request: Id
    entries: Annotated[tuple[tuple[Key, Versions], ...], Meta(max_length=1000)]


class VersionsWanted(Message, frozen=True, array_like=True, tag=True):
    """Name those of the keys offered of which the receiver does not know everything."""

    request: Id
    keys: Annotated[tuple[Key, ...], Meta(max_length=1000)]


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


# --- anti-entropy: two homes of a tree find out where their copies differ ---

TreeNumber = Annotated[int, Meta(ge=0, lt=1 << 17)]
Leaf = Annotated[int, Meta(ge=0, lt=64)]
Print = Annotated[bytes, Meta(min_length=8, max_length=8)]


class LeafEntry(Struct, frozen=True, array_like=True):
    """One key of a leaf, or one chunk if it has a `chunk_size`, and the digest of what is kept of it."""

    name: Key
    print: Print
    chunk_size: Count | None = None


class LeafPage(Struct, frozen=True, array_like=True):
    """What falls into a leaf, chunks first, each kind in order; `more` follow the last one."""

    entries: Annotated[tuple[LeafEntry, ...], Meta(max_length=256)]
    more: bool


class CompareTrees(Message, frozen=True, array_like=True, tag=True):
    """Ask which trees from `first` to `last` differ; all that both peers own and that are not here are empty."""

    request: Id
    first: TreeNumber
    last: TreeNumber
    roots: Annotated[tuple[tuple[TreeNumber, Print], ...], Meta(max_length=1024)]


class TreesCompared(Message, frozen=True, array_like=True, tag=True):
    """Name the trees that differ, and give the first of them."""

    request: Id
    differing: Annotated[tuple[TreeNumber, ...], Meta(max_length=1024)]
    trees: Annotated[
        tuple[tuple[TreeNumber, Annotated[bytes, Meta(min_length=512, max_length=512)]], ...], Meta(max_length=512)
    ]


class CompareLeaves(Message, frozen=True, array_like=True, tag=True):
    """Ask what falls into some leaves: of the first one only what comes after the cursor `after`."""

    request: Id
    spots: Annotated[tuple[tuple[TreeNumber, Leaf], ...], Meta(min_length=1, max_length=64)]
    after: Annotated[bytes, Meta(max_length=4097)]


class LeavesCompared(Message, frozen=True, array_like=True, tag=True):
    """Give a page for each of the first leaves that were asked for."""

    request: Id
    pages: Annotated[tuple[LeafPage, ...], Meta(max_length=64)]


class SeekStrays(Message, frozen=True, array_like=True, tag=True):
    """Ask a peer that owns none of these trees whether it keeps keys of them all the same."""

    request: Id
    trees: Annotated[tuple[TreeNumber, ...], Meta(max_length=1024)]


class StraysFound(Message, frozen=True, array_like=True, tag=True):
    """Name the trees of which keys are kept here, or which this peer takes for its own."""

    request: Id
    trees: Annotated[tuple[TreeNumber, ...], Meta(max_length=1024)]


class ReapTombstone(Message, frozen=True, array_like=True, tag=True):
    """Forget a key that all its homes know as deleted, if these are still all the writes that are known of it."""

    key: Key
    versions: Versions


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
    | Nack
    | Gossip
    | PushPull
    | RecallStart
    | StartRecalled
    | ServiceAsked
    | ServiceDone
    | CoordinatePut
    | PutCoordinated
    | StoreVersions
    | VersionsStored
    | OfferVersions
    | VersionsWanted
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
    | CompareTrees
    | TreesCompared
    | CompareLeaves
    | LeavesCompared
    | SeekStrays
    | StraysFound
    | ReapTombstone
)
