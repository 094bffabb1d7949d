"""Turn what a user asks for into a job record: find the input, cut it into splits on line borders, name it all.

A file of this machine is read through once, to find the borders and to number the lines. A file in the ring is cut at
its chunks' borders, and inside chunks, by those who hold them, only where a split is smaller than a chunk.
"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ...node.executor.batches.layout import fixed_layout
from ...node.executor.faults.careful import NEEDS_MAP
from ...node.executor.faults.wording import UserFault
from ...node.executor.formats.formats import input_format, output_format
from ...ring.errors import CallerError
from ...ring.terms import VALUE_BYTES_MAX, Source
from ...scheduling.jobs import (
    SPLITS_MAX,
    InputFile,
    JobRecord,
    JobSpec,
    Program,
    Split,
)
from ...scheduling.splits import (
    Cut,
    chunks_to_cut,
    cut_into,
    cut_lines,
    splits_of_chunks,
    splits_of_file,
    splits_of_records,
)
from ..progress import Progress
from ..store.chunks import ChunkReader
from ..store.share import ShareSession
from .inputs import Input, LocalInput, RingInput
from .options import DEFAULT_FORMAT, JobOptions
from .programs import declared, declared_number, maps_batches, reduces

MIB = 1 << 20

SPLIT_BYTES = 32 * MIB
"""Default split of a large input: a chunk, so that a split is read whole by whoever holds the chunk."""

SPLIT_BYTES_MIN = MIB
"""Default split of a small input: below it, starting an attempt costs more than its work."""

SPLITS_PER_SLOT = 4
"""Splits that each slot gets of a small input: enough that a slow or lost slot's share is small, and is spread."""

REDUCERS = 2
"""Default reducers: a fixed number, so that a job makes the same parts on every cluster; and not one, so that reducing
is spread and nobody takes the one part that small clusters happen to make for the whole."""

TARGETS_MAX = 4_000_000
"""Input is refused before it is cut if so many borders were to be looked for: that alone takes seconds."""


WHOLE_FILE = "whole-file"
"""The input format that takes a file as one record: each file is one split, whatever the split size."""


SPLIT_SIZE_MAX = 1 << 60
"""Larger than any file: so whoever wants one split for each file may ask for any size."""

FORMATS: dict[str, Callable[[str], object]] = {"input_format": input_format, "output_format": output_format}


