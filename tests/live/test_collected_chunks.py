"""Disks do not fill: what nobody names is removed by real peers a grace later, and what anybody names is not."""

import json
from pathlib import Path

import pytest
from gated_peers import until
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

COUNTS = "def map(number, line):\n    for word in line.split():\n        yield word, 1\nreduce = 'sum'\n"
GRACE_S = 1.0


def chunk_files(cluster: LocalCluster) -> set[Path]:
    return set(cluster.directory.glob("*/chunks/[0-9a-f][0-9a-f]/*"))


def collected(client: Client) -> int:
    """Collect until nothing waits any more; give how many copies went."""
    removed = 0

    def is_done() -> bool:
        nonlocal removed
        found = client.fs.gc(grace_s=GRACE_S)
        assert not any(each.refused or each.failed for each in found), found
        removed += sum(each.removed for each in found)
        return not any(each.waiting for each in found)

    until(is_done, 60.0)
    return removed


def test_what_is_removed_or_replaced_gives_its_room_back_and_what_is_named_stays(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(b"one two\ntwo\n" * 1000)
    other = tmp_path / "other.txt"
    other.write_bytes(b"three\n" * 1000)
    with LocalCluster(peers=3, workers=1) as cluster, Client(cluster) as client:
        client.fs.put(text, "ring:/stays.txt")
        named = chunk_files(cluster)
        client.fs.put(text, "ring:/same.txt")
        client.fs.put(other, "ring:/goes.txt")
        assert len(chunk_files(cluster)) == 6
        client.fs.rm("ring:/goes.txt")
        client.fs.rm("ring:/same.txt")
        assert run_command(["fs", "gc", "--dry-run", "--json", "--peer", cluster.urls[0]]) == 0
        told = json.loads(capfdbinary.readouterr().out)
        assert [peer["waiting"] for peer in told["peers"]] == [1, 1, 1]
        assert collected(client) == 3
        assert chunk_files(cluster) == named
        assert b"".join(client.fs.cat("ring:/stays.txt")) == text.read_bytes()

        stage = SoundCluster(tmp_path, cluster, client)
        job = stage.submit(COUNTS, "one two\ntwo\n", splits=2, output="ring:/counts", name="counts")
        job.wait(PATIENCE_S)
        collected(client)
        assert b"".join(client.fs.cat("ring:/counts"))
        client.fs.rm("ring:/counts", recursive=True)
        collected(client)
        assert chunk_files(cluster) > named
        assert run_command(["jobs", "rm", job.id, "--peer", cluster.urls[0]]) == 0
        collected(client)
        assert chunk_files(cluster) == named

        client.fs.put(other, "ring:/again.txt")
        assert b"".join(client.fs.cat("ring:/again.txt")) == other.read_bytes()
        cluster.kill("peer-3")
        until(lambda: any(view.liveness is Liveness.DEAD for view in client.peers()), 30.0)
        with pytest.raises(WorldError, match="peer-3 may hold the only copies"):
            client.fs.gc(grace_s=0.0)
        assert run_command(["fs", "gc", "--peer", cluster.urls[0]]) == 1
        assert b"murmur remove" in capfdbinary.readouterr().err
