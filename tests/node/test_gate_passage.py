"""What link rules do to bulk transfers, and to the files of peers on this host that would go around them."""

import threading
import time
from pathlib import Path

import pytest

from murmuration.node.effects import RunPlace
from murmuration.node.executor.shuffle.runs import write_run
from murmuration.node.fetching import Fetcher
from murmuration.node.gate.neighbours import Neighbours
from murmuration.node.gate.orders import Direction, LinkRule
from murmuration.node.gate.passage import GatedPassage
from murmuration.node.gate.rules import read_rules
from murmuration.node.gate.tally import CountedShelf, Tally
from murmuration.node.shelf import PeerShelf
from murmuration.node.storage.chunks import ChunkStore
from murmuration.node.transport.bulk_pull import pull
from murmuration.node.transport.bulk_server import BulkServer
from murmuration.node.transport.host import host_id
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.terms import Member, PeerId, Source

CONTROL = "tcp://127.0.0.1:5"
HOLDER = PeerId("a" * 32)


class Stage:
    """The run of another peer on this host, and the way to it."""

    def __init__(self, directory: Path) -> None:
        self.own = ChunkStore(directory / "own")
        self.run, self.digest = a_run(directory / "holder")
        self.tally = Tally()
        shelf = PeerShelf(directory / "holder", self.own)
        self.server = BulkServer(CountedShelf(shelf, self.tally))
        member = Member(id=HOLDER, name="h", url=CONTROL, bulk_url=self.server.url, host="h", directory="/d")
        neighbours = Neighbours()
        neighbours.meet(lambda: {HOLDER: Update(member=member, liveness=Liveness.ALIVE, incarnation=1)})
        self.passage = GatedPassage(neighbours)

    def order(self, direction: Direction = Direction.FROM, url: str = CONTROL, **what: object) -> None:
        self.passage.order(read_rules([LinkRule(url=url, direction=direction, **what)]))

    @property
    def source(self) -> Source:
        return Source(url=self.server.url, ref="runs/job/0-a-1-1.run", host=host_id(), path=str(self.run))

    def pull(self, patience_s: float = 5.0) -> bytes:
        size = self.run.stat().st_size
        return b"".join(pull(self.source, size, patience_s=patience_s, passage=self.passage))


def a_run(directory: Path) -> tuple[Path, bytes]:
    path = directory / "runs/job/0-a-1-1.run"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        written = write_run(file, ((["key"], [["x" * 200_000]]) for _ in range(4)))
    return path, written.digest


@pytest.fixture
def stage(tmp_path):
    found = Stage(tmp_path)
    yield found
    found.server.close()
    found.own.close()


def test_clear_link_shows_the_files_of_a_peer_on_this_host(stage):
    assert stage.pull() == stage.run.read_bytes()
    stage.order(loss=1.0, jitter_s=60.0)
    assert stage.pull() == stage.run.read_bytes()
    assert stage.tally.bulk_bytes_out == 0


@pytest.mark.parametrize("direction", Direction)
def test_cut_link_hides_the_files_and_lets_nothing_across(stage, tmp_path, direction):
    stage.order(direction, cut=True)
    with pytest.raises(WorldError, match="made no progress"):
        stage.pull(patience_s=0.05)
    stage.order(direction, cut=True, url="tcp://127.0.0.1:6")
    assert stage.pull() == stage.run.read_bytes()
    assert stage.tally.bulk_bytes_out == 0


def test_run_behind_a_link_with_a_delay_is_pulled_and_not_read_where_it_lies(stage, tmp_path):
    stage.order(delay_s=0.01)
    fetcher = Fetcher(stage.own, stage.passage)
    place = RunPlace(split=0, digest=stage.digest, sources=(stage.source,))
    fetched = fetcher.runs([place], 2, tmp_path / "scratch")
    assert fetched.segments[0].path.startswith(str(tmp_path / "scratch"))
    assert 200_000 <= stage.tally.bulk_bytes_out < 400_000


def test_delay_of_both_directions_adds_up(stage):
    rules = [LinkRule(url=CONTROL, direction=direction, delay_s=0.1, bulk_only=True) for direction in Direction]
    stage.passage.order(read_rules(rules))
    began = time.monotonic()
    assert stage.pull() == stage.run.read_bytes()
    assert time.monotonic() - began >= 0.2


def test_bandwidth_bounds_the_pace_of_a_pull(stage):
    size = stage.run.stat().st_size
    stage.order(bytes_per_s=size * 4)
    began = time.monotonic()
    stage.pull()
    assert time.monotonic() - began >= 0.25
    stage.order(bytes_per_s=size // 100)
    with pytest.raises(WorldError, match="made no progress"):
        stage.pull(patience_s=0.05)


def test_lifted_cut_lets_a_waiting_pull_go_on(stage):
    stage.order(cut=True)
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(stage.pull(patience_s=60.0)))
    thread.start()
    stage.passage.order({})
    thread.join(5.0)
    assert found == [stage.run.read_bytes()]


def test_client_is_cut_off_only_by_its_own_address(stage):
    path = stage.run
    client = Source(url="tcp://127.0.0.1:77", ref="share/x", host=host_id(), path=str(path))
    stage.order(cut=True)
    assert b"".join(pull(client, 10, passage=stage.passage)) == path.read_bytes()[:10]
    stage.order(cut=True, url=client.url)
    with pytest.raises(WorldError):
        b"".join(pull(client, 10, patience_s=0.05, passage=stage.passage))
