"""Name what the ring machine asks of the world."""

from dataclasses import dataclass

from .events import RingEvent
from .messages import Context, RingMessage, Sibling, Update
from .operations import Operation
from .terms import Instant, PeerId, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a message to a known member; it may be lost, late or doubled."""

    to: PeerId
    message: RingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTo:
    """Send a message to an address whose peer is not known yet, as when joining."""

    url: str
    message: RingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Hand `event` back at that instant, or soon after."""

    at: Instant
    event: RingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Operate:
    """Carry out a store operation; its `OperationDone` has the same ticket."""

    ticket: int
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class PullChunk:
    """Make the chunk durable here from any of `sources`, verified by its digest; its `ChunkPulled` has the ticket."""

    ticket: int
    digest: bytes
    size: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged:
    """The belief about a member has changed; the rest of the peer acts on it."""

    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSeen:
    """A system record (a key that begins with `job/`) is now durable at this peer."""

    key: bytes
    values: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDone:
    """A write reached W: `primaries` + `fallbacks` durable copies of `replicas` homes."""

    context: Context
    replicas: int
    primaries: int
    fallbacks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDone:
    """A read reached R: the current siblings (tombstones included) and the context that covers them."""

    siblings: tuple[Sibling, ...]
    context: Context
    replicas: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysDone:
    """One page of live keys in order; `more` sort after the last one."""

    keys: tuple[bytes, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlaced:
    """A chunk reached W durable copies, held by `holders`."""

    holders: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The register's value, now and for ever; not always the one proposed.

    None comes only to who proposed nothing: when it asked, nothing had been decided.
    """

    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The peer knows its cluster, and may speak for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The request missed its quorum within its patience; whether it took effect is unknown."""

    reason: str


Answer = PutDone | GetDone | KeysDone | ChunkPlaced | Decided | Joined | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """Answer a request of this process."""

    request: str
    answer: Answer


RingEffect = Send | SendTo | WakeAt | Operate | PullChunk | MemberChanged | RecordSeen | Completed
