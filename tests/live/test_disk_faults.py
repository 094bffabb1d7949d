"""Disks of real peers that spoil, vanish, grow old or change hands: wrong bytes are never served, nothing is lost."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from gated_peers import until

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.job import Job
from murmuration.client.progress import Silence
from murmuration.node.storage.checksums import unseal
from murmuration.puppetmaster.faults import Damage
from murmuration.puppetmaster.masters.directories import Directories
from murmuration.puppetmaster.masters.spoiling import spoil
from murmuration.ring.errors import Corrupt, WorldError
from murmuration.ring.facts import Liveness
from murmuration.ring.terms import Quorum
from murmuration.scheduling.status import TaskState

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("disk-faults")]

VICTIM = "peer-2"
ALL_COPIES = Quorum(replicas=3, writes_required=3, strict=True)
OWN_COPY = Quorum(replicas=3, reads_required=1)
TEXT = "".join(f"line {number} of a text with {number % 7} and {number % 11} words\n" for number in range(5000))
COUNTS = Counter(TEXT.split())

WORDS = """
import time
from murmuration import Mapper

class Words(Mapper):
    def setup(self):
        time.sleep(0.05)

    def map(self, key, value):
        for word in value.split():
            yield word, 1

reducer = "sum"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(peers=3, workers=1, directory=tmp_path_factory.mktemp("peers")) as found:
        yield found


@pytest.fixture
def directories(cluster: LocalCluster) -> Directories:
    return Directories(cluster.directory)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "words.py"
    path.write_text(WORDS, encoding="utf-8")
    return str(path)


def url_of(cluster: LocalCluster, name: str) -> str:
    return cluster.urls[list(cluster.processes).index(name)]


def restart(cluster: LocalCluster, name: str = VICTIM) -> None:
    """Start a dead peer again, and wait until all see each other."""
    cluster.restart(name)
    for url in cluster.urls:
        with Client(url) as client:
            until(lambda client=client: alive(client) >= set(cluster.processes))


def alive(client: Client) -> set[str]:
    return {view.member.name for view in client.peers() if view.liveness is Liveness.ALIVE}


def counted(job: Job) -> Counter[str]:
    return Counter({word: int(number) for word, number in job.results()})


def values_for(kind: str) -> dict[bytes, bytes]:
    """Draw values that lie in rows, and some that are files of their own."""
    sizes = [10] * 20 + [100_000] * 4
    return {f"{kind}-{number}".encode(): random.Random(number).randbytes(size) for number, size in enumerate(sizes)}


def write(client: Client, values: dict[bytes, bytes]) -> None:
    for key, value in values.items():
        client.kv.put(key, value, quorum=ALL_COPIES)


# --- 15: what spoils while a peer is away ---


@pytest.mark.parametrize("damage", Damage)
def test_spoilt_values_are_never_served_nor_missed_and_are_mended_from_replicas(
    cluster: LocalCluster, damage: Damage
) -> None:
    values = values_for(damage.name)
    with Client(cluster) as client:
        write(client, values)
    cluster.kill(VICTIM)
    assert spoil(cluster.directory / VICTIM, damage, 1.0, random.Random(1)).count >= len(values)
    restart(cluster)
    with Client(url_of(cluster, VICTIM)) as client:
        assert {key: client.kv.get(key, quorum=OWN_COPY).values for key in values} == one_each(values)
        until(lambda: sound_copies(cluster.directory / VICTIM, values) == len(values))


def one_each(values: dict[bytes, bytes]) -> dict[bytes, tuple[bytes, ...]]:
    return {key: (value,) for key, value in values.items()}


def sound_copies(directory: Path, keys: Iterable[bytes]) -> int:
    """Count the keys whose copy on the disk of a running peer is what was written."""
    rows = f"file:{directory / 'store' / 'cache.db'}?mode=ro"
    with closing(sqlite3.connect(rows, uri=True)) as connection:
        return sum(is_sound(connection, directory / "store", b"v/" + key) for key in keys)


def is_sound(connection: sqlite3.Connection, store: Path, key: bytes) -> bool:
    (name, value) = connection.execute("SELECT filename, value FROM Cache WHERE key = ?", (key,)).fetchone()
    try:
        unseal(key, value if name is None else (store / name).read_bytes())
    except (Corrupt, FileNotFoundError):
        return False
    return True


