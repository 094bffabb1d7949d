"""Name what a peer asks of its sockets, disk and processes."""

from msgspec import Struct

from ..ring.effects import DiskOld, Operate, Parted, PullChunk, RemoveChunk, ScrubChunks, SendTo, Usurped
from ..ring.events import RingEvent
from ..ring.messages import RingMessage
from ..ring.terms import Instant, PeerId, Source
from ..scheduling.effects import DismissJob, ForgetJob, StartAttempt, StopAttempt
from ..scheduling.events import SchedulingEvent
from ..scheduling.messages import SchedulingMessage
from .events import KnockDue
from .wire.logs import ListLogs, ReadLog
from .wire.replies import ClientReply
from .wire.requests import CheckChunks

DiskQuestion = CheckChunks | ListLogs | ReadLog


class Post(Struct, frozen=True, kw_only=True):
    """Send a message to another peer's control address; it may be lost, late or doubled."""

    to: PeerId
    url: str
    message: RingMessage | SchedulingMessage


class Wake(Struct, frozen=True, kw_only=True):
    """Hand `event` back at that instant, or soon after."""

    at: Instant
    event: RingEvent | SchedulingEvent | KnockDue


class ReplyTo(Struct, frozen=True, kw_only=True):
    """Answer a client's question."""

    route: bytes
    request: str
    reply: ClientReply


class Piece(Struct, frozen=True, kw_only=True):
    """`length` bytes from `offset` of something that any of `sources` serves; `digest` names a chunk, if it is one."""

    sources: tuple[Source, ...]
    offset: int
    length: int
    digest: bytes = b""


class RunPlace(Struct, frozen=True, kw_only=True):
    """Where one split's sealed run may be had, best place first."""

    split: int
    digest: bytes
    sources: tuple[Source, ...]


class RunAttempt(Struct, frozen=True, kw_only=True):
    """An attempt and where its input lies: `pieces` of a split, or `runs` for a partition."""

    start: StartAttempt
    pieces: tuple[Piece, ...] = ()
    runs: tuple[RunPlace, ...] = ()


class RunAttempts(Struct, frozen=True, kw_only=True):
    """Bring the inputs of attempts of one job here and run user code on them, one after the other.

    With `is_ahead` only the inputs are brought; the same attempts come again once they may run.
    """

    runs: tuple[RunAttempt, ...]
    is_ahead: bool = False


class LookAtDisk(Struct, frozen=True, kw_only=True):
    """Answer a client's question by what is on this peer's disk; its `LookedAtDisk` has the same route and request."""

    route: bytes
    request: str
    question: DiskQuestion


class MeasureDisk(Struct, frozen=True, kw_only=True):
    """Measure this peer's disk for a client; its `DiskMeasured` has the same route and request."""

    route: bytes
    request: str


class Knock(Struct, frozen=True, kw_only=True):
    """See whether anybody takes a connection at the control address of a silent peer. Ends in `Knocked`."""

    peer: PeerId
    url: str


NodeEffect = (
    Post
    | SendTo
    | Wake
    | Operate
    | PullChunk
    | ScrubChunks
    | RemoveChunk
    | LookAtDisk
    | MeasureDisk
    | Knock
    | Usurped
    | Parted
    | DiskOld
    | RunAttempts
    | StopAttempt
    | DismissJob
    | ForgetJob
    | ReplyTo
)
