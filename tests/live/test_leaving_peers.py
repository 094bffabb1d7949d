"""Real peers that leave, are removed, or only stop: what each moves, and what it says."""

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import murmur
from murmuration.ring.errors import CallerError
from murmuration.ring.facts import Liveness, Standing
from murmuration.ring.terms import Quorum

KEYS = [b"key%d" % number for number in range(40)]
ALL = Quorum(replicas=3, reads_required=3, writes_required=3, strict=True)


def ended(cluster: LocalCluster, name: str) -> int:
    return cluster._peers[name].process.wait(20.0)


def standing(client: Client, name: str) -> Standing:
    return next(view.standing for view in client.peers() if view.member.name == name)


@pytest.fixture
def filled(tmp_path: Path) -> "tuple[LocalCluster, Client]":
    with LocalCluster(4, workers=0, directory=tmp_path) as cluster, Client(cluster.urls) as client:
        for key in KEYS:
            client.kv.put(key, key * 2, quorum=ALL)
        yield cluster, client


def all_are_there(client: Client) -> bool:
    return all(client.kv.get(key, quorum=ALL).values == (key * 2,) for key in KEYS)


def test_peer_that_is_told_to_leave_hands_over_and_ends_by_itself(filled: tuple[LocalCluster, Client]) -> None:
    cluster, client = filled
    moves = client.moves()
    gone = moves.find("peer-2")
    plan = moves.plan(gone, by_removal=False)
    assert plan.vnodes > 0
    runner = CliRunner()
    words = ["leave", "peer-2", "--json", "--peer", cluster.urls[0]]
    foretold = runner.invoke(murmur, [*words, "--dry-run"])
    assert json.loads(foretold.stdout)["vnodes"] == plan.vnodes
    assert standing(client, "peer-2") is Standing.VALID
    done = runner.invoke(murmur, words)
    assert json.loads(done.stdout)["dry_run"] is False, done.output
    assert ended(cluster, "peer-2") == 0
    assert standing(client, "peer-2") is Standing.REMOVED
    assert all_are_there(client)


def test_terminated_peer_leaves_and_an_interrupted_one_keeps_its_place(filled: tuple[LocalCluster, Client]) -> None:
    cluster, client = filled
    cluster.kill("peer-3", signal.SIGINT)
    assert ended(cluster, "peer-3") == 0
    view = next(view for view in client.peers() if view.member.name == "peer-3")
    assert (view.liveness, view.standing) == (Liveness.LEFT, Standing.VALID)
    cluster.restart("peer-3")
    cluster._await_acquaintance()
    cluster.kill("peer-3", signal.SIGTERM)
    assert ended(cluster, "peer-3") == 0
    assert standing(client, "peer-3") is Standing.REMOVED
    assert all_are_there(client)


def test_removed_peer_is_refused_and_says_why(filled: tuple[LocalCluster, Client]) -> None:
    cluster, client = filled
    moves = client.moves()
    with pytest.raises(CallerError, match="lives"):
        moves.remove(moves.find("peer-2"), force=False)
    with pytest.raises(CallerError, match="did you mean peer-"):
        moves.find("peer-22")
    moves.remove(moves.find("peer-2"), force=True)
    assert ended(cluster, "peer-2") == 1
    said = cluster._peers["peer-2"].log.read_text()
    assert "was removed from its cluster" in said.splitlines()[-1]


def test_last_peer_that_is_terminated_stops_and_keeps_its_place(tmp_path: Path) -> None:
    with LocalCluster(1, workers=0, directory=tmp_path) as cluster:
        with Client(cluster.urls) as client:
            client.kv.put(b"key", b"value")
        cluster.kill("peer-1", signal.SIGTERM)
        assert ended(cluster, "peer-1") == 0
        cluster.restart("peer-1")
        with Client(cluster.urls) as client:
            assert client.kv.get(b"key").values == (b"value",)
