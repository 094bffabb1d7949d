"""The bulk transport: ranges on request, verified, from where they lie, and never from where they should not be had."""

import os
import threading
from pathlib import Path

import pytest
import zmq

from murmuration.node.shelf import PeerShelf
from murmuration.node.storage.chunks import ChunkStore
from murmuration.node.transport import bulk_pull, bulk_server
from murmuration.node.transport.bulk_pull import WINDOW, cut_chunk, locate, pull
from murmuration.node.transport.bulk_server import BulkServer
from murmuration.node.transport.host import host_id
from murmuration.node.transport.shelves import SharedFiles, Stretch
from murmuration.node.wire.bulk import RANGE_BYTES_MAX, Fetched, Locate
from murmuration.node.wire.codec import decode_bulk_request, encode_bulk_reply, encode_bulk_request
from murmuration.node.wire.limits import BULK_REQUEST_BYTES_MAX
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import CallerError, Corrupt, RemoteError, WorldError
from murmuration.ring.terms import Source

LINES = b"".join(b"line %d\n" % number for number in range(300_000))
DIGEST = chunk_digest(LINES)
CHUNK = f"chunk/{DIGEST.hex()}"


@pytest.fixture(scope="module")
def peer_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("peer")
    for name in ("runs/job1", "parts/job1", "store"):
        (directory / name).mkdir(parents=True)
    (directory / "runs/job1/3-a.run").write_bytes(b"a run")
    (directory / "parts/job1/part-r-00000").write_bytes(b"")
    (directory / "store/secret").write_bytes(b"secret")
    (directory / "runs/job1/link").symlink_to(directory / "store/secret")
    (directory / "runs/linked").symlink_to(directory / "store")
    os.mkfifo(directory / "runs/job1/pipe")
    return directory


@pytest.fixture(scope="module")
def chunks(peer_directory):
    opened = ChunkStore(peer_directory / "chunks")
    opened.adopt(DIGEST, len(LINES), [LINES])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(peer_directory, chunks):
    opened = BulkServer(PeerShelf(peer_directory, chunks))
    yield opened
    opened.close()


def test_chunk_of_several_ranges_is_pulled_whole_and_in_order(server):
    pieces = list(pull(Source(server.url, CHUNK), len(LINES)))
    assert b"".join(pieces) == LINES
    assert max(map(len, pieces)) <= RANGE_BYTES_MAX


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (7, 1), (RANGE_BYTES_MAX - 1, 2), (5, 2 * RANGE_BYTES_MAX)])
def test_part_of_a_chunk_is_pulled_from_the_sources_offset(server, offset, length):
    assert b"".join(pull(Source(server.url, CHUNK, offset=offset), length)) == LINES[offset : offset + length]


def test_runs_and_parts_are_served_by_name(server):
    assert b"".join(pull(Source(server.url, "runs/job1/3-a.run"), 5)) == b"a run"
    assert locate(Source(server.url, "parts/job1/part-r-00000")).size == 0


def test_located_bytes_can_be_read_where_they_lie(server):
    for ref in (CHUNK, "runs/job1/3-a.run"):
        place = locate(Source(server.url, ref))
        assert place.host == host_id()
        with Path(place.path).open("rb") as file:
            file.seek(place.offset)
            assert file.read() == b"".join(pull(Source(server.url, ref), place.size))


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "store/secret",
        "runs/../store/secret",
        "runs/job1/../../store/secret",
        "runs/linked/secret",
        "runs/job1/link",
        "runs/job1/pipe",
        "runs/job1",
        "runs/job1/",
        "runs//etc/passwd",
        "runs/job1/.hidden",
        "runs/job1/absent",
        "/etc/passwd",
        "chunk/../store/secret",
        "chunk/" + "0" * 64,
        "share/1",
    ],
)
def test_nothing_else_can_be_had(server, ref):
    for ask in (lambda source: list(pull(source, 1)), locate, lambda source: cut_chunk(source, 10)):
        with pytest.raises(WorldError) as refusal:
            ask(Source(server.url, ref))
        assert not isinstance(refusal.value, Corrupt)


