"""Real peers that are killed, stopped, slow, cut off or doubled while they work: no word that was given is broken."""

import random
import shutil
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from gated_peers import GatedFlock, GatedPeer, until
from resetting_proxy import ResettingProxy
from writing import writing

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.job import Job
from murmuration.client.progress import Silence
from murmuration.node.effects import Piece
from murmuration.node.fetching import Fetcher
from murmuration.node.gate.orders import Direction, LinkRule
from murmuration.node.storage.chunks import ChunkStore
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness, Standing
from murmuration.ring.terms import Quorum, Source
from murmuration.scheduling.jobs import JobState
from murmuration.scheduling.status import TaskState

pytestmark = [pytest.mark.live, pytest.mark.timeout(120), pytest.mark.xdist_group("process-faults")]

TEXT = "".join(f"line {number} of a text with {number % 7} and {number % 11} words\n" for number in range(3000))
COUNTS = Counter(TEXT.split())
SPLIT_SIZE = 6_000

WORDS = """
import time
from murmuration import Mapper

class Words(Mapper):
    def setup(self):
        time.sleep(0.1)

    def map(self, key, value):
        for word in value.split():
            yield word, 1

reducer = "sum"
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(peers=4, workers=1) as found:
        yield found


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("program") / "words.py"
    path.write_text(WORDS, encoding="utf-8")
    return str(path)


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Name what a test stores, so that tests do not meet in one cluster."""
    return str(request.node.name).removeprefix("test_")[:40].replace("[", "-").replace("]", "")


def begin(client: Client, program: str, text: str, name: str) -> Job:
    """Store a text, submit a job on it, and wait until a part of it is done and a part is not."""
    client.fs.put(text, f"ring:/{name}")
    job = client.submit(program, f"ring:/{name}", output=f"ring:/{name}-out", reducers=2, split_size=SPLIT_SIZE)
    until(lambda: TaskState.DONE in job.status.map_states)
    assert job.status.state is JobState.RUNNING_MAP
    return job


def ends_right(job: Job) -> bool:
    job.wait(timeout=60)
    return Counter({word: int(number) for word, number in job.results()}) == COUNTS


def seen_alive(url: str) -> set[str]:
    with Client(url) as client:
        return {view.member.name for view in client.peers() if view.liveness is Liveness.ALIVE}


def all_see(urls: tuple[str, ...], names: set[str]) -> None:
    """Wait until these peers are alive for one another, and nobody else is."""
    for url in urls:
        until(lambda url=url: seen_alive(url) == names, patience_s=40.0)


# --- 1 and 40: kill -9 ---


def test_no_acknowledged_write_of_a_storm_is_lost_when_peers_are_killed_at_random_moments(
    cluster: LocalCluster, name: str
) -> None:
    rng = random.Random(1)
    with writing(cluster.urls, name) as writes:
        for _ in range(4):
            writes.goes_on(rng.randint(5, 40))
            victim = rng.choice(cluster.running())
            cluster.kill(victim)
            writes.goes_on(rng.randint(1, 20))
            cluster.restart(victim)
        writes.goes_on()
    for url in cluster.urls:
        with Client(url) as client:
            assert writes.is_all_there(client)
    all_see(cluster.urls, set(cluster.processes))


def test_job_and_acknowledged_writes_survive_the_kill_of_all_peers_at_once_and_a_restart_in_any_order(
    cluster: LocalCluster, program: str, text: str, name: str
) -> None:
    order = random.Random(2).sample(list(cluster.processes), 4)
    with Client(cluster) as client, writing(cluster.urls, name) as writes:
        job = begin(client, program, text, name)
        writes.goes_on()
        for each in order:
            cluster.kill(each, signal.SIGSTOP)
        for each in order:
            cluster.kill(each)
        for each in reversed(order):
            cluster.restart(each)
        writes.goes_on()
        assert ends_right(job)
    with Client(cluster) as client:
        assert writes.is_all_there(client)
    all_see(cluster.urls, set(cluster.processes))


# --- 2, 3 and 30: processes that stand still, or nearly ---


def test_peer_stopped_for_longer_than_a_suspicion_is_a_zombie_that_does_no_harm(
    cluster: LocalCluster, program: str, text: str, name: str
) -> None:
    victim = "peer-4"
    others = tuple(url for each, url in zip(cluster.processes, cluster.urls, strict=True) if each != victim)
    with Client(others) as client, writing(others, name) as writes:
        job = begin(client, program, text, name)
        cluster.kill(victim, signal.SIGSTOP)
        try:
            writes.goes_on()
            until(lambda: liveness(client, victim) is Liveness.DEAD, patience_s=40.0)
            assert ends_right(job)
            before = job.status
            writes.goes_on()
        finally:
            cluster.kill(victim, signal.SIGCONT)
        writes.goes_on()
        all_see(cluster.urls, set(cluster.processes))
        assert (job.status.state, job.status.epoch, job.status.ending) == (JobState.DONE, before.epoch, before.ending)
    with Client(cluster.urls[3]) as zombie:
        assert writes.is_all_there(zombie)
        until(lambda: zombie.job(job.id).status.state is JobState.DONE)
        assert Counter({word: int(number) for word, number in zombie.job(job.id).results()}) == COUNTS


