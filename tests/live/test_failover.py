"""Kill real processes with SIGKILL in the middle of real jobs: the answer is that of a sequential run."""

from collections import Counter
from pathlib import Path

import pytest

import murmuration as mm

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SLOW_WORDS = """
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


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    lines = (f"line {number} of a text with {number % 7} and {number % 11} words\n" for number in range(20_000))
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "words.py"
    path.write_text(SLOW_WORDS, encoding="utf-8")
    return path


def half_done(job: mm.Job) -> None:
    """Wait until some splits are done and some are not."""
    for status in job.watch():
        if 0 < status.map_states.count(5) < len(status.map_states):
            return
        assert not status.state.ended, "the job was over before anything could be killed"


def test_job_whose_tracker_and_another_peer_are_killed_gives_the_sequential_answer(text: Path, program: Path) -> None:
    with mm.LocalCluster(peers=5, workers=1) as cluster, mm.Client(cluster) as client:
        client.fs.put(str(text), "ring:/text")
        split_size = text.stat().st_size // 40
        job = client.submit(str(program), "ring:/text", output="ring:/counts", reducers=2, split_size=split_size)
        half_done(job)
        tracker = job.status.tracker
        bystander = next(name for name in cluster.running() if name != tracker)
        cluster.kill(tracker)
        cluster.kill(bystander)
        job.wait(timeout=60)
        assert {word: int(number) for word, number in job.results()} == Counter(text.read_text().split())
        assert job.status.tracker not in (tracker, bystander)
        assert job.status.epoch >= 2


def test_job_on_the_clients_own_files_survives_its_trackers_death(text: Path, program: Path, tmp_path: Path) -> None:
    output = tmp_path / "counts"
    with mm.LocalCluster(peers=3, workers=1) as cluster, mm.Client(cluster) as client:
        split_size = text.stat().st_size // 30
        job = client.submit(str(program), str(text), output=str(output), reducers=2, split_size=split_size)
        half_done(job)
        cluster.kill(job.status.tracker)
        job.wait(timeout=60)
        job.result()
    lines = [line.split("\t") for part in sorted(output.glob("part-r-*")) for line in part.read_text().splitlines()]
    assert {word: int(number) for word, number in lines} == Counter(text.read_text().split())


def test_acknowledged_keys_survive_the_kill_and_restart_of_all_peers() -> None:
    with mm.LocalCluster(peers=3, workers=0) as cluster:
        with mm.Client(cluster) as client:
            for number in range(20):
                client.kv.put(f"key-{number}".encode(), str(number).encode())
        for name in cluster.running():
            cluster.kill(name)
        for name in list(cluster.processes):
            cluster.restart(name)
        with mm.Client(cluster) as client:
            values = [client.kv.get(f"key-{number}".encode()).value for number in range(20)]
    assert values == [str(number).encode() for number in range(20)]