def test_damaged_chunk_is_told_apart_from_an_absent_one(tmp_path):
    chunks = ChunkStore(tmp_path / "chunks")
    chunks.adopt(DIGEST, len(LINES), [LINES])
    with Path(chunks.locate(DIGEST).path).open("r+b") as file:
        file.write(b"L")
    server = BulkServer(PeerShelf(tmp_path, chunks))
    with pytest.raises(Corrupt, match="corrupt chunk"):
        list(pull(Source(server.url, CHUNK), len(LINES)))
    Path(chunks.locate(DIGEST).path).unlink()
    with pytest.raises(Corrupt):
        locate(Source(server.url, CHUNK))
    server.close()
    chunks.close()


def test_chunk_is_cut_after_the_newlines_nearest_each_multiple(server):
    borders = cut_chunk(Source(server.url, CHUNK), 1_000_000).borders
    assert borders[0] == (0, 0)
    assert borders[-1] == (len(LINES), LINES.count(b"\n"))
    assert len(borders) == len(LINES) // 1_000_000 + 2
    for position, newlines in borders[1:]:
        assert LINES[position - 1 : position] == b"\n"
        assert LINES.count(b"\n", 0, position) == newlines


def test_cut_into_too_many_splits_is_refused(server):
    with pytest.raises(WorldError, match="choose a larger split size"):
        cut_chunk(Source(server.url, CHUNK), 1)


def test_source_that_ends_too_soon_is_told(server):
    with pytest.raises(WorldError, match="ended after 5 of 6 bytes"):
        list(pull(Source(server.url, "runs/job1/3-a.run"), 6))


def test_file_on_this_host_is_read_by_its_path_without_any_server(tmp_path):
    (tmp_path / "f").write_bytes(LINES)
    source = Source("tcp://127.0.0.1:1", "share/x", host_id(), str(tmp_path / "f"), offset=3)
    assert b"".join(pull(source, 2 * RANGE_BYTES_MAX)) == LINES[3 : 3 + 2 * RANGE_BYTES_MAX]


@pytest.mark.parametrize("path", ["absent", "short", "pipe", "."])
def test_path_that_does_not_serve_gives_way_to_the_server(server, tmp_path, path):
    (tmp_path / "short").write_bytes(b"run")
    os.mkfifo(tmp_path / "pipe")
    source = Source(server.url, "runs/job1/3-a.run", host_id(), str(tmp_path / path))
    assert b"".join(pull(source, 5)) == b"a run"


def test_path_of_another_host_is_not_opened(server, tmp_path):
    (tmp_path / "same").write_bytes(b"other")
    source = Source(server.url, "runs/job1/3-a.run", "another host", str(tmp_path / "same"))
    assert b"".join(pull(source, 5)) == b"a run"


def test_shared_file_of_a_client_is_served_until_it_is_withdrawn(tmp_path):
    (tmp_path / "f").write_bytes(LINES)
    shared = SharedFiles()
    with BulkServerOpen(shared) as server:
        whole, part = shared.register(tmp_path / "f"), shared.register(tmp_path / "f", 100, 50)
        assert b"".join(pull(Source(server.url, whole), len(LINES))) == LINES
        assert b"".join(pull(Source(server.url, part, offset=10), 40)) == LINES[110:150]
        with pytest.raises(WorldError, match="ended after"):
            list(pull(Source(server.url, part), 51))
        place = locate(Source(server.url, part))
        assert (place.path, place.offset, place.size) == (str(tmp_path / "f"), 100, 50)
        shared.withdraw(whole)
        with pytest.raises(WorldError, match="nothing is shared"):
            list(pull(Source(server.url, whole), 1))


def test_sharing_what_is_no_file_is_refused(tmp_path):
    for path, size in ((tmp_path / "absent", None), (tmp_path, None), (tmp_path / "f", 2)):
        (tmp_path / "f").write_bytes(b"x")
        with pytest.raises(CallerError, match="cannot be shared"):
            SharedFiles().register(path, 0, size)


class BulkServerOpen:
    """Closes a server when a test is through with it, however that goes."""

    def __init__(self, shelf):
        self.server = BulkServer(shelf)

    def __enter__(self):
        return self.server

    def __exit__(self, *_):
        self.server.close()