def test_value_spoilt_at_all_its_homes_is_reported_and_not_called_absent(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        for key in (b"lost everywhere", b"lost and written", b"lost and deleted"):
            client.kv.put(key, b"v", quorum=ALL_COPIES)
    names = cluster.running()
    for name in names:
        cluster.kill(name)
        spoil(cluster.directory / name, Damage.FLIPPED, 1.0, random.Random(2))
    for name in names:
        cluster.restart(name)
    with Client(cluster) as client:
        with pytest.raises(Corrupt, match=r"unreadable copy.*corrupt"):
            client.kv.get(b"lost everywhere")
        assert client.kv.put(b"lost and written", b"new").replaced_corrupt
        assert client.kv.get(b"lost and written").value == b"new"
        assert client.kv.delete(b"lost and deleted").replaced_corrupt
        assert client.kv.get(b"lost and deleted").values == ()


@pytest.mark.parametrize("damage", Damage)
def test_job_on_spoilt_chunks_gives_the_sequential_answer(
    cluster: LocalCluster, damage: Damage, text: Path, program: str, tmp_path: Path
) -> None:
    path = f"ring:/text-{damage.name}"
    text.write_text(f"{damage.name}\n{TEXT}", encoding="utf-8")
    with Client(cluster) as client:
        client.fs.put(str(text), path, chunk_size=16_000)
    cluster.kill(VICTIM)
    spoil(cluster.directory / VICTIM, damage, 1.0, random.Random(3))
    restart(cluster)
    with Client(url_of(cluster, VICTIM)) as client:
        assert b"".join(client.fs.cat(path)) == text.read_bytes()
        job = client.submit(program, path, output=f"ring:/counts-{damage.name}", reducers=2, split_size=16_000)
        job.wait(timeout=30)
        assert counted(job) == COUNTS + Counter([damage.name])


def test_runs_that_spoil_in_the_middle_of_a_job_are_made_again(cluster: LocalCluster, text: Path, program: str) -> None:
    with Client(url_of(cluster, "peer-1")) as client:
        client.fs.put(str(text), "ring:/runs")
        Path(program).write_text(WORDS.replace("0.05", "0.5"), encoding="utf-8")
        job = client.submit(program, "ring:/runs", output="ring:/runs-counted", reducers=2, split_size=8_000)
        until(lambda: max(runs_at(cluster, job).values()) >= 2)
        runs = runs_at(cluster, job)
        victim = max(runs, key=lambda name: runs[name])  # whoever began early: under load another may get no split
        cluster.kill(victim)
        assert TaskState.DONE in job.status.map_states
        assert not job.status.state.ended
        spoil(cluster.directory / victim, Damage.FLIPPED, 1.0, random.Random(4))
        restart(cluster, victim)
        job.wait(timeout=40)
        assert counted(job) == COUNTS


def runs_at(cluster: LocalCluster, job: Job) -> dict[str, int]:
    """Count the runs of a job at the peers, but for the one that is asked about it."""
    names = [name for name in cluster.processes if name != "peer-1"]
    return {name: len(list((cluster.directory / name / "runs" / job.id).glob("*"))) for name in names}


# --- 14: a disk that answers with an error ---


def test_files_that_cannot_be_read_are_read_elsewhere(cluster: LocalCluster, text: Path, program: str) -> None:
    """A directory in the place of a file fails every read with an error of the system, whoever reads."""
    values = values_for("unreadable")
    text.write_text(f"unreadable\n{TEXT}", encoding="utf-8")
    with Client(cluster) as client:
        write(client, values)
        client.fs.put(str(text), "ring:/unreadable", chunk_size=16_000)
    kept = cluster.directory / VICTIM
    for file in [*kept.glob("store/??/??/*.val"), *kept.glob("chunks/[0-9a-f][0-9a-f]/*")]:
        make_unreadable(file)
    with Client(url_of(cluster, VICTIM)) as client:
        assert {key: client.kv.get(key, quorum=OWN_COPY).values for key in values} == one_each(values)
        assert b"".join(client.fs.cat("ring:/unreadable")) == text.read_bytes()
        job = client.submit(
            program, "ring:/unreadable", output="ring:/unreadable-counted", reducers=1, split_size=16_000
        )
        job.wait(timeout=30)
        assert counted(job) == COUNTS + Counter(["unreadable"])
        for key, value in values.items():
            client.kv.put(key, value, context=client.kv.get(key).context)
        assert {key: client.kv.get(key).values for key in values} == one_each(values)


def make_unreadable(file: Path) -> None:
    """Put a directory in the place of a file; the peer may bring the file back in between."""
    while not file.is_dir():
        file.unlink(missing_ok=True)
        with suppress(FileExistsError):
            file.mkdir()


# --- 18, 19 and 17: a disk that is old, another peer's, or empty ---


def test_peer_that_comes_back_with_an_old_disk_forgets_no_acknowledged_key_and_uses_no_dot_again(
    cluster: LocalCluster, directories: Directories
) -> None:
    cluster.kill(VICTIM)
    directories.copy(VICTIM)
    restart(cluster)
    keys = [b"old-%d" % number for number in range(8)]
    deleted = keys[-1]
    with Client(url_of(cluster, VICTIM)) as client:
        for key in keys:
            client.kv.put(key, b"before")
        client.kv.delete(deleted)
        before = client.moves().find(VICTIM)
    cluster.kill(VICTIM)
    directories.put_back(VICTIM)
    cluster.restart(VICTIM)
    until(lambda: VICTIM not in cluster.running())  # its disk is set aside, and the next start is a new peer's
    restart(cluster)
    with Client(url_of(cluster, VICTIM)) as client:
        for key in keys:
            client.kv.put(key, b"after")
        for url in cluster.urls:
            with Client(url) as reader:
                found = {key: sorted(reader.kv.get(key).values) for key in keys}
            assert found == {key: [b"after", b"before"] for key in keys} | {deleted: [b"after"]}
    with Client(url_of(cluster, "peer-1")) as client:
        client.moves().remove(client.moves().find(before.member.id), Silence(), 0, force=False)


def test_peers_with_each_others_disks_do_not_start_and_say_whose_they_are(
    cluster: LocalCluster, directories: Directories
) -> None:
    for name in ("peer-2", "peer-3"):
        cluster.kill(name)
    directories.swap("peer-2", "peer-3")
    for name, other in (("peer-2", "peer-3"), ("peer-3", "peer-2")):
        with pytest.raises(WorldError, match=f"belongs to peer {other}, not to {name}"):
            cluster.restart(name)
    directories.swap("peer-2", "peer-3")
    cluster.restart("peer-2")
    restart(cluster, "peer-3")


def test_peer_that_comes_back_with_an_empty_disk_costs_no_acknowledged_key(
    cluster: LocalCluster, directories: Directories
) -> None:
    """The last test here: its new peer is a member beside the old one, which stays known and dead."""
    values = values_for("empty")
    with Client(cluster) as client:
        write(client, values)
    cluster.kill(VICTIM)
    directories.empty(VICTIM)
    restart(cluster)
    with Client(url_of(cluster, VICTIM)) as client:
        assert {key: client.kv.get(key).values for key in values} == one_each(values)
