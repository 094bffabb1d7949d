"""Name what can happen to the ring machine."""

from dataclasses import dataclass

from .messages import Context, RingMessage
from .operations import StoreOutcome
from .terms import PeerId, Quorum, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The peer's sockets and disk are ready; it joins through any of `seeds` (control URLs), or stands alone."""

    seeds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A decoded message of another peer has arrived."""

    sender: PeerId
    message: RingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkBroke:
    """The transport lost its connection to a peer: no proof of death, but a reason to probe at once."""

    peer: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDone:
    """The store has finished the operation of that ticket."""

    ticket: int
    outcome: StoreOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPulled:
    """The chunk of a `PullChunk` is durable here; or not, and `error` says why."""

    ticket: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequested:
    """Someone in this process wants `key` written; answered by `Completed` with `PutDone` or `Failed`."""

    request: str
    key: bytes
    value: bytes | None
    context: Context
    quorum: Quorum
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRequested:
    """Someone in this process wants to read `key`; answered by `Completed` with `GetDone` or `Failed`."""

    request: str
    key: bytes
    quorum: Quorum
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRequested:
    """Someone wants one page of all live keys by prefix; answered by `Completed` with `KeysDone` or `Failed`."""

    request: str
    prefix: bytes
    after: bytes
    limit: int
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOffered:
    """Someone wants a chunk replicated from `source`; answered by `Completed` with `ChunkPlaced` or `Failed`."""

    request: str
    digest: bytes
    size: int
    source: Source
    quorum: Quorum
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequested:
    """Someone proposes `value` for the write-once register `key`; answered by `Completed` with `Decided`.

    Without a `value` it only asks: what may have been decided is brought to its decision, else nothing is. It is
    retried for ever while no majority of `acceptors` is reachable, for a minority must wait.
    """

    request: str
    key: bytes
    value: bytes | None
    acceptors: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAwaited:
    """Someone wants to act for the whole cluster; answered by `Completed` with `Joined` or `Failed`."""

    request: str
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRequested:
    """The peer is about to stop in good order and tells the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeDue:
    """Time for the next member to be probed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeExpired:
    """The direct (`stage` 0) or whole (`stage` 1) time of the probe `sequence` is over."""

    sequence: int
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspicionExpired:
    """A member suspected at `incarnation` has had its time to refute."""

    peer: PeerId
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipDue:
    """Time to spread queued news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeDue:
    """Time for a push-pull with a random member, a seed or a dead one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDue:
    """A request of this peer has waited for its replicas long enough to try others, or to give up."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffDue:
    """Time to look for hints whose target is back."""


RingEvent = (
    Started
    | MessageReceived
    | LinkBroke
    | OperationDone
    | ChunkPulled
    | PutRequested
    | GetRequested
    | KeysRequested
    | ChunkOffered
    | DecisionRequested
    | ClusterAwaited
    | LeaveRequested
    | ProbeDue
    | ProbeExpired
    | SuspicionExpired
    | GossipDue
    | ExchangeDue
    | RequestDue
    | HandoffDue
)