class CountingShelf:
    """Serves zeros and keeps what was asked for."""

    def __init__(self):
        self.asked = []
        self.enough = threading.Event()

    def locate(self, ref):
        return Stretch(path="", offset=0, size=1 << 40)

    def read(self, ref, offset, length):
        self.asked.append(offset)
        if len(self.asked) == WINDOW:
            self.enough.set()
        return bytes(length)


def test_puller_that_does_not_take_pieces_is_sent_no_more_than_its_window():
    shelf = CountingShelf()
    with BulkServerOpen(shelf) as server:
        pieces = pull(Source(server.url, "zeros"), 100 * RANGE_BYTES_MAX)
        next(pieces)
        assert shelf.enough.wait(4)
        locate(Source(server.url, "zeros"))  # the server has answered all that was asked before
        assert len(shelf.asked) == WINDOW
        for _ in range(10):
            next(pieces)
        locate(Source(server.url, "zeros"))
        assert len(shelf.asked) <= WINDOW + 10
        pieces.close()


def test_server_that_is_gone_is_noticed_before_patience_ends():
    server = BulkServer(CountingShelf())
    pieces = pull(Source(server.url, "zeros"), 100 * RANGE_BYTES_MAX, patience_s=60)
    next(pieces)
    server.close()
    with pytest.raises(WorldError, match="is gone"):
        list(pieces)
    with pytest.raises(WorldError, match="is gone"):
        locate(Source(server.url, "zeros"), patience_s=60)
    server.close()


class Impostor:
    """A ROUTER that answers the first question as a test wants."""

    def __init__(self, answer):
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.bind("tcp://127.0.0.1:*")
        self.url = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.answer = answer
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        if self.socket.poll(4000):
            route, frame = self.socket.recv_multipart()
            number, _ = decode_bulk_request(frame)
            frames = self.answer(number)
            if frames:
                self.socket.send_multipart([route, *frames])

    def close(self):
        self.thread.join()
        self.socket.close(linger=0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda number: None, WorldError),
        (lambda number: [b"\xff"], RemoteError),
        (lambda number: [encode_bulk_reply(number + 1, Fetched()), b"12345"], RemoteError),
        (lambda number: [encode_bulk_reply(number, Fetched())], RemoteError),
        (lambda number: [encode_bulk_reply(number, Fetched()), b"123456"], (RemoteError, WorldError)),
    ],
    ids=["silence", "rubbish", "another number", "no bytes", "too many bytes"],
)
def test_server_that_does_not_keep_to_the_protocol_is_given_up(answer, error):
    impostor = Impostor(answer)
    with pytest.raises(error):
        list(pull(Source(impostor.url, "x"), 5, patience_s=0.2))
    impostor.close()


def test_rubbish_does_not_stop_the_server(server):
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.connect(server.url)
    for frames in ([b""], [b"\xff"], [b"a", b"b", b"c"]):
        client.send_multipart(frames)
    assert b"".join(pull(Source(server.url, "runs/job1/3-a.run"), 5)) == b"a run"
    client.close(linger=0)


def test_question_in_several_parts_is_not_answered_and_counted(peer_directory, chunks):
    server = BulkServer(PeerShelf(peer_directory, chunks))
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.connect(server.url)
    question = encode_bulk_request(1, Locate(ref=CHUNK))
    client.send_multipart([b"", question])
    client.send(question)
    assert client.poll(5000)
    client.recv_multipart()
    assert not client.poll(20)
    assert server.dropped == {"malformed": 1}
    client.close(linger=0)
    server.close()


def test_question_larger_than_any_closes_its_connection(server):
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.setsockopt(zmq.RECONNECT_IVL, -1)
    monitor = client.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    client.connect(server.url)
    client.send(encode_bulk_request(1, Locate(ref="x" * 4096)).ljust(BULK_REQUEST_BYTES_MAX + 1, b"\0"))
    assert monitor.poll(5000)
    client.disable_monitor()
    monitor.close()
    client.close(linger=0)


def test_host_id_is_one_for_all_processes_of_this_host():
    assert host_id() == host_id()
    assert len(host_id()) == 32
    assert bulk_pull.WINDOW < bulk_server.UNREAD_MAX
