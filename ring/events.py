"""Name what can happen to the ring machine."""

from msgspec import Struct, field

from .facts import Context, Versions
from .messages import RingMessage
from .outcomes import StoreOutcome
from .owners import Owner
from .placement.rendezvous import Home
from .terms import Condition, PeerId, Quorum, Source


class Started(Struct, frozen=True, kw_only=True):
    """The peer's sockets and disk are ready; it joins through any of `seeds` (control URLs), or stands alone."""

    seeds: tuple[str, ...]


class MessageReceived(Struct, frozen=True, kw_only=True):
    """A decoded message of another peer has arrived."""

    sender: PeerId
    message: RingMessage


class LinkBroke(Struct, frozen=True, kw_only=True):
    """The transport lost its connection to a peer: no proof of death, but a reason to probe at once."""

    peer: PeerId


class OperationDone(Struct, frozen=True, kw_only=True):
    """The store has finished the operation of that ticket."""

    ticket: int
    outcome: StoreOutcome


class MintForetold(Struct, frozen=True, kw_only=True):
    """The store has worked out what the mint of that ticket writes, and begins to: `OperationDone` tells its end."""

    ticket: int
    versions: Versions
    actor: str


class ChunkPulled(Struct, frozen=True, kw_only=True):
    """The chunk of a `PullChunk` is durable here; or not, and `error` says why."""

    ticket: int
    error: str


class ChunkRemoved(Struct, frozen=True, kw_only=True):
    """The file of a `RemoveChunk` is gone; or it may be there still, and `error` says why."""

    ticket: int
    error: str


class CollectRequested(Struct, frozen=True, kw_only=True):
    """Someone wants chunks that nobody has named for `grace_s` removed here; answered by `Completed`.

    The answer is `Collected`, or `Failed` where it cannot be told what is named. After `patience_s` it tells how far
    the pass is; who asks by the same `name` again goes on waiting for it. With `is_dry` nothing is changed.
    """

    request: str
    name: str
    grace_s: float
    is_dry: bool
    patience_s: float


class CollectDue(Struct, frozen=True, kw_only=True):
    """Time to look whether a pass for chunks that nobody names is due, or an answer of one."""


class PutRequested(Struct, frozen=True, kw_only=True):
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


class GetRequested(Struct, frozen=True, kw_only=True):
    """Someone in this process wants to read `key`; answered by `Completed` with `GetDone` or `Failed`."""

    request: str
    key: bytes
    quorum: Quorum
    patience_s: float


class KeysRequested(Struct, frozen=True, kw_only=True):
    """Someone wants one page of all live keys by prefix; answered by `Completed` with `KeysDone` or `Failed`.

    By the `quorum` of their writes it is told whether silent homes may hide some.
    """

    request: str
    prefix: bytes
    after: bytes
    limit: int
    patience_s: float
    quorum: Quorum = field(default_factory=Quorum)


class ChunkOffered(Struct, frozen=True, kw_only=True):
    """Someone wants a chunk replicated from `source`; answered by `Completed` with `ChunkPlaced` or `Failed`."""

    request: str
    digest: bytes
    size: int
    source: Source
    quorum: Quorum
    patience_s: float


class DecisionRequested(Struct, frozen=True, kw_only=True):
    """Someone proposes `value` for the write-once register `key`; answered by `Completed` with `Decided`.

    Without a `value` it only asks: what may have been decided is brought to its decision, else nothing is. It is
    retried for ever while no majority of `acceptors` is reachable, for a minority must wait.
    """

    request: str
    key: bytes
    value: bytes | None
    acceptors: tuple[PeerId, ...]


class ClusterAwaited(Struct, frozen=True, kw_only=True):
    """Someone wants to act for the whole cluster; answered by `Completed` with `Joined` or `Failed`."""

    request: str
    patience_s: float


class StopRequested(Struct, frozen=True, kw_only=True):
    """The peer is about to stop in good order, and means to come back: it tells the others, and keeps its keys."""


class LeaveRequested(Struct, frozen=True, kw_only=True):
    """The peer is to hand over all it keeps and go for good; answered by `Completed` with `MoveBegun` or `Failed`."""

    request: str = ""


class VotesOwed(Struct, frozen=True, kw_only=True):
    """So many jobs that have not ended count on this peer's vote: a leave waits for their ends."""

    jobs: int


class RemoveRequested(Struct, frozen=True, kw_only=True):
    """`peer` is to own nothing from now on; answered by `Completed` with `MoveBegun` or `Failed`."""

    request: str
    peer: PeerId


class PlanRequested(Struct, frozen=True, kw_only=True):
    """Someone asks what this peer would send if `gone` left or were removed, or if `comer` joined.

    Answered by `MovePlanned` or `Failed`.
    """

    request: str
    gone: PeerId | None = None
    by_removal: bool = False
    comer: Home | None = None


class ProbeDue(Struct, frozen=True, kw_only=True):
    """Time for the next member to be probed."""


class ProbeExpired(Struct, frozen=True, kw_only=True):
    """The direct (`stage` 0) or whole (`stage` 1) time of the probe `sequence` is over."""

    sequence: int
    stage: int


class RelayExpired(Struct, frozen=True, kw_only=True):
    """The ping `sequence` on another peer's behalf has waited so long that its asker is to be told."""

    sequence: int


class SuspicionExpired(Struct, frozen=True, kw_only=True):
    """A member suspected at `incarnation` has had its time to refute."""

    peer: PeerId
    incarnation: int


class GossipDue(Struct, frozen=True, kw_only=True):
    """Time to spread queued news."""


class ExchangeDue(Struct, frozen=True, kw_only=True):
    """Time for a push-pull with a random member, a seed or a dead one."""


class RequestDue(Struct, frozen=True, kw_only=True):
    """A request of this peer has waited for its replicas long enough to try others, or to give up.

    Where no `request` is named, the part that is its `owner` knows which are due.
    """

    request: str
    owner: Owner = Owner.ANY


class ExpiryDue(Struct, frozen=True, kw_only=True):
    """Time to look for values that have ended."""


class DamagedChunk(Struct, frozen=True, kw_only=True):
    """A chunk kept here that is not what it was; its `size` in bytes is 0 where the disk no longer tells."""

    digest: bytes
    size: int


class ChunksScrubbed(Struct, frozen=True, kw_only=True):
    """The step of a `ScrubChunks` is done; `after` is where the next one begins, None at the end."""

    ticket: int
    damaged: tuple[DamagedChunk, ...]
    after: bytes | None
    bytes_read: int


class ScrubDue(Struct, frozen=True, kw_only=True):
    """Time for the next step of the scrub."""


class MendDue(Struct, frozen=True, kw_only=True):
    """Time to mend some of what was found damaged."""


class HandoffDue(Struct, frozen=True, kw_only=True):
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
