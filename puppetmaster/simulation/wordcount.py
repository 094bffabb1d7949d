"""Count words as simulated user code does: the one program of simulated jobs, small enough to check by eye."""

import hashlib
from collections.abc import Sequence

import xxhash

from ...ring.digests import chunk_digest
from ...ring.terms import Source
from ...scheduling.cuts import original, ranges_of
from ...scheduling.events import LocalOutput
from ...scheduling.jobs import SKIPPED, JobRecord, TaskReport, UserError
from .disk import Run

POISON = b"poison"
"""The word at which user code raises."""


WRITES_SIDE_FILES = "side"
"""The parameter that has each map attempt write a file beside its run."""
SIDE_FILE = "lines.txt"


def side_content(text: bytes, split: int) -> bytes:
    """Give what a map attempt writes beside its run."""
    return b"%d %d\n" % (split, text.count(b"\n"))


def map_split(text: bytes, partitions: int, cuts: Sequence[bytes] | None = None) -> Run:
    """Count the words of a split, one dict for each partition, dealt by hash or by ranges."""
    counts: tuple[dict[str, int], ...] = tuple({} for _ in range(partitions))
    words = text.decode().split()
    for word, number in zip(words, _dealt(words, partitions, cuts), strict=True):
        counts[number][word] = counts[number].get(word, 0) + 1
    return counts


def _dealt(words: list[str], partitions: int, cuts: Sequence[bytes] | None) -> list[int]:
    if cuts is None:
        return [xxhash.xxh3_64_intdigest(word.encode()) % partitions for word in words]
    return ranges_of(words, [original(cut) for cut in cuts])


def poison_error(text: bytes, record: JobRecord, split: int) -> UserError | None:
    """Raise as user code does: give the error of the first line that holds the word, None if no line does."""
    before, poison, _ = text.partition(POISON)
    if not poison:
        return None
    line = record.splits[split].first_line + before.count(b"\n")
    return UserError(kind="ValueError", message="poisoned", file=record.files[0].name, line=line)


def without_poison(text: bytes) -> bytes:
    """Leave out the lines at which user code raises."""
    return b"".join(line for line in text.splitlines(keepends=True) if POISON not in line)


def reduce_partition(runs: list[Run], partition: int) -> bytes:
    """Add up one partition of all runs, and write it as text in key order."""
    total: dict[str, int] = {}
    for run in runs:
        for word, number in run[partition].items():
            total[word] = total.get(word, 0) + number
    return "".join(f"{word}\t{total[word]}\n" for word in sorted(total)).encode()


def map_report(text: bytes, run: Run, seconds: float, *, skipped: bool = False) -> TaskReport:
    """Account for a map attempt, and for a line that it has set aside."""
    content = repr([sorted(counts.items()) for counts in run]).encode()
    return TaskReport(
        digest=hashlib.blake2b(content, digest_size=16).digest(),
        records_in=text.count(b"\n"),
        records_out=sum(sum(counts.values()) for counts in run),
        bytes_in=len(text),
        bytes_out=len(content),
        seconds=seconds,
        counters={SKIPPED: 1} if skipped else {},
    )


def reduce_report(part: bytes, records_in: int, bytes_in: int, seconds: float) -> TaskReport:
    """Account for an attempt that has made a part of the output."""
    return TaskReport(
        digest=hashlib.blake2b(part, digest_size=16).digest(),
        records_in=records_in,
        records_out=part.count(b"\n"),
        bytes_in=bytes_in,
        bytes_out=len(part),
        seconds=seconds,
    )


def part_outputs(part: bytes, source: Source) -> tuple[LocalOutput, ...]:
    """Offer a part as one chunk; an empty part has none."""
    if not part:
        return ()
    return (LocalOutput(digest=chunk_digest(part), size=len(part), newlines=part.count(b"\n"), source=source),)


def sequential(text: bytes, record: JobRecord) -> tuple[bytes, ...]:
    """Give the parts that a sequential run gives: the oracle of simulated jobs."""
    if not record.partitions:
        pieces = (_kept(text[split.begin : split.end], record) for split in record.splits)
        return tuple(reduce_partition([map_split(piece, 1)], 0) for piece in pieces)
    run = map_split(_kept(text, record), record.partitions, record.spec.cuts)
    return tuple(reduce_partition([run], partition) for partition in range(record.partitions))


def _kept(text: bytes, record: JobRecord) -> bytes:
    return without_poison(text) if record.spec.skip_bad_records else text
