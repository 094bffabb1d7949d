"""Name what the scheduling machine asks of the world."""

from msgspec import Struct

from ..ring.terms import Instant, PeerId, Source
from .events import SchedulingEvent
from .jobs import JobRecord, Phase
from .messages import Attempt, MapSeal, SchedulingMessage
from .status import JobStatus

OUTPUT_COPIES = 3
"""Durable copies of output before the attempt that made it counts."""


class Tell(Struct, frozen=True, kw_only=True):
    """Send a message to a member; it may be lost, late or doubled."""

    to: PeerId
    message: SchedulingMessage


class WakeSchedulingAt(Struct, frozen=True, kw_only=True):
    """Hand `event` back at that instant, or soon after."""

    at: Instant
    event: SchedulingEvent


class FindRecord(Struct, frozen=True, kw_only=True):
    """Read a job's record from the ring; any one copy will do, for it never changes. Ends in `RecordFound`."""

    job: str


class FindOutput(Struct, frozen=True, kw_only=True):
    """Find out whether anything was ever stored under the `key` of a job's output. Ends in `OutputFound`."""

    job: str
    key: bytes


class StoreRecord(Struct, frozen=True, kw_only=True):
    """Write a value under `key` in the ring, `replicas` times, a majority at once. Ends in `RecordStored`."""

    job: str
    key: bytes
    value: bytes
    replicas: int


class Decide(Struct, frozen=True, kw_only=True):
    """Propose `value` for the register `which` of a job; without one, only ask what is decided.

    Ends in `RegisterDecided`, sooner or later.
    """

    job: str
    which: str
    value: bytes | None
    acceptors: tuple[PeerId, ...]


class StartAttempt(Struct, frozen=True, kw_only=True):
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


class StartAttempts(Struct, frozen=True, kw_only=True):
    """Fetch the input of these attempts of one job and run user code on them, one after the other.

    Each ends in `AttemptFinished`, `AttemptFailed` or `AttemptLost`.
    """

    starts: tuple[StartAttempt, ...]


class PrepareAttempts(Struct, frozen=True, kw_only=True):
    """Fetch the input of attempts that are about to start, and no more; `StartAttempts` comes, or stops.

    An attempt ends in `AttemptLost` where the input is out of reach, else in nothing.
    """

    starts: tuple[StartAttempt, ...]


class StopAttempt(Struct, frozen=True, kw_only=True):
    """End an attempt of this peer, its process included if it stays at it; no event follows."""

    attempt: Attempt


class PlaceChunk(Struct, frozen=True, kw_only=True):
    """Replicate a piece of output in the ring, in so many copies. Ends in `ChunkSettled`."""

    request: str
    digest: bytes
    size: int
    source: Source
    copies: int = OUTPUT_COPIES


class DismissJob(Struct, frozen=True, kw_only=True):
    """End the processes that have run user code of the job on this peer, and all that these have started."""

    job: str


class ForgetJob(Struct, frozen=True, kw_only=True):
    """Remove what the job left on this peer's disk: runs, parts, executors; what it printed too if the user said so."""

    job: str
    with_logs: bool = False


class JobAccepted(Struct, frozen=True, kw_only=True):
    """The job is stored and will be carried through."""

    job: str


class JobRefused(Struct, frozen=True, kw_only=True):
    """The job was not taken; `reason` is one line for the user."""

    reason: str


class JobUnknown(Struct, frozen=True, kw_only=True):
    """No such job is known here, nor was its record found in the ring."""


class JobSeen(Struct, frozen=True, kw_only=True):
    """The status of one job."""

    status: JobStatus


class JobsSeen(Struct, frozen=True, kw_only=True):
    """The status of every job known here, newest first, without lanes, events and ending."""

    statuses: tuple[JobStatus, ...]


class ElectorateChosen(Struct, frozen=True, kw_only=True):
    """Who should decide a job, best first, were it submitted now."""

    electorate: tuple[PeerId, ...]


SchedulingAnswer = JobAccepted | JobRefused | JobUnknown | JobSeen | JobsSeen | ElectorateChosen


class Answer(Struct, frozen=True, kw_only=True):
    """Answer a client's request."""

    request: str
    answer: SchedulingAnswer


class OweVotes(Struct, frozen=True, kw_only=True):
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
