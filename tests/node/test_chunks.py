"""Chunks: named by their content, durable before they are known, and verified whenever they are read."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.storage import chunks as chunks_module
from murmuration.node.storage.checksums import BLOCK_BYTES, BlockSummer, block_sums
from murmuration.node.storage.chunks import ChunkStore
from murmuration.ring.digests import ChunkHasher, chunk_digest
from murmuration.ring.errors import Corrupt, RemoteError, WorldError
from murmuration.ring.terms import CHUNK_BYTES_MAX

CONTENT = os.urandom(3 * BLOCK_BYTES + 1000)
DIGEST = chunk_digest(CONTENT)


def pieces(content, size=100_000):
    return (content[begin : begin + size] for begin in range(0, len(content), size))


@pytest.fixture
def chunks(tmp_path):
    opened = ChunkStore(tmp_path / "chunks")
    yield opened
    opened.close()


@pytest.fixture
def kept(chunks):
    chunks.adopt(DIGEST, len(CONTENT), pieces(CONTENT))
    return chunks


def chunk_files(tmp_path):
    return sorted((tmp_path / "chunks").glob("[0-9a-f][0-9a-f]/*")) + sorted((tmp_path / "chunks/incoming").iterdir())


def flip(store, position):
    with Path(store.locate(DIGEST).path).open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def test_digest_of_pieces_is_that_of_the_whole():
    hasher = ChunkHasher()
    for piece in pieces(CONTENT, 777):
        hasher.update(memoryview(piece))
    assert (hasher.digest(), hasher.size) == (DIGEST, len(CONTENT))
    assert len(DIGEST) == 32


@given(st.lists(st.integers(0, 2 * BLOCK_BYTES), max_size=6))
def test_block_checksums_do_not_depend_on_how_the_bytes_come(sizes):
    content = (CONTENT * 4)[: sum(sizes)]
    summer = BlockSummer()
    begin = 0
    for size in sizes:
        summer.update(content[begin : begin + size])
        begin += size
    assert summer.sums() == block_sums(content)
    assert len(block_sums(content)) == -(-len(content) // BLOCK_BYTES) * 8


def test_adopted_chunk_is_read_whole_and_in_parts_and_after_reopening(kept, tmp_path):
    assert kept.has(DIGEST)
    assert kept.size_bytes() == len(CONTENT)
    kept.verify(DIGEST)
    again = ChunkStore(tmp_path / "chunks")
    place = again.locate(DIGEST)
    assert Path(place.path).read_bytes() == CONTENT
    assert (place.offset, place.size) == (0, len(CONTENT))
    assert again.size_bytes() == len(CONTENT)
    for offset, length in [
        (0, 10),
        (BLOCK_BYTES - 1, 2),
        (5, len(CONTENT)),
        (len(CONTENT) - 1, 100),
        (10**9, 1),
        (7, 0),
    ]:
        assert again.read(DIGEST, offset, length) == CONTENT[offset : offset + length]
    again.close()


def test_empty_chunk_is_a_chunk(chunks):
    chunks.adopt(chunk_digest(b""), 0, iter(()))
    assert chunks.read(chunk_digest(b""), 0, 10) == b""
    assert chunks.locate(chunk_digest(b"")).size == 0


@pytest.mark.parametrize("arriving", [CONTENT[:-1], CONTENT + b"x", CONTENT[:-1] + b"x", b""])
def test_bytes_that_are_not_the_chunk_are_refused_and_leave_nothing(chunks, tmp_path, arriving):
    with pytest.raises(RemoteError, match=DIGEST.hex()):
        chunks.adopt(DIGEST, len(CONTENT), pieces(arriving))
    assert not chunks.has(DIGEST)
    assert chunks.locate(DIGEST) is None
    assert chunk_files(tmp_path) == []


def test_endless_pieces_are_cut_off_at_the_size_that_was_announced(chunks):
    given_out = []

    def endless():
        while True:
            given_out.append(1)
            yield bytes(1000)

    with pytest.raises(RemoteError):
        chunks.adopt(DIGEST, 10_000, endless())
    assert len(given_out) <= 11
    with pytest.raises(RemoteError, match="limit"):
        chunks.adopt(DIGEST, CHUNK_BYTES_MAX + 1, endless())


def test_pieces_that_break_off_with_an_error_leave_nothing(chunks, tmp_path):
    def breaking():
        yield CONTENT[:1000]
        raise WorldError("the source is gone")

    with pytest.raises(WorldError, match="source is gone"):
        chunks.adopt(DIGEST, len(CONTENT), breaking())
    assert chunk_files(tmp_path) == []


def test_damaged_block_is_reported_and_the_others_are_still_served(kept):
    flip(kept, BLOCK_BYTES + 7)
    with pytest.raises(Corrupt, match=f"^corrupt chunk {DIGEST.hex()}"):
        kept.read(DIGEST, BLOCK_BYTES, 1)
    with pytest.raises(Corrupt):
        kept.verify(DIGEST)
    assert kept.read(DIGEST, 0, BLOCK_BYTES) == CONTENT[:BLOCK_BYTES]
    assert kept.has(DIGEST)


def test_damaged_chunk_is_mended_by_adopting_it_again_and_a_sound_one_is_not_asked_for(kept):
    def forbidden():
        pytest.fail("a sound chunk was asked for again")
        yield b""

    kept.adopt(DIGEST, len(CONTENT), forbidden())
    flip(kept, 0)
    kept.adopt(DIGEST, len(CONTENT), pieces(CONTENT))
    kept.verify(DIGEST)
    assert kept.size_bytes() == len(CONTENT)


@pytest.mark.parametrize("damage", ["unlink", "truncate"])
def test_row_without_its_file_is_corrupt_and_not_absent(kept, damage):
    path = kept.locate(DIGEST).path
    if damage == "unlink":
        Path(path).unlink()
    else:
        os.truncate(path, len(CONTENT) - 1)
    for ask in (kept.locate, kept.verify):
        with pytest.raises(Corrupt):
            ask(DIGEST)
    assert kept.has(DIGEST)


def test_chunk_that_was_never_here_is_absent_and_not_corrupt(chunks):
    assert not chunks.has(DIGEST)
    assert chunks.locate(DIGEST) is None
    for ask in (chunks.verify, lambda digest: chunks.read(digest, 0, 1)):
        with pytest.raises(WorldError) as refusal:
            ask(DIGEST)
        assert not isinstance(refusal.value, Corrupt)


def test_what_a_crash_left_half_done_is_swept_at_the_start(kept, tmp_path):
    half, nameless = tmp_path / "chunks/incoming/abc", tmp_path / "chunks/ab" / ("ab" * 32)
    nameless.parent.mkdir(exist_ok=True)
    for path in (half, nameless):
        path.write_bytes(b"half")
    again = ChunkStore(tmp_path / "chunks")
    assert not half.exists()
    assert not nameless.exists()
    again.verify(DIGEST)
    again.close()


def test_chunk_whose_row_cannot_be_written_leaves_no_file(chunks, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(chunks._index, "put", refuse)
    with pytest.raises(WorldError, match="No space left"):
        chunks.adopt(DIGEST, len(CONTENT), pieces(CONTENT))
    assert chunk_files(tmp_path) == []
    assert chunks.size_bytes() == 0


def test_disk_that_fails_while_a_chunk_arrives_leaves_no_file(chunks, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(chunks_module, "write_fully", refuse)
    with pytest.raises(WorldError, match="No space left"):
        chunks.adopt(DIGEST, len(CONTENT), pieces(CONTENT))
    assert chunk_files(tmp_path) == []


def test_chunks_adopted_by_several_threads_at_once_are_all_kept(chunks):
    contents = [bytes([number]) * 70_000 for number in range(6)] * 2
    failures = []

    def adopt(content):
        try:
            chunks.adopt(chunk_digest(content), len(content), [content])
        except WorldError as error:
            failures.append(error)
        finally:
            chunks.close()

    threads = [threading.Thread(target=adopt, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for content in contents:
        assert chunks.read(chunk_digest(content), 0, len(content)) == content
    assert chunks.size_bytes() == 6 * 70_000


def test_removed_chunk_is_gone_with_its_row_and_its_bytes(kept, tmp_path):
    kept.remove(DIGEST)
    assert not kept.has(DIGEST)
    assert kept.locate(DIGEST) is None
    assert kept.digests(b"", 10) == []
    assert kept.size_bytes() == 0
    assert chunk_files(tmp_path) == []
    kept.remove(DIGEST)
    kept.adopt(DIGEST, len(CONTENT), pieces(CONTENT))
    assert kept.read(DIGEST, 0, 10) == CONTENT[:10]


def test_removal_that_is_cut_off_after_the_row_is_finished_by_the_next_start(kept, tmp_path, monkeypatch):
    def refuse(path, *, missing_ok=False):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(WorldError, match="refused"):
        kept.remove(DIGEST)
    monkeypatch.undo()
    kept.close()
    again = ChunkStore(tmp_path / "chunks")
    assert not again.has(DIGEST)
    assert chunk_files(tmp_path) == []
    again.close()
