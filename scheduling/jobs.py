"""Describe a job: what the client asks for, how its input is cut, and how it ended."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from ..ring.namespaces import FILE_PREFIX, RECORD_PREFIX, REGISTER_PREFIX
from ..ring.terms import Digest, Id, Name, Path, Source

Offset = Annotated[int, Meta(ge=0, le=(1 << 62))]
Number = Annotated[int, Meta(ge=0, le=1_000_000)]
Text = Annotated[str, Meta(max_length=65_536)]

PROGRAM_BYTES_MAX = 512 << 10
SPLITS_MAX = 20_000
"""A job record is one value of the ring: both limits keep it under 1 MiB."""

MEMORY_PER_TASK = 512 << 20
"""Bytes that an attempt may take for what it collects. One figure for all machines, for what a map attempt writes
depends on it: small enough for four slots on a laptop, large enough that a split of 32 MiB hardly ever spills."""

MEMORY_PER_TASK_MIN = 1 << 20

MEMORY_LIMIT_FACTOR = 4
MEMORY_LIMIT_LEAST = 1 << 30
"""Unless a user says otherwise, an attempt may hold so many times what it may collect, and never less than this: so
nobody meets the limit who leaks nothing, and a machine is not filled by one who does."""

PRIORITY, PRIORITY_MAX = 10, 100


class Phase(IntEnum):
    """The two halves of a job; a task is a split in the one and a partition in the other."""

    MAP = 0
    REDUCE = 1


class JobState(IntEnum):
    """What a job is doing; the last three are absorbing."""

    PLANNING = 0
    RUNNING_MAP = 1
    RUNNING_REDUCE = 2
    COMMITTING = 3
    DONE = 4
    FAILED = 5
    KILLED = 6

    @property
    def title(self) -> str:
        """Spell the state as the command line does."""
        return self.name.lower().replace("_", "-")

    @property
    def ended(self) -> bool:
        """Tell whether nothing can change any more."""
        return self >= JobState.DONE


class Program(Struct, frozen=True, array_like=True):
    """User code as bytes: `kind` is `source` (a Python file), `pickle` (functions by value) or `commands` (streaming).

    Only executors look inside.
    """

    kind: Annotated[str, Meta(pattern="^(source|pickle|commands)$")]
    name: Annotated[str, Meta(max_length=512)]
    body: Annotated[bytes, Meta(max_length=PROGRAM_BYTES_MAX)]


class ChunkRef(Struct, frozen=True, array_like=True):
    """A chunk of a stored file: its name by content, its size in bytes and the newlines in it.

    Chunks are cut after a newline; `open_line` marks the rare one whose last line goes on in the next chunk.
    """

    digest: Digest
    size: Offset
    newlines: Offset
    open_line: bool = False


class InputFile(Struct, frozen=True, array_like=True):
    """A file to map over: at the client (`source`), or in the ring (`chunks` in order); exactly one is given.

    Each of its splits comes with the file's first `head` bytes and its last `tail` bytes, where a format says there
    how all the rest is to be read.
    """

    name: Path
    size: Offset
    source: Source | None = None
    chunks: Annotated[tuple[ChunkRef, ...], Meta(max_length=20_000)] = ()
    head: Offset = 0
    tail: Offset = 0

    def ranges(self, split: "Split") -> tuple[tuple[int, int], ...]:
        """Give what an attempt at a split reads, as begins and ends: the head, the split itself, and the tail."""
        return (0, self.head), (split.begin, split.end), (self.size - self.tail, self.size)


class Split(Struct, frozen=True, array_like=True):
    """Bytes `begin` to `end` of a file: whole lines, of which the first is the file's line `first_line`, from 1."""

    file: Number
    begin: Offset
    end: Offset
    first_line: Annotated[int, Meta(ge=1)]


class Sampling(Struct, frozen=True, array_like=True):
    """Have a job map only some records, chosen by chance, and give some of the keys in place of the output.

    A record is chosen with the probability `rate`; at most `keys` keys are kept of each split.
    """

    rate: Annotated[float, Meta(gt=0.0, le=1.0)]
    keys: Annotated[int, Meta(ge=1, le=1_000_000)]


