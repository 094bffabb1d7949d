"""Name what the ring machine asks of the world."""

from msgspec import Struct

from .events import RingEvent
from .facts import Context, Sibling, Update
from .messages import RingMessage
from .operations import Operation
from .terms import Instant, PeerId, Source


class Send(Struct, frozen=True, kw_only=True):
    """Send a message to a known member; it may be lost, late or doubled."""

    to: PeerId
    message: RingMessage


class SendTo(Struct, frozen=True, kw_only=True):
    """Send a message to an address whose peer is not known yet, as when joining."""

    url: str
    message: RingMessage


class WakeAt(Struct, frozen=True, kw_only=True):
    """Hand `event` back at that instant, or soon after."""

    at: Instant
    event: RingEvent


class Operate(Struct, frozen=True, kw_only=True):
    """Carry out a store operation; its `OperationDone` has the same ticket."""

    ticket: int
    operation: Operation


class PullChunk(Struct, frozen=True, kw_only=True):
    """Make the chunk durable here from any of `sources`, verified by its digest; its `ChunkPulled` has the ticket."""

    ticket: int
    digest: bytes
    size: int
    sources: tuple[Source, ...]


class MendChunk(Struct, frozen=True, kw_only=True):
    """Make a damaged chunk sound again from any other peer that may hold it; its `ChunkPulled` has the ticket."""

    ticket: int
    digest: bytes
    size: int


class ScrubChunks(Struct, frozen=True, kw_only=True):
    """Check chunks kept here after `after`, until `bytes_max` are read; its `ChunksScrubbed` has the same ticket.

    With them come those that readers have found damaged since the last step.
    """

    ticket: int
    after: bytes
    bytes_max: int


class RemoveChunk(Struct, frozen=True, kw_only=True):
    """Remove the file of a chunk, if there is one; its `ChunkRemoved` has the same ticket."""

    ticket: int
    digest: bytes


class MemberChanged(Struct, frozen=True, kw_only=True):
    """The belief about a member has changed; the rest of the peer acts on it."""

    update: Update


class Usurped(Struct, frozen=True, kw_only=True):
    """A later start of this peer's identity runs at another address: this process must end, and has said its last word.

    `reason` says so in one line, with the way out.
    """

    reason: str


class Parted(Struct, frozen=True, kw_only=True):
    """End the process: its peer is no member any more, for it has left, or `by_others` it was removed."""

    by_others: bool


class DiskOld(Struct, frozen=True, kw_only=True):
    """The disk is an old copy: it has the start `recorded`, and others know a later one.

    This process must end, the directory must never again be used under the same id, and what it holds must not come
    back by itself: it may have been deleted since, and forgotten by all.
    """

    recorded: int
    known: int


class RecordSeen(Struct, frozen=True, kw_only=True):
    """A system record (a key that begins with `job/`) is now durable at this peer."""

    key: bytes
    values: tuple[bytes, ...]


class PutDone(Struct, frozen=True, kw_only=True):
    """A write reached W: `primaries` + `fallbacks` durable copies of `replicas` homes.

    The key now holds so many `siblings`. With `replaced_corrupt` no home had a readable copy: what was there is lost.
    """

    context: Context
    replicas: int
    primaries: int
    fallbacks: int
    siblings: int = 1
    replaced_corrupt: bool = False


class PutConflict(Struct, frozen=True, kw_only=True):
    """A conditional put was not written, because this is there."""

    siblings: tuple[Sibling, ...]
    context: Context


class GetDone(Struct, frozen=True, kw_only=True):
    """A read reached R: the current siblings (tombstones included) and the context that covers them.

    Of the `answered` copies, `primaries` are of the key's own homes.
    """

    siblings: tuple[Sibling, ...]
    context: Context
    replicas: int
    answered: int
    primaries: int = 0


class KeysDone(Struct, frozen=True, kw_only=True):
    """One page of live keys in order; `more` sort after the last one."""

    keys: tuple[bytes, ...]
    more: bool


class ChunkPlaced(Struct, frozen=True, kw_only=True):
    """A chunk reached W durable copies, held by `holders`."""

    holders: tuple[PeerId, ...]


class Decided(Struct, frozen=True, kw_only=True):
    """The register's value, now and for ever; not always the one proposed.

    None comes only to who proposed nothing: when it asked, nothing had been decided.
    """

    value: bytes | None


class Joined(Struct, frozen=True, kw_only=True):
    """The peer knows its cluster, and may speak for it."""


class MoveBegun(Struct, frozen=True, kw_only=True):
    """The member's standing has changed, and what follows from that is under way."""


class MovePlanned(Struct, frozen=True, kw_only=True):
    """What a change would move: `vnodes` that get a new primary in the whole ring, and what this peer would send.

    In `zone_violations` vnodes all copies would then lie in fewer zones than now.
    """

    vnodes: int
    keys: int
    bytes: int
    zone_violations: int
    chunks: int = 0


class Collected(Struct, frozen=True, kw_only=True):
    """How far a pass is that removes chunks which nobody names: so many were `removed`, or would be in a dry pass.

    Others are `waiting` for the end of their grace, the first of them for `due_in_s` more (None: for none can it be
    told), and `held` of them may be of a job that has not ended. `failed` could not be removed, `named` stay.
    """

    is_over: bool
    removed: int
    removed_bytes: int
    waiting: int
    waiting_bytes: int
    held: int
    failed: int
    named: int
    named_bytes: int
    due_in_s: float | None


class Failed(Struct, frozen=True, kw_only=True):
    """The request missed its quorum within its patience.

    With `is_unknown` a write may have taken effect all the same; without, nothing was written. With `is_corrupt` a
    read found copies, and none of them can be read.
    """

    reason: str
    is_unknown: bool = False
    is_corrupt: bool = False


Answer = (
    PutDone
    | PutConflict
    | GetDone
    | KeysDone
    | ChunkPlaced
    | Decided
    | Joined
    | MoveBegun
    | MovePlanned
    | Collected
    | Failed
)


class Completed(Struct, frozen=True, kw_only=True):
    """Answer a request of this process."""

    request: str
    answer: Answer


RingEffect = (
    Send
    | SendTo
    | WakeAt
    | Operate
    | PullChunk
    | MendChunk
    | ScrubChunks
    | RemoveChunk
    | MemberChanged
    | Parted
    | Usurped
    | DiskOld
    | RecordSeen
    | Completed
)
