"""What became of jobs is known after all peers were killed, and of jobs that are removed nothing is kept."""

import json
from pathlib import Path

import pytest
from gated_peers import until
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.client.jobs.failures import JobKilled
from murmuration.ring.facts import Liveness

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

COUNTS = (
    "def map(number, line):\n    print('seen', line)\n    for word in line.split():\n        yield word, 1\n"
    "reduce = 'sum'\n"
)
FAILS = "def map(number, line):\n    raise ValueError(line)\n"
HANGS = "import time\ndef map(number, line):\n    time.sleep(1000)\n"

TOLD = ("id", "name", "state", "counters", "error", "records", "bytes", "elapsed_s", "attempts")


def listed(capture: pytest.CaptureFixture[bytes], *words: str) -> list[dict]:
    assert run_command([*words, "--json"]) == 0
    return json.loads(capture.readouterr().out)


def kept_of(cluster: LocalCluster, job: str) -> list[Path]:
    return [path for kind in ("runs", "parts", "logs") for path in cluster.directory.glob(f"*/{kind}/{job}")]


def test_history_outlives_all_peers_and_what_is_removed_from_it_is_gone(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with LocalCluster(peers=3, workers=1) as cluster:
        with Client(cluster) as client:
            stage = SoundCluster(tmp_path, cluster, client)
            done = stage.submit(COUNTS, "one two\ntwo\n", splits=2, output="ring:/counts", name="counts")
            done.wait(PATIENCE_S)
            failed = stage.failure(FAILS, "bad\n", name="fails")
            killed = stage.submit(HANGS, "one\n", name="hangs")
            peer = ["--peer", cluster.urls[0]]
            assert run_command(["jobs", "rm", killed.id, *peer]) == 2
            assert b"murmur kill" in capfdbinary.readouterr().err
            killed.kill()
            with pytest.raises(JobKilled):
                killed.wait(PATIENCE_S)
            before = {job["id"]: {key: job[key] for key in TOLD} for job in listed(capfdbinary, "jobs", *peer)}
        assert [before[job]["state"] for job in (done.id, failed.job, killed.id)] == ["done", "failed", "killed"]

        for name in ("peer-1", "peer-2", "peer-3"):
            cluster.kill(name)
        for name in ("peer-1", "peer-2", "peer-3"):
            cluster.restart(name)
        peer = ["--peer", cluster.urls[0]]
        after = {job["id"]: {key: job[key] for key in TOLD} for job in listed(capfdbinary, "jobs", *peer)}
        assert after == before
        assert run_command(["status", "fails", *peer]) == 0
        assert b"ValueError" in capfdbinary.readouterr().out
        with Client(cluster.urls[0]) as client:
            until(lambda: all(view.liveness is Liveness.ALIVE for view in client.peers()), PATIENCE_S)
        assert run_command(["logs", done.id, *peer]) == 0
        assert b"seen two" in capfdbinary.readouterr().out

        assert kept_of(cluster, done.id)
        assert [job["id"] for job in listed(capfdbinary, "jobs", "rm", "counts", "--dry-run", *peer)] == [done.id]
        (gone,) = listed(capfdbinary, "jobs", "rm", "counts", *peer)
        assert (gone["id"], gone["silent"]) == (done.id, [])
        assert {job["id"] for job in listed(capfdbinary, "jobs", *peer)} == {failed.job, killed.id}
        assert kept_of(cluster, done.id) == []
        assert run_command(["fs", "ls", "ring:/counts", *peer]) == 0
        assert b"part-r-00000" in capfdbinary.readouterr().out
        assert {job["id"] for job in listed(capfdbinary, "jobs", "rm", "--older-than", "0s", *peer)} == {
            failed.job,
            killed.id,
        }
        assert listed(capfdbinary, "jobs", *peer) == []
