"""Name what can happen to the scheduling machine."""

from dataclasses import dataclass

from ..ring.facts import Update
from ..ring.terms import PeerId, Source
from .jobs import JobRecord, TaskReport, UserError
from .messages import Attempt, SchedulingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingStarted:
    """The peer is ready; timers may be set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingStopped:
    """The peer is about to end: what it has under way is left to others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingMessageReceived:
    """A decoded message of another peer has arrived."""

    sender: PeerId
    message: SchedulingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSeen:
    """The belief about a member (this peer itself included) has changed."""

    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted:
    """A client asks this peer to take the tracker role for a job; answered under `request`."""

    request: str
    record: JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRequested:
    """A client wants a job ended; answered under `request` once the news is on its way."""

    request: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequested:
    """A client wants a job's status once it differs from version `seen`, or after `patience_s` at the latest."""

    request: str
    job: str
    seen: int
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectorateRequested:
    """A client is about to submit a job, and wants to know who should decide it."""

    request: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsRequested:
    """A client wants a status of every job that this peer knows."""

    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRequested:
    """A client wants this peer to forget an ended job."""

    request: str
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftoversFound:
    """The disk holds runs or parts of these jobs since an earlier start."""

    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFound:
    """What the ring holds under a job's key: an encoded `JobRecord`, or None.

    An `error` says why nothing was found; without one, the ring is sure that there is no such record.
    """

    job: str
    value: bytes | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFound:
    """Whether something was ever stored under the key of a job's output, be it deleted since; or why nobody knows."""

    job: str
    written: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStored:
    """A `StoreRecord` has ended; `error` is empty if its quorum was reached."""

    job: str
    key: bytes
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDecided:
    """A write-once register of a job has its value; None if it had none when a `Decide` without a value asked."""

    job: str
    which: str
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgressed:
    """An attempt of this peer has come so far."""

    attempt: Attempt
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutput:
    """Part of a part: `size` bytes of a file on this peer's disk, to be stored as one chunk."""

    digest: bytes
    size: int
    newlines: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSideFile:
    """A file that user code has written beside the output, in pieces in order."""

    name: str
    pieces: tuple[LocalOutput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """User code is through; `outputs` in order make up the part (empty for a map attempt that wrote a run).

    `report.part` and `report.side` are not set yet: the chunks must be placed first.
    """

    attempt: Attempt
    report: TaskReport
    outputs: tuple[LocalOutput, ...] = ()
    side: tuple[LocalSideFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """User code or user data is at fault."""

    attempt: Attempt
    error: UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """The attempt ended through no fault of the user's: inputs out of reach, a disk error, or a stop.

    `missing` are splits whose sealed runs can be had nowhere, so that they must be made again.
    """

    attempt: Attempt
    reason: str
    missing: tuple[int, ...] = ()


AttemptEvent = AttemptProgressed | AttemptFinished | AttemptFailed | AttemptLost


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsTold:
    """What came of several attempts at once, in order."""

    events: tuple[AttemptEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkSettled:
    """A `PlaceChunk` has ended; `error` is empty if enough copies are durable."""

    request: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadDue:
    """Time to send the claims that were gathered for a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDue:
    """Time to offer the tables to a random peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackDue:
    """Time to look after a job: its tracker, its timers, what stands still."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDue:
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
