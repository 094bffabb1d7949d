"""How the inputs of attempts come within reach of executors, from this host and from others."""

from pathlib import Path

import pytest
from scheduling_cluster import job_record
from segments import read_segment

from murmuration.node.effects import Piece, RunAttempt, RunPlace
from murmuration.node.executor.shuffle.run_layout import NO_RECORDS
from murmuration.node.executor.shuffle.runs import write_run
from murmuration.node.fetching import Fetcher
from murmuration.node.inputs import in_one_place, with_inputs
from murmuration.node.shelf import PeerShelf
from murmuration.node.storage.chunks import ChunkStore
from murmuration.node.transport.bulk_server import BulkServer
from murmuration.node.transport.host import host_id
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import WorldError
from murmuration.ring.terms import Source
from murmuration.scheduling.effects import StartAttempt
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.messages import Attempt, MapSeal, Winner

TEXT = b"".join(b"line %d\n" % number for number in range(30_000))
NOWHERE = "tcp://127.0.0.1:9"


class Holder:
    """Another peer's disk and bulk server."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.chunks = ChunkStore(directory / "chunks")
        self.server = BulkServer(PeerShelf(directory, self.chunks))

    def source(self, ref: str, *, host: str = "elsewhere") -> Source:
        return Source(url=self.server.url, ref=ref, host=host, path=str(self.directory / ref))


@pytest.fixture
def holder(tmp_path):
    found = Holder(tmp_path / "holder")
    yield found
    found.server.close()
    found.chunks.close()


@pytest.fixture
def own(tmp_path):
    chunks = ChunkStore(tmp_path / "own")
    yield chunks
    chunks.close()


def content_of(extents) -> bytes:
    return b"".join(Path(e.path).read_bytes()[e.offset : e.offset + e.length] for e in extents)


def chunk_file(chunks_directory: Path) -> Path:
    return next(path for path in chunks_directory.glob("??/*") if len(path.name) == 64)


def test_piece_of_an_own_chunk_is_read_where_it_lies(own, tmp_path):
    digest = chunk_digest(TEXT)
    own.adopt(digest, len(TEXT), [TEXT])
    extents = Fetcher(own).pieces([Piece(sources=(), offset=7, length=100, digest=digest)], tmp_path / "scratch")
    assert content_of(extents) == TEXT[7:107]
    assert not (tmp_path / "scratch").exists()


def test_piece_of_a_damaged_own_chunk_comes_from_another_holder(own, holder, tmp_path):
    digest = chunk_digest(TEXT)
    for chunks in (own, holder.chunks):
        chunks.adopt(digest, len(TEXT), [TEXT])
    path = chunk_file(tmp_path / "own")
    damaged = bytearray(path.read_bytes())
    damaged[50] ^= 1
    path.write_bytes(damaged)
    piece = Piece(sources=(holder.source("chunk/" + digest.hex()),), offset=0, length=len(TEXT), digest=digest)
    assert content_of(Fetcher(own).pieces([piece], tmp_path / "scratch")) == TEXT


def test_piece_that_nobody_has_says_what_each_source_answered(own, holder, tmp_path):
    digest = chunk_digest(b"absent")
    piece = Piece(sources=(holder.source("chunk/" + digest.hex()),), offset=0, length=6, digest=digest)
    with pytest.raises(WorldError, match=r"no chunk/\w+ is kept here|no chunk \w+ is kept here"):
        Fetcher(own).pieces([piece], tmp_path / "scratch")


def test_file_of_a_client_on_this_host_is_read_where_it_lies(own, tmp_path):
    path = tmp_path / "client.txt"
    path.write_bytes(TEXT)
    piece = Piece(
        sources=(Source(url=NOWHERE, ref="share/x", host=host_id(), path=str(path), offset=10),), offset=5, length=50
    )
    (extent,) = Fetcher(own).pieces([piece], tmp_path / "scratch")
    assert (extent.path, extent.offset, extent.length) == (str(path), 15, 50)


def a_run(holder: Holder) -> tuple[str, bytes]:
    ref = "runs/job/0-a-1-1.run"
    path = holder.directory / ref
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        columns = [([f"key-{p}"], [["x" * 200_000]]) for p in range(4)]
        written = write_run(file, columns)
    return ref, written.digest


def test_run_on_this_host_is_read_where_it_lies_even_if_its_peer_is_dead(own, holder, tmp_path):
    ref, digest = a_run(holder)
    source = Source(url=NOWHERE, ref=ref, host=host_id(), path=str(holder.directory / ref))
    fetched = Fetcher(own).runs([RunPlace(split=0, digest=digest, sources=(source,))], 2, tmp_path / "scratch")
    assert fetched.missing == ()
    assert read_segment(fetched.segments[0].path, 2, digest) == (["key-2"], [["x" * 200_000]])


def test_run_elsewhere_is_pulled_for_one_partition_only(own, holder, tmp_path):
    ref, digest = a_run(holder)
    place = RunPlace(split=0, digest=digest, sources=(holder.source(ref),))
    (segment,) = Fetcher(own).runs([place], 2, tmp_path / "scratch").segments
    assert read_segment(segment.path, 2, digest) == (["key-2"], [["x" * 200_000]])
    pulled = Path(segment.path).stat()
    assert pulled.st_blocks * 512 < pulled.st_size / 2


def test_run_that_can_be_had_nowhere_is_named(own, holder, tmp_path):
    places = [RunPlace(split=3, digest=b"d" * 32, sources=(holder.source("runs/job/gone.run"),))]
    assert Fetcher(own).runs(places, 0, tmp_path / "scratch").missing == (3,)


def spoil(path: Path, at: int) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 1
    path.write_bytes(damaged)


@pytest.mark.parametrize("at", [5, -30, -1], ids=["segment", "index", "footer"])
@pytest.mark.parametrize("host", [host_id(), "elsewhere"], ids=["here", "elsewhere"])
def test_run_that_was_made_again_is_not_read_where_it_is_damaged(own, holder, tmp_path, host, at):
    ref, digest = a_run(holder)
    again = "runs/job/0-a-1-2.run"
    (holder.directory / again).write_bytes((holder.directory / ref).read_bytes())
    spoil(holder.directory / ref, at)
    sources = (holder.source(ref, host=host), holder.source(again, host=host))
    fetched = Fetcher(own).runs([RunPlace(split=0, digest=digest, sources=sources)], 0, tmp_path / "scratch")
    assert fetched.missing == ()
    assert read_segment(fetched.segments[0].path, 0, digest) == (["key-0"], [["x" * 200_000]])


def test_run_that_is_damaged_wherever_it_is_counts_as_gone(own, holder, tmp_path):
    ref, digest = a_run(holder)
    spoil(holder.directory / ref, 5)
    place = RunPlace(split=7, digest=digest, sources=(holder.source(ref),))
    assert Fetcher(own).runs([place], 0, tmp_path / "scratch").missing == (7,)


def test_run_that_could_not_be_read_is_given_up_only_where_it_is_nowhere_else():
    source = Source(url="tcp://a", ref="runs/x")
    places = (RunPlace(split=0, digest=b"", sources=(source,)), RunPlace(split=1, digest=b"", sources=(source, source)))
    assert in_one_place(RunAttempt(start=None, runs=places), (0, 1, 7)) == (0, 7)


def test_run_without_records_is_not_looked_for_even_if_its_peer_is_gone():
    mapped = Attempt("ab" * 16, 1, 1)
    seal = MapSeal((Winner(mapped, NO_RECORDS), Winner(mapped, b"d" * 32)))
    reduce = StartAttempt(record=job_record(2, 1), phase=Phase.REDUCE, task=0, attempt=mapped, seal=seal)
    assert [place.split for place in with_inputs(reduce, lambda _: (), {}).runs] == [1]
