"""What the gate of a real peer does on order; a socket pair is all that the tests hold of it."""

import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from gated_peers import GatedFlock, GatedPeer, cut, until

from murmuration.client.api import Client
from murmuration.client.jobs.job import Job
from murmuration.node.executor.frames import frame
from murmuration.node.gate.orders import (
    Direction,
    DiskState,
    LinkRule,
    Refused,
    SetClock,
    SetDisk,
    SetLinks,
    SetTracker,
    SlowWork,
)
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import MurmurationError
from murmuration.ring.facts import Liveness
from murmuration.ring.terms import Quorum
from murmuration.scheduling.jobs import JobState
from murmuration.scheduling.status import TaskState

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

TEXT = "".join(f"line {number} of a text with {number % 7} and {number % 11} words\n" for number in range(4000))
COUNTS = Counter(TEXT.split())

WORDS = """
import time
from murmuration import Mapper

class Words(Mapper):
    def setup(self):
        time.sleep({pause_s})

    def map(self, key, value):
        for word in value.split():
            yield word, 1

reducer = "sum"
"""


@pytest.fixture
def flock(tmp_path: Path) -> Iterator[GatedFlock]:
    found = GatedFlock(tmp_path)
    yield found
    found.end()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def program(directory: Path, pause_s: float = 0.02) -> str:
    path = directory / "words.py"
    path.write_text(WORDS.format(pause_s=pause_s), encoding="utf-8")
    return str(path)


def counted(job: Job) -> Counter[str]:
    return Counter({word: int(number) for word, number in job.results()})


def until_status(job: Job, condition) -> None:
    until(lambda: condition(job.status))


def all_mapped(status) -> bool:
    return bool(status.map_states) and set(status.map_states) == {TaskState.DONE}


# --- links ---


def test_cut_peers_suspect_each_other_and_find_each_other_when_it_is_lifted(flock: GatedFlock) -> None:
    one, two = flock.start(0, 0)
    one.links(*cut(two))
    until(lambda: one.believes()["peer-2"] is not Liveness.ALIVE and two.believes()["peer-1"] is not Liveness.ALIVE)
    heard, dropped = one.condition.messages_in, one.condition.dropped
    until(lambda: one.condition.dropped > dropped)
    assert one.condition.messages_in == heard
    one.links()
    until(lambda: one.believes()["peer-2"] is two.believes()["peer-1"] is Liveness.ALIVE)


def test_delay_of_a_link_delays_the_write_that_needs_it_and_no_other(flock: GatedFlock) -> None:
    one, two, _ = flock.start(0, 0, 0)
    one.links(LinkRule(url=two.url, direction=Direction.TO, delay_s=0.2))
    with Client(one.url) as client:
        all_copies = Quorum(replicas=3, writes_required=3, strict=True)
        client.kv.put(b"begin", b"v")
        began = time.monotonic()
        client.kv.put(b"key", b"v", quorum=all_copies)
        assert time.monotonic() - began >= 0.2
        assert client.kv.get(b"key").value == b"v"


def test_writes_through_lossy_doubling_jittery_links_are_neither_lost_nor_doubled(flock: GatedFlock) -> None:
    peers = flock.start(0, 0, 0)
    for peer in peers:
        others = [other for other in peers if other is not peer]
        peer.links(
            *(
                LinkRule(url=other.url, direction=Direction.TO, loss=0.1, duplication=0.5, jitter_s=0.05)
                for other in others
            )
        )
    with Client(peers[0].url) as client:
        for number in range(20):
            client.kv.put(b"key-%d" % number, b"%d" % number)
        assert [client.kv.get(b"key-%d" % number).values for number in range(20)] == [
            (b"%d" % number,) for number in range(20)
        ]
    assert sum(peer.condition.dropped for peer in peers) > 0


