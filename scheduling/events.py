"""Name what can happen to the scheduling machine."""

from msgspec import Struct

from ..ring.facts import Update
from ..ring.terms import PeerId, Source
from .jobs import JobRecord, TaskReport, UserError
from .messages import Attempt, SchedulingMessage


class SchedulingStarted(Struct, frozen=True, kw_only=True):
    """The peer is ready; timers may be set."""


class SchedulingStopped(Struct, frozen=True, kw_only=True):
    """The peer is about to end: what it has under way is left to others."""


class SchedulingMessageReceived(Struct, frozen=True, kw_only=True):
    """A decoded message of another peer has arrived."""

    sender: PeerId
    message: SchedulingMessage


class MemberSeen(Struct, frozen=True, kw_only=True):
    """The belief about a member (this peer itself included) has changed."""

    update: Update


class JobSubmitted(Struct, frozen=True, kw_only=True):
    """A client asks this peer to take the tracker role for a job; answered under `request`."""

    request: str
    record: JobRecord


class KillRequested(Struct, frozen=True, kw_only=True):
    """A client wants a job ended; answered under `request` once the news is on its way."""

    request: str
    job: str


class StatusRequested(Struct, frozen=True, kw_only=True):
    """A client wants a job's status once it differs from version `seen`, or after `patience_s` at the latest."""

    request: str
    job: str
    seen: int
    patience_s: float


class ElectorateRequested(Struct, frozen=True, kw_only=True):
    """A client is about to submit a job, and wants to know who should decide it."""

    request: str
    job: str


class JobsRequested(Struct, frozen=True, kw_only=True):
    """A client wants a status of every job that this peer knows."""

    request: str


class DropRequested(Struct, frozen=True, kw_only=True):
    """A client wants this peer to forget an ended job."""

    request: str
    job: str


class LeftoversFound(Struct, frozen=True, kw_only=True):
    """The disk holds runs or parts of these jobs since an earlier start."""

    jobs: tuple[str, ...]


class RecordFound(Struct, frozen=True, kw_only=True):
    """What the ring holds under a job's key: an encoded `JobRecord`, or None.

    An `error` says why nothing was found; without one, the ring is sure that there is no such record.
    """

    job: str
    value: bytes | None
    error: str = ""


class OutputFound(Struct, frozen=True, kw_only=True):
    """Whether something was ever stored under the key of a job's output, be it deleted since; or why nobody knows."""

    job: str
    written: bool
    error: str = ""


class RecordStored(Struct, frozen=True, kw_only=True):
    """A `StoreRecord` has ended; `error` is empty if its quorum was reached."""

    job: str
    key: bytes
    error: str


class RegisterDecided(Struct, frozen=True, kw_only=True):
    """A write-once register of a job has its value; None if it had none when a `Decide` without a value asked."""

    job: str
    which: str
    value: bytes | None


class AttemptProgressed(Struct, frozen=True, kw_only=True):
    """An attempt of this peer has come so far."""

    attempt: Attempt
    fraction: float


class LocalOutput(Struct, frozen=True, kw_only=True):
    """Part of a part: `size` bytes of a file on this peer's disk, to be stored as one chunk."""

    digest: bytes
    size: int
    newlines: int
    source: Source


class LocalSideFile(Struct, frozen=True, kw_only=True):
    """A file that user code has written beside the output, in pieces in order."""

    name: str
    pieces: tuple[LocalOutput, ...]


class AttemptFinished(Struct, frozen=True, kw_only=True):
    """User code is through; `outputs` in order make up the part (empty for a map attempt that wrote a run).

    `report.part` and `report.side` are not set yet: the chunks must be placed first.
    """

    attempt: Attempt
    report: TaskReport
    outputs: tuple[LocalOutput, ...] = ()
    side: tuple[LocalSideFile, ...] = ()


class AttemptFailed(Struct, frozen=True, kw_only=True):
    """User code or user data is at fault."""

    attempt: Attempt
    error: UserError


class AttemptLost(Struct, frozen=True, kw_only=True):
    """The attempt ended through no fault of the user's: inputs out of reach, a disk error, or a stop.

    `missing` are splits whose sealed runs can be had nowhere, so that they must be made again.
    """

    attempt: Attempt
    reason: str
    missing: tuple[int, ...] = ()


AttemptEvent = AttemptProgressed | AttemptFinished | AttemptFailed | AttemptLost


class AttemptsTold(Struct, frozen=True, kw_only=True):
    """What came of several attempts at once, in order."""

    events: tuple[AttemptEvent, ...]


class ChunkSettled(Struct, frozen=True, kw_only=True):
    """A `PlaceChunk` has ended; `error` is empty if enough copies are durable."""

    request: str
    error: str


class SpreadDue(Struct, frozen=True, kw_only=True):
    """Time to send the claims that were gathered for a few milliseconds."""


class SyncDue(Struct, frozen=True, kw_only=True):
    """Time to offer the tables to a random peer."""


class TrackDue(Struct, frozen=True, kw_only=True):
    """Time to look after a job: its tracker, its timers, what stands still."""

    job: str


class AnswerDue(Struct, frozen=True, kw_only=True):
    """Time to answer a parked status request."""

    request: str


SchedulingEvent = (
    SchedulingStarted
    | SchedulingStopped
    | SchedulingMessageReceived
    | MemberSeen
    | JobSubmitted
    | KillRequested
    | StatusRequested
    | JobsRequested
    | DropRequested
    | LeftoversFound
    | ElectorateRequested
    | RecordFound
    | OutputFound
    | RecordStored
    | RegisterDecided
    | AttemptEvent
    | AttemptsTold
    | ChunkSettled
    | SpreadDue
    | SyncDue
    | TrackDue
    | AnswerDue
)
