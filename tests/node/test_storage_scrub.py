"""The scrub of chunks on a real disk: every kind of damage is found, and what the file alone can mend is mended."""

import os
from pathlib import Path

import pytest

from murmuration.node.storage.chunks import ChunkStore
from murmuration.node.storage.scrub import scrub_chunks
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import Corrupt
from murmuration.ring.events import DamagedChunk

CONTENTS = [os.urandom(70_000 + number) for number in range(6)]
DIGESTS = [chunk_digest(content) for content in CONTENTS]


@pytest.fixture
def chunks(tmp_path):
    opened = ChunkStore(tmp_path / "chunks")
    for digest, content in zip(DIGESTS, CONTENTS, strict=True):
        opened.adopt(digest, len(content), [content])
    yield opened
    opened.close()


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def file_of(chunks, number):
    return Path(chunks.locate(DIGESTS[number]).path)


def whole_pass(chunks, bytes_max=100_000):
    after, steps = b"", []
    while after is not None:
        steps.append(scrub_chunks(chunks, 1, after, bytes_max))
        after = steps[-1].after
    return steps


def damaged_in(steps):
    return {chunk.digest for step in steps for chunk in step.damaged}


def test_pass_over_sound_chunks_reads_each_once_and_finds_nothing(chunks):
    steps = whole_pass(chunks)
    assert damaged_in(steps) == set()
    assert sum(step.bytes_read for step in steps) == sum(map(len, CONTENTS))
    assert len(steps) >= 3
    assert max(step.bytes_read for step in steps) < 200_000


def test_flipped_cut_and_missing_files_are_found_with_their_sizes(chunks):
    flip(file_of(chunks, 0))
    os.truncate(file_of(chunks, 1), 100)
    file_of(chunks, 2).unlink()
    found = {chunk for step in whole_pass(chunks) for chunk in step.damaged}
    assert found == {DamagedChunk(digest=DIGESTS[number], size=len(CONTENTS[number])) for number in range(3)}


def test_damaged_index_row_of_a_sound_file_is_made_anew(chunks):
    with chunks._index.transaction():
        chunks._index._cache.set(DIGESTS[0], b"x" * 40)
    with pytest.raises(Corrupt):
        chunks.read(DIGESTS[0], 0, 10)
    whole_pass(chunks)
    assert chunks.read(DIGESTS[0], 0, 10) == CONTENTS[0][:10]
    assert scrub_chunks(chunks, 1, b"", 0).damaged == ()


def test_damage_that_a_reader_met_comes_with_the_next_step_though_it_reads_nothing(chunks):
    flip(file_of(chunks, 3))
    with pytest.raises(Corrupt):
        chunks.read(DIGESTS[3], 0, 70_000)
    step = scrub_chunks(chunks, 7, b"", 0)
    assert (step.ticket, step.after, step.bytes_read) == (7, None, 0)
    assert step.damaged == (DamagedChunk(digest=DIGESTS[3], size=len(CONTENTS[3])),)
    assert scrub_chunks(chunks, 8, b"", 0).damaged == ()


def test_chunk_that_was_mended_meanwhile_is_not_named(chunks):
    flip(file_of(chunks, 3))
    with pytest.raises(Corrupt):
        chunks.verify(DIGESTS[3])
    chunks.adopt(DIGESTS[3], len(CONTENTS[3]), [CONTENTS[3]])
    assert scrub_chunks(chunks, 1, b"", 0).damaged == ()