def default_split_size(total: int, slots: int) -> int:
    """Choose a split size in bytes: 32 MiB, but less where that would leave slots without work, and 1 MiB at least."""
    fair = -(-total // (SPLITS_PER_SLOT * max(1, slots)))
    return min(SPLIT_BYTES, max(SPLIT_BYTES_MIN, fair))


class Planner:
    """Plans jobs."""

    def __init__(self, reader: ChunkReader, session: ShareSession, slots: int, progress: Progress) -> None:
        self._reader = reader
        self._session = session
        self._slots = slots
        self._progress = progress

    def plan(self, program: Program, inputs: Sequence[Input], output: str, options: JobOptions) -> JobRecord:
        """Cut the input and write the job's record, under a new id; `output` is as `output_place` spells it.

        Raises:
            CallerError: the input cannot be read, or makes too many splits for one job.
            WorldError: a chunk to cut can be had nowhere.
        """
        if options.skip_bad_records and maps_batches(program):
            raise CallerError(f"{NEEDS_MAP}, and {program.name} writes map_batch")
        total = sum(item.size for item in inputs)
        input_name = _format(program, "input_format", options.input_format)
        fixed = fixed_layout(input_name)
        split_size = min(options.split_size or default_split_size(total, self._slots), SPLIT_SIZE_MAX)
        if input_name == WHOLE_FILE:
            splits = [Split(file=number, begin=0, end=item.size, first_line=1) for number, item in enumerate(inputs)]
        elif fixed is not None:
            if options.splits is not None:
                split_size = max(1, -(-total // options.splits))
            splits = _cut_records(inputs, fixed[0], split_size, options.splits)
        elif options.splits is not None:
            split_size = max(1, -(-total // options.splits))
            splits = self._cut_exactly(inputs, options.splits)
        else:
            _check_effort(inputs, split_size)
            splits = self._cut_by_size(inputs, split_size)
        _check_count(len(splits), inputs)
        record = JobRecord(
            id=secrets.token_hex(8),
            spec=_spec(program, output, split_size, options),
            files=tuple(self._described(item) for item in inputs),
            splits=tuple(splits),
            submitted_at=time.time(),
        )
        return _checked(record)

    def _cut_by_size(self, inputs: Sequence[Input], split_size: int) -> list[Split]:
        splits: list[Split] = []
        for number, item in enumerate(inputs):
            match item:
                case LocalInput():
                    with _LocalBytes(item, self._progress) as content:
                        cut = cut_lines(content.read, item.size, split_size)
                    splits += splits_of_file(number, item.size, cut)
                case RingInput():
                    splits += splits_of_chunks(number, item.file.chunks, self._cut_chunks(item, split_size))
        return splits

    def _cut_chunks(self, item: RingInput, split_size: int) -> dict[int, Cut]:
        """Have the holders cut those chunks that are larger than a split."""
        cuts: dict[int, Cut] = {}
        done = 0
        for number in chunks_to_cut(item.file.chunks, split_size):
            chunk = item.file.chunks[number]
            cuts[number] = self._reader.cut(chunk, split_size)
            done += chunk.size
            self._progress.advance(item.name, done, item.size)
        return cuts

    def _cut_exactly(self, inputs: Sequence[Input], wanted: int) -> list[Split]:
        splits: list[Split] = []
        for number, (item, share) in enumerate(zip(inputs, shares(inputs, wanted), strict=True)):
            match item:
                case LocalInput():
                    with _LocalBytes(item, self._progress) as content:
                        cut = cut_into(content.read, item.size, share)
                case RingInput():
                    cut = cut_into(_RingBytes(item, self._reader, self._progress).read, item.size, share)
            splits += splits_of_file(number, item.size, cut)
        return splits

    def _described(self, item: Input) -> InputFile:
        match item:
            case LocalInput():
                source: Source = self._session.source(item.path)
                return InputFile(name=item.name, size=item.size, source=source)
            case RingInput():
                return InputFile(name=item.name, size=item.size, chunks=item.file.chunks)


def _cut_records(inputs: Sequence[Input], width: int, split_size: int, wanted: int | None) -> list[Split]:
    """Cut files of records of `width` bytes: by size, or into exactly so many splits; nothing needs to be read.

    Raises:
        CallerError: a file does not hold a whole number of records, or there are more files than splits.
    """
    for item in inputs:
        if item.size % width:
            over = item.size % width
            raise CallerError(f"{item.name} has {item.size} bytes: {over} more than whole records of {width}")
    _check_effort(inputs, split_size)
    if wanted is None:
        counts = [-(-item.size // max(width, split_size)) or 1 for item in inputs]
    else:
        counts = shares(inputs, wanted)
    return [
        split
        for number, (item, count) in enumerate(zip(inputs, counts, strict=True))
        for split in splits_of_records(number, item.size // width, width, count)
    ]


def shares(inputs: Sequence[Input], wanted: int) -> list[int]:
    """Share out exactly `wanted` splits to files by their size, at least one to each (largest remainders).

    Raises:
        CallerError: there are more files than splits.
    """
    if wanted < len(inputs):
        raise CallerError(f"{len(inputs)} input files cannot make {wanted} splits; ask for {len(inputs)} or more")
    weights = [item.size for item in inputs]
    if not any(weights):
        weights = [1] * len(inputs)
    spare, total = wanted - len(inputs), sum(weights)
    whole = [spare * weight // total for weight in weights]
    left = spare - sum(whole)
    by_remainder = sorted(range(len(inputs)), key=lambda number: (-(spare * weights[number] % total), number))
    favoured = set(by_remainder[:left])
    return [1 + count + (number in favoured) for number, count in enumerate(whole)]


class _LocalBytes:
    """Reads ranges of a file of this machine."""

    def __init__(self, item: LocalInput, progress: Progress) -> None:
        self._item = item
        self._progress = progress

    def __enter__(self) -> "_LocalBytes":
        try:
            self._file = os.open(self._item.path, os.O_RDONLY)
        except OSError as error:
            raise CallerError(f"input {self._item.name}: {error.strerror or error}") from error
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def read(self, offset: int, length: int) -> bytes:
        """Give `length` bytes from `offset`, fewer only where the file ends."""
        content = os.pread(self._file, length, offset)
        self._progress.advance(self._item.name, offset + len(content), self._item.size)
        return content


class _RingBytes:
    """Reads ranges of a file in the ring, from its beginning to its end; keeps the chunk that it is at."""

    def __init__(self, item: RingInput, reader: ChunkReader, progress: Progress) -> None:
        self._item = item
        self._progress = progress
        self._pieces = reader.stream(item.file.chunks)
        self._content = b""
        self._base = 0

    def read(self, offset: int, length: int) -> bytes:
        """Give `length` bytes from `offset`, which never goes back."""
        while self._base + len(self._content) < offset + length:
            kept = self._content[max(0, offset - self._base) :]
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._base += len(self._content) - len(kept)
            self._content = kept + piece
        self._progress.advance(self._item.name, offset + length, self._item.size)
        return self._content[offset - self._base : offset - self._base + length]


def _spec(program: Program, output: str, split_size: int, options: JobOptions) -> JobSpec:
    return JobSpec(
        name=options.name or Path(program.name).stem[:128] or "job",
        program=program,
        output=output,
        reducers=_reducers(program, options),
        split_size=split_size,
        input_format=_format(program, "input_format", options.input_format),
        output_format=_format(program, "output_format", options.output_format),
        output_names=options.output_names,
        params=dict(options.params),
        max_attempts=options.max_attempts,
        timeout_per_split_s=options.timeout_per_split_s,
        client_patience_s=options.client_patience_s,
        memory_per_task=options.memory_per_task,
        memory_limit=options.bytes_held_max,
        skip_bad_records=options.skip_bad_records,
        intermediate_replicas=options.intermediate_replicas,
        speculation=options.speculation,
        priority=options.priority,
    )


def _reducers(program: Program, options: JobOptions) -> int:
    """Take the number that was asked for, else the program's own; one without a reducer has no reduce phase."""
    if options.reducers is not None:
        return options.reducers
    own = declared_number(program, "reducers")
    if own is not None:
        return own
    return REDUCERS if reduces(program) else 0


def _format(program: Program, setting: str, chosen: str) -> str:
    """Give the format that the user chose, else the one that the program sets, as the executors will.

    Raises:
        CallerError: there is no such format.
    """
    name = chosen if chosen != DEFAULT_FORMAT else declared(program, setting) or chosen
    try:
        FORMATS[setting](name)
    except UserFault as fault:
        raise CallerError(str(fault)) from fault
    return name


def _check_effort(inputs: Sequence[Input], split_size: int) -> None:
    targets = sum(item.size // split_size for item in inputs)
    if targets > TARGETS_MAX:
        _check_count(targets, inputs)


def _check_count(count: int, inputs: Sequence[Input]) -> None:
    if count <= SPLITS_MAX:
        return
    if len(inputs) >= SPLITS_MAX:
        raise CallerError(f"{len(inputs)} input files are too many for one job (at most {SPLITS_MAX}); join some")
    total = sum(item.size for item in inputs)
    enough = -(-total // (SPLITS_MAX - len(inputs)))
    size = f"{-(-enough // MIB)}MiB" if enough >= MIB else str(enough)
    raise CallerError(f"{count} splits are too many for one job (at most {SPLITS_MAX}); use --split-size {size}")


def _checked(record: JobRecord) -> JobRecord:
    """Refuse a record that the ring or the wire would not take.

    Raises:
        CallerError: the message names what to make smaller.
    """
    try:
        encoded = msgspec.msgpack.encode(record)
        msgspec.msgpack.decode(encoded, type=JobRecord)
    except msgspec.ValidationError as error:
        raise CallerError(f"this job cannot be described: {error}") from error
    if len(encoded) > VALUE_BYTES_MAX:
        raise CallerError(
            f"the job's record of {len(encoded)} bytes is over the limit of {VALUE_BYTES_MAX}: "
            f"use a larger --split-size (now {len(record.splits)} splits of {len(record.files)} files)"
        )
    return record
