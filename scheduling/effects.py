"""Name what the scheduling machine asks of the world."""

from dataclasses import dataclass

from ..ring.terms import Instant, PeerId, Source
from .events import SchedulingEvent
from .jobs import JobRecord, Phase
from .messages import Attempt, MapSeal, SchedulingMessage
from .status import JobStatus

OUTPUT_COPIES = 3
"""Durable copies of output before the attempt that made it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Send a message to a member; it may be lost, late or doubled."""

    to: PeerId
    message: SchedulingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeSchedulingAt:
    """Hand `event` back at that instant, or soon after."""

    at: Instant
    event: SchedulingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRecord:
    """Read a job's record from the ring; any one copy will do, for it never changes. Ends in `RecordFound`."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindOutput:
    """Find out whether anything was ever stored under the `key` of a job's output. Ends in `OutputFound`."""

    job: str
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecord:
    """Write a value under `key` in the ring, `replicas` times, a majority at once. Ends in `RecordStored`."""

    job: str
    key: bytes
    value: bytes
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Propose `value` for the register `which` of a job; without one, only ask what is decided.

    Ends in `RegisterDecided`, sooner or later.
    """

    job: str
    which: str
    value: bytes | None
    acceptors: tuple[PeerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    """What an attempt needs to know of its task.

    A reduce attempt pulls partition `task` of the runs that `seal` names; `remade` adds, by split, attempts whose
    runs have the sealed digest too.
    """

    record: JobRecord
    phase: Phase
    task: int
    attempt: Attempt
    seal: MapSeal | None
    remade: tuple[tuple[int, Attempt], ...] = ()
    skip: tuple[int, ...] | None = None
    """Lines of the split that are left out, or keys of the partition; None if the attempt need not be careful."""
    copies: tuple[tuple[int, bytes], ...] = ()
    """Splits whose runs are chunks of the ring as well, and the names of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempts:
    """Fetch the input of these attempts of one job and run user code on them, one after the other.

    Each ends in `AttemptFinished`, `AttemptFailed` or `AttemptLost`.
    """

    starts: tuple[StartAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareAttempts:
    """Fetch the input of attempts that are about to start, and no more; `StartAttempts` comes, or stops.

    An attempt ends in `AttemptLost` where the input is out of reach, else in nothing.
    """

    starts: tuple[StartAttempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAttempt:
    """End an attempt of this peer, its process included; no event follows."""

    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceChunk:
    """Replicate a piece of output in the ring, in so many copies. Ends in `ChunkSettled`."""

    request: str
    digest: bytes
    size: int
    source: Source
    copies: int = OUTPUT_COPIES


@dataclass(frozen=True, slots=True, kw_only=True)
class DismissJob:
    """End the processes that have run user code of the job on this peer, and all that these have started."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetJob:
    """Remove what the job left on this peer's disk: runs, parts, executors; what it printed too if the user said so."""

    job: str
    with_logs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAccepted:
    """The job is stored and will be carried through."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRefused:
    """The job was not taken; `reason` is one line for the user."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUnknown:
    """No such job is known here, nor was its record found in the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSeen:
    """The status of one job."""

    status: JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsSeen:
    """The status of every job known here, newest first, without lanes, events and ending."""

    statuses: tuple[JobStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectorateChosen:
    """Who should decide a job, best first, were it submitted now."""

    electorate: tuple[PeerId, ...]


SchedulingAnswer = JobAccepted | JobRefused | JobUnknown | JobSeen | JobsSeen | ElectorateChosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer a client's request."""

    request: str
    answer: SchedulingAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class OweVotes:
    """Tell the ring how many jobs that have not ended count on this peer's vote."""

    jobs: int


SchedulingEffect = (
    Tell
    | WakeSchedulingAt
    | FindRecord
    | FindOutput
    | StoreRecord
    | Decide
    | StartAttempts
    | PrepareAttempts
    | StopAttempt
    | PlaceChunk
    | DismissJob
    | ForgetJob
    | OweVotes
    | Answer
)
