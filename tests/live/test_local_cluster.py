"""A local cluster: its peers find each other, end with it, and say why when they cannot start."""

import os
import signal
from pathlib import Path

import pytest

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.ring.errors import CallerError, WorldError
from murmuration.ring.facts import Liveness

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_cluster_is_whole_when_it_is_ready_and_gone_when_it_is_left() -> None:
    with LocalCluster(peers=3, workers=1) as cluster:
        pids, directory = list(cluster.processes.values()), cluster.directory
        assert len(set(cluster.urls)) == 3
        for url in cluster.urls:
            with Client(url) as client:
                views = client.peers()
            assert {view.member.name for view in views} == {"peer-1", "peer-2", "peer-3"}
            assert {view.liveness for view in views} == {Liveness.ALIVE}
    assert not any(map(lives, pids))
    assert not directory.exists()


def test_cluster_in_a_given_directory_keeps_its_data(tmp_path: Path) -> None:
    with LocalCluster(directory=tmp_path, names=("one",)) as cluster, Client(cluster) as client:
        client.kv.put(b"k", b"v")
    with LocalCluster(directory=tmp_path, names=("one",)) as cluster, Client(cluster) as client:
        assert client.kv.get(b"k").value == b"v"


def test_peer_killed_and_started_again_is_reached() -> None:
    with LocalCluster(peers=2, workers=1) as cluster:
        cluster.kill("peer-1")
        assert cluster.running() == ["peer-2"]
        with pytest.raises(CallerError, match="no peer peer-9"):
            cluster.kill("peer-9")
        cluster.restart("peer-1")
        with Client(cluster) as client:
            assert client.hello().member.name == "peer-1"


def test_frozen_peer_does_not_hold_up_the_end() -> None:
    with LocalCluster(peers=1, workers=1) as cluster:
        cluster.kill("peer-1", signal.SIGSTOP)
        pids = list(cluster.processes.values())
    assert not any(map(lives, pids))


def test_peer_that_cannot_start_is_quoted() -> None:
    with pytest.raises(WorldError, match=r"peer peer-1 ended with 2; it said:\n(.|\n)*--no-such-option"):
        LocalCluster(options=("--no-such-option",))