class JobSpec(Struct, frozen=True, array_like=True):
    """What the user asked for."""

    name: Name
    program: Program
    output: Path
    reducers: Annotated[int, Meta(ge=0, le=4096)]
    split_size: Annotated[int, Meta(ge=1)]
    input_format: Annotated[str, Meta(max_length=64)] = "text"
    output_format: Annotated[str, Meta(max_length=64)] = "text"
    output_names: Annotated[str, Meta(pattern="^(hadoop|padi)$")] = "hadoop"
    params: Annotated[dict[Annotated[str, Meta(max_length=128)], Text], Meta(max_length=256)] = {}
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 4
    timeout_per_split_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """Seconds after which an attempt is stopped; 0 means no limit."""
    memory_per_task: Annotated[int, Meta(ge=MEMORY_PER_TASK_MIN, le=1 << 62)] = MEMORY_PER_TASK
    """Bytes that an attempt may take for what it collects; what is more goes to disk."""
    speculation: bool = True
    """Whether attempts that go on too slowly are begun once more elsewhere."""
    priority: Annotated[int, Meta(ge=1, le=PRIORITY_MAX)] = PRIORITY
    """The job's weight beside others: jobs that all have work to do get slots in proportion to theirs."""
    skip_bad_records: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Records, and keys of reducers, that may be set aside because user code fails on them."""
    intermediate_replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    """Copies of each run; beyond one they are kept in the ring, and a peer that is lost takes no run with it."""
    sampling: Sampling | None = None
    cuts: Annotated[tuple[Annotated[bytes, Meta(max_length=2048)], ...], Meta(max_length=4096)] | None = None
    """Encoded keys at which one partition ends and the next begins; None deals keys by their hash."""
    memory_limit: Annotated[int, Meta(ge=0, le=1 << 62)] = 0
    """Bytes that all processes of an attempt may hold together; it fails beyond that. 0 means no limit."""
    client_patience_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """Seconds after which the job is killed if no client watches it any more; 0 lets it outlive its clients."""


class JobRecord(Struct, frozen=True, array_like=True):
    """All that a peer needs to take part in a job; stored once in the ring under `job/ID`, and never changed.

    `electorate` are the peers whose majority decides the job's two write-once registers, and its successors as
    trackers in that order. The client asks for it before it submits, so that a submission that it repeats at another
    peer is the same record; a tracker fills in an empty one.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    spec: JobSpec
    files: Annotated[tuple[InputFile, ...], Meta(max_length=20_000)]
    splits: Annotated[tuple[Split, ...], Meta(max_length=SPLITS_MAX)]
    electorate: Annotated[tuple[Id, ...], Meta(max_length=16)] = ()
    submitted_at: float = 0.0
    """Seconds since 1970 on the client's clock, for people to read."""

    @property
    def partitions(self) -> int:
        """Count the reduce tasks."""
        return self.spec.reducers

    def tasks(self, phase: Phase) -> int:
        """Count the tasks of a phase."""
        return len(self.splits) if phase is Phase.MAP else self.spec.reducers


DIED, TIMED_OUT, OUT_OF_ROOM = "ProcessDied", "TimedOut", "MemoryLimitExceeded"
ENDINGS = (DIED, TIMED_OUT, OUT_OF_ROOM)
"""Kinds of error where the process of an attempt ended: of itself, or because it was ended."""

SKIPPED = "skipped_records"
"""The counter of records that were set aside."""


class UserError(Struct, frozen=True, array_like=True):
    """What went wrong in user code or user data, in words for the user."""

    kind: Annotated[str, Meta(max_length=256)]
    """The exception's type name, or what became of the process."""
    message: Text
    traceback: Text = ""
    file: Path = ""
    line: Annotated[int, Meta(ge=0)] = 0
    """Number of the record's line in its file, or of the key in its partition, from 1; 0 where neither is to blame."""
    record: Annotated[str, Meta(max_length=4096)] = ""
    """The line or the reduce key, shortened."""
    hint: Annotated[str, Meta(max_length=1024)] = ""
    """The way out, where there is a known one."""


class StoredFile(Struct, frozen=True, array_like=True):
    """A file as chunks in the ring; `name` is that of a part in a job's output, or empty where a path names it."""

    name: Annotated[str, Meta(pattern="^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$")]
    size: Offset
    chunks: Annotated[tuple[ChunkRef, ...], Meta(max_length=20_000)]


class TaskReport(Struct, frozen=True, array_like=True):
    """What a finished attempt gives account of; only sealed attempts count."""

    digest: Digest
    """Names the output by content: equal digests are equal outputs."""
    records_in: Offset
    records_out: Offset
    bytes_in: Offset
    bytes_out: Offset
    seconds: Annotated[float, Meta(ge=0.0)]
    counters: Annotated[dict[Annotated[str, Meta(max_length=128)], int], Meta(max_length=128)] = {}
    part: StoredFile | None = None
    """A part of the output, of a reduce attempt or of a map attempt in a job without reducers; else a run's copy."""
    side: Annotated[tuple[StoredFile, ...], Meta(max_length=16)] = ()
    """What user code has written beside the output."""


class Manifest(Struct, frozen=True, array_like=True):
    """What the ring holds under the path of a file, or under that of a job's output directory.

    A directory is one value, so all its files appear at once. `job` names the job that made it.
    """

    files: Annotated[tuple[StoredFile, ...], Meta(max_length=SPLITS_MAX)]
    directory: bool
    made_at: float
    job: Annotated[str, Meta(max_length=64)] = ""


class JobEnding(Struct, frozen=True, array_like=True):
    """How a job ended: the value of its second write-once register, so it ends once and in one way."""

    state: JobState
    parts: Annotated[tuple[StoredFile, ...], Meta(max_length=SPLITS_MAX)] = ()
    counters: Annotated[dict[str, int], Meta(max_length=128)] = {}
    error: UserError | None = None
    split: int = -1
    """The task that the error is of; -1 where there is none."""
    records: Offset = 0
    """Input records and `bytes` of the map attempts that count, so that every peer tells the same of a job's end."""
    bytes: Offset = 0
    side: Annotated[tuple[StoredFile, ...], Meta(max_length=SPLITS_MAX)] = ()
    """What user code has written beside the parts, in attempts that count."""
    elapsed_s: Annotated[float, Meta(ge=0.0)] = 0.0
    """Seconds from when its tracker first heard of the job to this ending, and the `attempts` that it knew of."""
    attempts: Offset = 0

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """List all files of the output."""
        return self.parts + self.side


def manifest_key(path: str) -> bytes:
    """Name the key of a path in the ring, given without a leading slash."""
    return FILE_PREFIX + path.encode()


def job_key(job: str) -> bytes:
    """Name the key of a job's record."""
    return RECORD_PREFIX + job.encode()


def register_key(job: str, which: str) -> bytes:
    """Name one of a job's registers: `map` holds the seal of the map phase, `end` the ending."""
    return REGISTER_PREFIX + job.encode() + b"/" + which.encode()
