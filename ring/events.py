"""Name what can happen to the ring machine."""

from dataclasses import dataclass, field

from .facts import Context, Versions
from .messages import RingMessage
from .outcomes import StoreOutcome
from .owners import Owner
from .placement.rendezvous import Home
from .terms import Condition, PeerId, Quorum, Source


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
class MintForetold:
    """The store has worked out what the mint of that ticket writes, and begins to: `OperationDone` tells its end."""

    ticket: int
    versions: Versions
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPulled:
    """The chunk of a `PullChunk` is durable here; or not, and `error` says why."""

    ticket: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRemoved:
    """The file of a `RemoveChunk` is gone; or it may be there still, and `error` says why."""

    ticket: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRequested:
    """Someone wants chunks that nobody has named for `grace_s` removed here; answered by `Completed`.

    The answer is `Collected`, or `Failed` where it cannot be told what is named. After `patience_s` it tells how far
    the pass is; who asks by the same `name` again goes on waiting for it. With `is_dry` nothing is changed.
    """

    request: str
    name: str
    grace_s: float
    is_dry: bool
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectDue:
    """Time to look whether a pass for chunks that nobody names is due, or an answer of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutRequested:
    """Someone in this process wants `key` written; answered by `Completed` with `PutDone`, `PutConflict` or `Failed`.

    `expires_at` is when the value ends, in milliseconds since 1970; 0 for never.
    """

    request: str
    key: bytes
    value: bytes | None
    context: Context
    quorum: Quorum
    patience_s: float
    expires_at: int = 0
    condition: Condition = Condition.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRequested:
    """Someone in this process wants to read `key`; answered by `Completed` with `GetDone` or `Failed`."""

    request: str
    key: bytes
    quorum: Quorum
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRequested:
    """Someone wants one page of all live keys by prefix; answered by `Completed` with `KeysDone` or `Failed`.

    By the `quorum` of their writes it is told whether silent homes may hide some.
    """

    request: str
    prefix: bytes
    after: bytes
    limit: int
    patience_s: float
    quorum: Quorum = field(default_factory=Quorum)


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
class StopRequested:
    """The peer is about to stop in good order, and means to come back: it tells the others, and keeps its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRequested:
    """The peer is to hand over all it keeps and go for good; answered by `Completed` with `MoveBegun` or `Failed`."""

    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VotesOwed:
    """So many jobs that have not ended count on this peer's vote: a leave waits for their ends."""

    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRequested:
    """`peer` is to own nothing from now on; answered by `Completed` with `MoveBegun` or `Failed`."""

    request: str
    peer: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequested:
    """Someone asks what this peer would send if `gone` left or were removed, or if `comer` joined.

    Answered by `MovePlanned` or `Failed`.
    """

    request: str
    gone: PeerId | None = None
    by_removal: bool = False
    comer: Home | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeDue:
    """Time for the next member to be probed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeExpired:
    """The direct (`stage` 0) or whole (`stage` 1) time of the probe `sequence` is over."""

    sequence: int
    stage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayExpired:
    """The ping `sequence` on another peer's behalf has waited so long that its asker is to be told."""

    sequence: int


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
    """A request of this peer has waited for its replicas long enough to try others, or to give up.

    Where no `request` is named, the part that is its `owner` knows which are due.
    """

    request: str
    owner: Owner = Owner.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryDue:
    """Time to look for values that have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedChunk:
    """A chunk kept here that is not what it was; its `size` in bytes is 0 where the disk no longer tells."""

    digest: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksScrubbed:
    """The step of a `ScrubChunks` is done; `after` is where the next one begins, None at the end."""

    ticket: int
    damaged: tuple[DamagedChunk, ...]
    after: bytes | None
    bytes_read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubDue:
    """Time for the next step of the scrub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MendDue:
    """Time to mend some of what was found damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffDue:
    """Time to look for hints whose target is back."""


MembershipEvent = (
    ProbeDue | ProbeExpired | RelayExpired | SuspicionExpired | GossipDue | ExchangeDue | LinkBroke | StopRequested
)
CollectEvent = CollectRequested | CollectDue | ChunkRemoved
RingRequest = PutRequested | GetRequested | KeysRequested | ChunkOffered | DecisionRequested | ClusterAwaited
MoveEvent = LeaveRequested | RemoveRequested | PlanRequested | VotesOwed
DamageEvent = ChunksScrubbed | ScrubDue | MendDue

RingEvent = (
    Started
    | MessageReceived
    | OperationDone
    | MintForetold
    | RequestDue
    | ChunkPulled
    | HandoffDue
    | ExpiryDue
    | MembershipEvent
    | RingRequest
    | MoveEvent
    | DamageEvent
    | CollectEvent
)
