"""Spell what a peer and its executor processes say to each other, over a socket pair, in msgpack frames."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from ...ring.terms import Digest, Path
from ...scheduling.jobs import MEMORY_PER_TASK, JobRecord, Offset, Program, Sampling, Text, UserError


class Order(Struct, frozen=True, array_like=True, tag=True):
    """Root of what a peer tells an executor."""


class Extent(Struct, frozen=True, array_like=True):
    """Bytes of a local file."""

    path: Path
    offset: Offset
    length: Offset


def parted(extents: Sequence[Extent], *lengths: int) -> tuple[tuple[Extent, ...], ...]:
    """Part adjoining extents after so many bytes, each time; what is left comes last."""
    rest = deque(extents)
    parts = [tuple(_taken(rest, length)) for length in lengths]
    return (*parts, tuple(rest))


def _taken(rest: deque[Extent], length: int) -> Iterator[Extent]:
    while length > 0 and rest:
        first = rest.popleft()
        size = min(length, first.length)
        yield Extent(first.path, first.offset, size)
        if size < first.length:
            rest.appendleft(Extent(first.path, first.offset + size, first.length - size))
        length -= size


class LoadProgram(Order, frozen=True, array_like=True, tag=True):
    """Open the job's user code; sent once, first. Answered by `ProgramLoaded` or `TaskFailed`.

    `source_name` is what a traceback shows as the file of the program; `memory_per_task` are the bytes
    that an attempt may take for what it collects.
    """

    job: str
    peer: str
    program: Program
    params: dict[str, Text]
    input_format: str
    output_format: str
    partitions: int
    memory_per_task: int = MEMORY_PER_TASK
    sampling: Sampling | None = None
    cuts: tuple[bytes, ...] | None = None
    skip_bad_records: int = 0
    copies_runs: bool = False


def load_order(record: JobRecord, peer: str) -> LoadProgram:
    """Tell an executor of the peer of that name what all tasks of a job have in common."""
    spec = record.spec
    return LoadProgram(
        job=record.id,
        peer=peer,
        program=spec.program,
        params=spec.params,
        input_format=spec.input_format,
        output_format=spec.output_format,
        partitions=spec.reducers,
        memory_per_task=spec.memory_per_task,
        sampling=spec.sampling,
        cuts=spec.cuts,
        skip_bad_records=spec.skip_bad_records,
        copies_runs=spec.intermediate_replicas > 1,
    )


class MapTask(Order, frozen=True, array_like=True, tag=True):
    """Map the lines of a split, given as adjoining `extents`; write a run to `output` (or a part if partitions = 0).

    `head` and `tail` are those of the split's file, where its format needs them.
    """

    attempt: str
    split: int
    file: Path
    first_line: int
    first_byte: Offset
    extents: tuple[Extent, ...]
    output: Path
    side: Path = ""
    """What the paths of side files begin with."""
    skip: tuple[int, ...] | None = None
    """Lines to leave out; None if the attempt need not be careful."""
    note: Path = ""
    """Where a careful attempt notes which line it is at."""
    head: tuple[Extent, ...] = ()
    tail: tuple[Extent, ...] = ()

    @property
    def task(self) -> str:
        """Spell the task as its log is named."""
        return f"map-{self.split}"


class RunSegment(Struct, frozen=True, array_like=True):
    """Where one split's run lies; `digest` is the sealed name of its content."""

    split: int
    path: Path
    digest: Digest


class ReduceTask(Order, frozen=True, array_like=True, tag=True):
    """Reduce one partition of the runs, in split order, and write a part to `output`."""

    attempt: str
    partition: int
    runs: tuple[RunSegment, ...]
    output: Path
    side: Path = ""
    """What the paths of side files begin with."""
    skip: tuple[int, ...] | None = None
    """Keys to leave out, by their number from 1; None if the attempt need not be careful."""
    note: Path = ""
    """Where a careful attempt notes which key it is at."""

    @property
    def task(self) -> str:
        """Spell the task as its log is named."""
        return f"reduce-{self.partition}"


ExecutorOrder = LoadProgram | MapTask | ReduceTask


class Word(Struct, frozen=True, array_like=True, tag=True):
    """Root of what an executor tells its peer; bounded, for user code shares its process."""


class ProgramLoaded(Word, frozen=True, array_like=True, tag=True):
    """The program is ready."""


class TaskProgressed(Word, frozen=True, array_like=True, tag=True):
    """The task has come so far."""

    attempt: Annotated[str, Meta(max_length=128)]
    fraction: Annotated[float, Meta(ge=0.0, le=1.0)]


class OutputPiece(Struct, frozen=True, array_like=True):
    """At most 32 MiB of the output file, to become one chunk."""

    digest: Digest
    offset: Offset
    size: Offset
    newlines: Offset


class SideOutput(Struct, frozen=True, array_like=True):
    """A file that user code has written beside the output, cut into chunks."""

    name: Annotated[str, Meta(max_length=64)]
    pieces: Annotated[tuple[OutputPiece, ...], Meta(max_length=4096)]


class TaskFinished(Word, frozen=True, array_like=True, tag=True):
    """The task is through and its output file complete.

    `pieces` cut a part into chunks; of a run there is one piece, if it is to be copied.
    """

    attempt: Annotated[str, Meta(max_length=128)]
    digest: Digest
    records_in: Offset
    records_out: Offset
    bytes_in: Offset
    bytes_out: Offset
    seconds: Annotated[float, Meta(ge=0.0)]
    counters: Annotated[dict[Annotated[str, Meta(max_length=128)], int], Meta(max_length=128)]
    pieces: Annotated[tuple[OutputPiece, ...], Meta(max_length=4096)] = ()
    side: Annotated[tuple[SideOutput, ...], Meta(max_length=16)] = ()


class TaskFailed(Word, frozen=True, array_like=True, tag=True):
    """User code or user data is at fault; `attempt` is empty where the program itself could not be loaded."""

    attempt: Annotated[str, Meta(max_length=128)]
    error: UserError


class RunUnreadable(Word, frozen=True, array_like=True, tag=True):
    """The runs of these splits are missing or do not match their sealed names: nobody's fault, and mended elsewhere."""

    attempt: Annotated[str, Meta(max_length=128)]
    splits: Annotated[tuple[int, ...], Meta(max_length=20_000)]


ExecutorWord = ProgramLoaded | TaskProgressed | TaskFinished | TaskFailed | RunUnreadable

FRAME_BYTES_MAX = 4 << 20
"""Largest frame between a peer and an executor."""