def liveness(client: Client, name: str) -> Liveness:
    return next(view.liveness for view in client.peers() if view.member.name == name)


def test_tracker_that_was_stopped_wakes_with_an_old_epoch_and_obeys_its_successor(
    cluster: LocalCluster, program: str, text: str, name: str
) -> None:
    with Client(cluster) as client:
        job = begin(client, program, text, name)
        first = job.status.tracker
    others = tuple(url for each, url in zip(cluster.processes, cluster.urls, strict=True) if each != first)
    with Client(others) as client:
        job = client.job(job.id)
        cluster.kill(first, signal.SIGSTOP)
        try:
            until(lambda: job.status.epoch >= 2, patience_s=40.0)
        finally:
            cluster.kill(first, signal.SIGCONT)
        assert job.status.tracker != first
        assert ends_right(job)
        ended = job.status
    with Client(cluster.urls[list(cluster.processes).index(first)]) as old:
        until(lambda: old.job(job.id).status.ending == ended.ending)
        assert old.job(job.id).status.epoch >= 2
    all_see(cluster.urls, set(cluster.processes))


def test_peer_that_runs_one_tenth_of_the_time_slows_but_spoils_nothing(
    cluster: LocalCluster, program: str, text: str, name: str
) -> None:
    ended = threading.Event()

    def limp() -> None:
        while not ended.wait(0.02):
            cluster.kill("peer-3", signal.SIGSTOP)
            ended.wait(0.18)
            cluster.kill("peer-3", signal.SIGCONT)

    limping = threading.Thread(target=limp)
    with Client(cluster) as client, writing(cluster.urls, name) as writes:
        limping.start()
        try:
            job = begin(client, program, text, name)
            assert ends_right(job)
            writes.goes_on()
        finally:
            ended.set()
            limping.join()
    with Client(cluster) as client:
        assert writes.is_all_there(client)
    all_see(cluster.urls, set(cluster.processes))


# --- 11: connections that break amid a transfer ---


def test_pull_whose_connection_is_reset_amid_a_chunk_goes_on_from_another_source(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    content = random.Random(3).randbytes(3 << 20)
    file = tmp_path / "content"
    file.write_bytes(content)
    with Client(cluster) as client:
        client.fs.put(str(file), "ring:/reset")
        members = [view.member for view in client.peers()]
    digest = chunk_digest(content)
    holders = [peer for peer in members if list(cluster.directory.glob(f"{peer.name}/chunks/??/{digest.hex()}*"))]
    fetcher = Fetcher(ChunkStore(tmp_path / "chunks"))
    with ResettingProxy(holders[0].bulk_url, after_bytes=1_500_000) as proxy:
        urls = [proxy.url, *(member.bulk_url for member in holders)]
        sources = tuple(Source(url=url, ref="chunk/" + digest.hex()) for url in urls)
        piece = Piece(sources=sources[:1], offset=0, length=len(content), digest=digest)
        with pytest.raises(WorldError, match="is gone; another source must do"):
            fetcher.pieces([piece], tmp_path / "alone")
        piece = Piece(sources=sources, offset=0, length=len(content), digest=digest)
        (extent,) = fetcher.pieces([piece], tmp_path / "pulled")
        assert proxy.resets == 2
    assert Path(extent.path).read_bytes()[extent.offset :][: extent.length] == content


# --- 5 and 6: links that are cut in odd shapes, or come and go ---


@pytest.fixture(scope="module")
def flock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedFlock]:
    found = GatedFlock(tmp_path_factory.mktemp("flock"))
    found.start(0, 0, 0, 0, 0)
    yield found
    found.end()


CUTS = {
    "bridge": {(a, b) for a, b in product(range(5), repeat=2) if {a, b} <= {0, 1, 3, 4} and (a < 2) != (b < 2)},
    "ring of majorities": {(a, b) for a, b in product(range(5), repeat=2) if (a - b) % 5 in (2, 3)},
    "one way": {(0, 1), (0, 2), (0, 3)},
}