def test_cut_between_bulk_servers_keeps_a_split_waiting_until_it_is_lifted(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    keeper, worker = flock.start(0, 1)
    with Client(keeper.url) as client:
        words = Counter(write_text_kept_at("peer-1", client, text))
        client.fs.put(str(text), "ring:/text", replicas=1)
        worker.links(*(msgspec.structs.replace(rule, bulk_only=True) for rule in cut(keeper)))
        given = keeper.condition.bulk_bytes_out
        job = client.submit(program(tmp_path), "ring:/text", output="ring:/counts", reducers=1)
        until_status(job, lambda status: max(status.map_states) == TaskState.CLAIMED)
        for number in range(20):
            client.kv.put(b"other-%d" % number, b"goes on")
        assert not all_mapped(job.status)
        assert keeper.condition.bulk_bytes_out == given
        worker.links()
        job.wait(timeout=20)
        assert counted(job) == words
    assert keeper.condition.bulk_bytes_out >= given + text.stat().st_size


def write_text_kept_at(name: str, client: Client, path: Path) -> list[str]:
    """Write a text whose one chunk has its first home at that peer, and give its words."""
    for number in itertools.count():
        text = f"{number}\n{TEXT}"
        if client.ring(b"chunk/" + chunk_digest(text.encode())).primaries[0] == name:
            path.write_text(text, encoding="utf-8")
            return text.split()
    raise AssertionError


# --- the tracker role ---


def test_silent_trackers_let_the_map_work_go_on_but_decide_nothing_until_they_are_thawed(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    peers = flock.start(1, 1, 1)
    with Client(peers[0].url) as client:
        client.fs.put(str(text), "ring:/text")
        job = client.submit(program(tmp_path, 0.1), "ring:/text", output="ring:/counts", reducers=2, split_size=20_000)
        until_status(job, lambda status: status.epoch > 0)
        for peer in peers:
            peer.obey(SetTracker(frozen=True))
        until_status(job, all_mapped)
        until(lambda: sum(peer.condition.held for peer in peers) > 10)
        for number in range(10):
            client.kv.put(b"other-%d" % number, b"goes on")
        assert job.status.state is JobState.RUNNING_MAP
        assert all(peer.condition.tracker_frozen for peer in peers)
        for peer in peers:
            peer.obey(SetTracker(frozen=False))
        job.wait(timeout=20)
        assert counted(job) == COUNTS
    assert [peer.condition.held for peer in peers] == [0, 0, 0]


def test_role_that_comes_to_a_frozen_tracker_is_silent_from_its_first_word(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    one, two = flock.start(1, 1)
    one.obey(SetTracker(frozen=True))
    with Client(one.url) as client, Client(two.url) as other:
        client.fs.put(str(text), "ring:/text")
        job = client.submit(program(tmp_path), "ring:/text", output="ring:/counts", reducers=1)
        until(lambda: job.status.tracker == "peer-1")
        until(lambda: one.condition.held > 0)
        until(lambda: other.jobs() and other.job(job.id).status.tracker == "peer-2")
        job.wait(timeout=20)
        assert counted(job) == COUNTS
        one.obey(SetTracker(frozen=False))
        client.kv.put(b"key", b"v")
        assert counted(job) == COUNTS
        assert job.status.tracker == "peer-2"


def test_job_goes_on_under_a_successor_when_its_trackers_role_falls_silent(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    peers = {peer.name: peer for peer in flock.start(1, 1, 1)}
    with Client(peers["peer-1"].url) as client:
        client.fs.put(str(text), "ring:/text")
        job = client.submit(program(tmp_path, 0.1), "ring:/text", output="ring:/counts", reducers=2, split_size=20_000)
        until_status(job, lambda status: status.epoch > 0)
        first = job.status.tracker
        peers[first].obey(SetTracker(frozen=True))
        job.wait(timeout=15)
        assert job.status.tracker != first
        assert counted(job) == COUNTS


# --- the disk ---


@pytest.mark.parametrize(
    ("state", "words"),
    [(DiskState.FULL, "disk full"), (DiskState.READONLY, "disk read-only")],
    ids=["full", "readonly"],
)
def test_disk_that_takes_no_writes_refuses_puts_in_its_own_words_and_still_reads(
    flock: GatedFlock, state: DiskState, words: str
) -> None:
    (peer,) = flock.start(0)
    with Client(peer.url) as client:
        client.kv.put(b"before", b"v")
        peer.obey(SetDisk(state=state))
        with pytest.raises(MurmurationError, match=words):
            client.kv.put(b"during", b"v")
        assert client.kv.get(b"before").value == b"v"
        assert client.kv.get(b"during").values == ()
        peer.obey(SetDisk())
        client.kv.put(b"after", b"v")
        assert client.kv.get(b"after").value == b"v"


def test_job_on_a_full_disk_waits_for_room_and_blames_no_user_code(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    (peer,) = flock.start(1)
    with Client(peer.url) as client:
        client.fs.put(str(text), "ring:/text")
        job = client.submit(program(tmp_path, 0.1), "ring:/text", output="ring:/counts", reducers=1, split_size=20_000)
        until_status(job, lambda status: TaskState.DONE in status.map_states)
        peer.obey(SetDisk(state=DiskState.FULL))
        before = job.status
        until_status(job, lambda status: status.attempts >= before.attempts + 4)
        done = job.status.map_states.count(TaskState.DONE) - before.map_states.count(TaskState.DONE)
        assert done <= 1, "only the attempt that was under way had its file written"
        peer.obey(SetDisk())
        job.wait(timeout=30)
        assert counted(job) == COUNTS


def test_slow_disk_makes_each_write_late(flock: GatedFlock) -> None:
    (peer,) = flock.start(0)
    peer.obey(SetDisk(delay_s=0.2))
    with Client(peer.url) as client:
        began = time.monotonic()
        client.kv.put(b"key", b"v")
        assert time.monotonic() - began >= 0.2


# --- the clock ---


@pytest.mark.parametrize("offset_s", [3600.0, -3600.0])
def test_clock_that_jumps_by_an_hour_harms_nobody(
    flock: GatedFlock, text: Path, tmp_path: Path, offset_s: float
) -> None:
    peers = flock.start(1, 1)
    with Client(peers[0].url) as client:
        client.fs.put(str(text), "ring:/text")
        job = client.submit(program(tmp_path, 0.1), "ring:/text", output="ring:/counts", reducers=1, split_size=20_000)
        until_status(job, lambda status: TaskState.DONE in status.map_states)
        peers[0].obey(SetClock(offset_s=offset_s))
        job.wait(timeout=20)
        assert counted(job) == COUNTS
        told = [event.at for event in job.status.events if event.text == "map phase sealed"]
        assert told[0] > 3600 if offset_s > 0 else 0 <= told[0] < 3600, "it follows jumps forward, and never runs back"
    assert set(peers[1].believes().values()) == {Liveness.ALIVE}


# --- user code ---


def test_slow_work_stops_user_code_twice_as_long_when_ordered_twice(
    flock: GatedFlock, text: Path, tmp_path: Path
) -> None:
    (peer,) = flock.start(1)
    with Client(peer.url) as client:
        client.fs.put(str(text), "ring:/text")
        until(lambda: peer.condition.executors)
        began = time.monotonic()
        peer.obey(SlowWork(seconds=1.5), SlowWork(seconds=1.5))
        until(lambda: all(map(is_stopped, peer.condition.executors)))
        job = client.submit(program(tmp_path, 0.0), "ring:/text", output="ring:/counts", reducers=1)
        until_status(job, lambda status: max(status.map_states) >= TaskState.CLAIMED)
        job.wait(timeout=20)
        assert time.monotonic() - began >= 3.0
        assert counted(job) == COUNTS


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


# --- the strings ---


def lines_of(peer: GatedPeer) -> list[str]:
    return peer.log.read_text().splitlines()


def test_peer_ends_when_its_puppet_master_is_gone_whatever_was_ordered(flock: GatedFlock, tmp_path: Path) -> None:
    one, two = flock.start(1, 0)
    until(lambda: one.condition.executors)
    executors = one.condition.executors
    one.links(*cut(two))
    one.obey(SlowWork(seconds=600.0), SetDisk(delay_s=600.0), SetTracker(frozen=True), SetClock(offset_s=-3600.0))
    one.link.close()
    assert one.process.wait(5.0) == 0
    assert lines_of(one) == ["murmur: the puppet master is gone; this peer ends"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in executors)


def test_frame_that_is_no_order_ends_the_peer_with_one_line(flock: GatedFlock) -> None:
    (peer,) = flock.start(0)
    peer.link.sendall(frame(b"\x93nonsense"))
    assert peer.link.recv(1) == b""
    assert peer.process.wait(5.0) == 0
    (line,) = lines_of(peer)
    assert line.startswith("murmur: the puppet master sent what is no order (")


def test_order_that_contradicts_itself_is_refused_and_nothing_changes(flock: GatedFlock) -> None:
    (peer,) = flock.start(0)
    rule = LinkRule(url="tcp://127.0.0.1:1", direction=Direction.TO, cut=True)
    refused = peer.order(SetLinks((rule, rule)))
    assert isinstance(refused, Refused)
    assert "two rules" in refused.reason
    nowhere = peer.order(SetLinks((LinkRule(url="nowhere", direction=Direction.TO),)))
    assert isinstance(nowhere, Refused)
    assert "no address" in nowhere.reason


def test_peer_tells_how_many_messages_and_bytes_have_passed(flock: GatedFlock) -> None:
    one = flock.start(0, 0)[0]
    before = one.condition
    assert before.name == "peer-1"
    with Client(one.url) as client:
        client.kv.put(b"key", b"v" * 10_000, quorum=Quorum(replicas=2, writes_required=2))
    after = one.condition
    assert after.messages_out > before.messages_out
    assert after.messages_in > before.messages_in
    sent, heard = after.bytes_out - before.bytes_out, after.bytes_in - before.bytes_in
    assert max(sent, heard) >= 10_000
    assert after.dropped == 0


def start_with(descriptor: str, pass_fds: tuple[int, ...], directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "murmuration.node.main", "--data", str(directory), "--test-hooks", descriptor]
    return subprocess.run(command, capture_output=True, text=True, pass_fds=pass_fds, timeout=20, check=False)


def test_descriptor_that_is_no_socket_pair_of_the_parent_is_refused(tmp_path: Path) -> None:
    read, write = os.pipe()
    ended = start_with(str(read), (read,), tmp_path / "a")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no socket" in ended.stderr
    os.close(read)
    os.close(write)
    ended = start_with("77", (), tmp_path / "b")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "--test-hooks 77" in ended.stderr


STEPFATHER = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
start = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[2:], pass_fds=(int(sys.argv[1]),)).returncode)"
peer = [sys.executable, "-m", "murmuration.node.main", "--data", sys.argv[1], "--test-hooks", str(theirs.fileno())]
command = [sys.executable, "-c", start, str(theirs.fileno()), *peer]
sys.exit(subprocess.run(command, pass_fds=(theirs.fileno(),)).returncode)
"""


def test_strings_that_another_process_than_the_parent_made_are_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STEPFATHER, str(tmp_path / "data")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert "no socket pair of the process that started this peer" in ended.stderr


def test_ordinary_peer_has_no_gate_and_its_help_does_not_speak_of_one() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "murmuration.node.main", "--help"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert "--listen" in shown.stdout
    assert "hooks" not in shown.stdout
    loaded = "import sys, murmuration.node.main; sys.exit(any('node.gate' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], timeout=20, check=False).returncode == 0
