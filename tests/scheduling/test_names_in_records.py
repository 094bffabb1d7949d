"""No record names a chunk that a collection would not see: whatever scheduling writes, the ring finds its names."""

import os

import msgspec
import pytest

from murmuration.ring.copies.names import names_in
from murmuration.ring.errors import Corrupt
from murmuration.scheduling.jobs import (
    ChunkRef,
    InputFile,
    JobEnding,
    JobRecord,
    JobSpec,
    JobState,
    Manifest,
    Program,
    StoredFile,
)
from murmuration.scheduling.replica.decisions import encode_decision, encode_manifest, encode_record


def files(count: int, chunks: int = 1) -> tuple[StoredFile, ...]:
    refs = (tuple(ChunkRef(os.urandom(32), 7, 1) for _ in range(chunks)) for _ in range(count))
    return tuple(StoredFile(name=f"part-{number}", size=7, chunks=some) for number, some in enumerate(refs))


def digests(stored: tuple[StoredFile, ...]) -> set[bytes]:
    return {chunk.digest for file in stored for chunk in file.chunks}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_manifest_names_the_chunks_of_all_its_files(count: int) -> None:
    some = files(count, chunks=2)
    assert names_in(encode_manifest(Manifest(files=some, directory=True, made_at=1.0))) == digests(some)


@pytest.mark.parametrize("count", [1, 9000], ids=["plain", "deflated"])
def test_ending_names_parts_and_side_files_however_it_is_kept(count: int) -> None:
    parts, side = files(count), files(2)
    value = encode_decision(JobEnding(JobState.DONE, parts=parts, side=side))
    assert (value[:1] == b"\x78") is (count > 1)
    assert names_in(value) == digests(parts) | digests(side)


def test_record_of_a_job_names_its_input() -> None:
    chunks = tuple(ChunkRef(os.urandom(32), 7, 1) for _ in range(3))
    program = Program(kind="source", name="p.py", body=b"pass")
    spec = JobSpec(name="n", program=program, output="", reducers=1, split_size=1)
    record = JobRecord(id="0" * 16, spec=spec, files=(InputFile(name="f", size=21, chunks=chunks),), splits=())
    assert names_in(encode_record(record)) == {chunk.digest for chunk in chunks}


@pytest.mark.parametrize("value", [b"", b"\xc1", msgspec.msgpack.encode([1])[:-1], b"\x78\x9c", b"text"])
def test_what_is_no_record_is_not_taken_for_one_that_names_nothing(value: bytes) -> None:
    with pytest.raises(Corrupt):
        names_in(value)