def cut_links(peers: list[GatedPeer], pairs: set[tuple[int, int]]) -> None:
    """Cut the link from the first to the second peer of each pair, and lift all other cuts."""
    for number, peer in enumerate(peers):
        to = [LinkRule(url=peers[b].url, direction=Direction.TO, cut=True) for a, b in pairs if a == number]
        of = [LinkRule(url=peers[a].url, direction=Direction.FROM, cut=True) for a, b in pairs if b == number]
        peer.links(*to, *of)


@pytest.mark.parametrize("shape", CUTS)
def test_writes_acknowledged_under_a_partial_cut_are_all_there_after_it(flock: GatedFlock, shape: str) -> None:
    peers = flock.peers
    cut_links(peers, CUTS[shape])
    until(lambda: sum(peer.condition.dropped for peer in peers) > 20)
    writers = [writing([peer.url], f"{shape}-{peer.name}") for peer in peers]
    stories = [each.__enter__() for each in writers]
    try:
        for story in stories:
            story.goes_on()
    finally:
        for each in writers:
            each.__exit__(None, None, None)
    cut_links(peers, set())
    all_see(tuple(peer.url for peer in peers), {peer.name for peer in peers})
    for story, peer in zip(stories, reversed(peers), strict=True):
        with Client(peer.url) as client:
            assert story.is_all_there(client)


def test_flapping_links_lose_no_acknowledged_write_and_kill_nobody(flock: GatedFlock) -> None:
    peers, rng = flock.peers, random.Random(4)
    pairs = [pair for pair in product(range(5), repeat=2) if pair[0] != pair[1]]
    with writing([peer.url for peer in peers], "flapping") as writes:
        for _ in range(20):
            cut_links(peers, set(rng.sample(pairs, 6)))
            writes.goes_on(1)
        cut_links(peers, set())
    all_see(tuple(peer.url for peer in peers), {peer.name for peer in peers})
    with Client(peers[0].url) as client:
        assert writes.is_all_there(client)


# --- 31: coming and going ---


def test_storm_of_joins_leaves_and_deaths_ends_in_one_view_and_loses_nothing(flock: GatedFlock, tmp_path: Path) -> None:
    stayers = flock.peers
    urls = [peer.url for peer in stayers]
    with writing(urls, "storm") as writes:
        for number in range(3):
            comers = [GatedPeer(tmp_path, f"comer-{number}-{each}", [urls[each]], 0) for each in range(2)]
            writes.goes_on(3)
            comers[0].end()
            comers[1].process.kill()
            comers[1].end()
        writes.goes_on()
    all_see(tuple(urls), {peer.name for peer in stayers})
    with Client(urls[2]) as client:
        remove_dead_homes(client)
        assert writes.is_all_there(client)


def remove_dead_homes(client: Client) -> None:
    """Take out those that died as homes: two of them for one key would leave it without a quorum."""
    for view in client.peers():
        if view.liveness is Liveness.DEAD and view.standing is Standing.VALID:
            client.moves().remove(view, Silence(), 0, force=False)


def test_peer_whose_first_contact_is_down_joins_by_the_next_or_when_it_comes_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        address = f"tcp://127.0.0.1:{reserved.getsockname()[1]}"
    early = GatedPeer(tmp_path, "early", [address], 0)
    second = GatedPeer(tmp_path, "second", [address, early.url], 0)
    peers = [early, second]
    try:
        until(lambda: seen_alive(second.url) == {"early", "second"})
        peers.append(GatedPeer(tmp_path, "late", [], 0, listen=address))
        all_see((early.url, second.url, address), {"early", "second", "late"})
    finally:
        for peer in peers:
            peer.end()


@pytest.mark.parametrize("peers", [2, 3])
def test_copied_directory_at_another_address_takes_the_place_of_its_peer_which_ends_with_one_line(
    tmp_path: Path, peers: int
) -> None:
    flock = GatedFlock(tmp_path)
    try:
        first, second, *others = flock.start(*(0,) * peers)
        shutil.copytree(tmp_path / "peer-2", tmp_path / "copy" / "peer-2")
        copy = GatedPeer(tmp_path / "copy", "peer-2", [first.url], 0)
        flock.peers.append(copy)
        assert second.process.wait(20.0) == 1
        *_, line = second.log.read_text(encoding="utf-8").splitlines()
        assert line.startswith("murmur: another process uses the identity of this one")
        assert copy.url in line
        for peer in (first, copy, *others):
            until(lambda peer=peer: copy.url in {view.member.url for view in views(peer)})
        with Client(first.url) as client:
            client.kv.put(b"other", b"v", quorum=Quorum(replicas=peers, writes_required=peers, strict=True))
    finally:
        flock.end()


def views(peer: GatedPeer) -> tuple:
    with Client(peer.url) as client:
        return client.peers()
