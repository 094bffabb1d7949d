"""Spell what the storage halves of two peers say to each other; every field is bounded."""

from typing import Annotated

from msgspec import Meta, Struct

from .facts import (
    Ballot,
    Context,
    Count,
    Leaf,
    LeafPage,
    News,
    PeerKey,
    Print,
    Sequence,
    Standing,
    TreeNumber,
    Update,
    Versions,
)
from .terms import Condition, Digest, Id, Key, Member, Source, Value

Row = Annotated[bytes, Meta(max_length=5000)]


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
    """Ask a home whether it has passed on all that the sender's joining or leaving at `epoch` moves.

    `homes` names the set of homes that keys have now in the sender's eyes; only of that one is the question.
    """

    epoch: Count
    homes: Print


class ServiceDone(Message, frozen=True, array_like=True, tag=True):
    """Tell who joins or leaves at `epoch` that this home has passed everything on, keys having these `homes` now."""

    epoch: Count
    homes: Print


class RecallStart(Message, frozen=True, array_like=True, tag=True):
    """Ask what start of this peer was known before the one that asks; so it learns whether its disk is an old copy."""

    member: Member
    start: Count


class StartRecalled(Message, frozen=True, array_like=True, tag=True):
    """Tell `peer`, which asked from one start, the last start of it that was known before; 0 for none.

    And tell what is known of its standing, and at which epoch; None if it was never heard of.
    """

    peer: PeerKey
    asked_from: Count
    known: Count
    standing: Standing | None = None
    epoch: Count = 0


# --- versioned values ---


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


class ForgetWriters(Message, frozen=True, array_like=True, tag=True):
    """Forget actors of a key of which all homes know that nothing is current, if no more is known than these counts."""

    key: Key
    actors: Context


# --- chunks: immutable, named by their content, carried by the bulk transport ---


class StoreChunk(Message, frozen=True, array_like=True, tag=True):
    """Ask a home of a chunk to pull it from `source` and keep it; with `hint_for`, on behalf of that primary.

    One that `is_copy` only makes homes alike: it shows that somebody keeps the chunk, and not that anybody wants it.
    """

    request: Id
    digest: Digest
    size: Count
    source: Source
    hint_for: PeerKey | None = None
    is_copy: bool = False


class ChunkStored(Message, frozen=True, array_like=True, tag=True):
    """Acknowledge that a chunk is durable here; `error` is empty, else says why it is not."""

    request: Id
    error: Annotated[str, Meta(max_length=1024)]


class AskNames(Message, frozen=True, array_like=True, tag=True):
    """Ask which chunks the records that a peer keeps name, from the row after `after` on."""

    request: Id
    after: Row


class NamesTold(Message, frozen=True, array_like=True, tag=True):
    """Give a page of keys of records with the chunks that they name; `next_after` is empty at the end.

    `after` is that of the question. `homes` are the homes of now as this peer knows them. Where a record cannot be
    read, `unreadable` says which.
    """

    request: Id
    after: Row
    entries: Annotated[
        tuple[tuple[Key, Annotated[tuple[Digest, ...], Meta(max_length=100_000)]], ...], Meta(max_length=100_000)
    ]
    next_after: Row
    homes: Print
    unreadable: Annotated[str, Meta(max_length=1024)] = ""


# --- write-once registers (single-decree Paxos) ---


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


ProbeMessage = Ping | PingRequest | Ack | Nack | Gossip | PushPull
StandingMessage = RecallStart | StartRecalled | ServiceAsked | ServiceDone
WriteMessage = CoordinatePut | PutCoordinated
RegisterMessage = Prepare | Promised | Accept | Accepted
NamesMessage = AskNames | NamesTold
CopyAsked = StoreVersions | OfferVersions | FetchVersions | ListKeys | StoreChunk
CopyAnswered = VersionsStored | VersionsWanted | VersionsFetched | KeysListed | ChunkStored
EntropyMessage = (
    CompareTrees
    | TreesCompared
    | CompareLeaves
    | LeavesCompared
    | SeekStrays
    | StraysFound
    | ReapTombstone
    | ForgetWriters
)

RingMessage = (
    ProbeMessage
    | StandingMessage
    | WriteMessage
    | RegisterMessage
    | NamesMessage
    | CopyAsked
    | CopyAnswered
    | EntropyMessage
)
