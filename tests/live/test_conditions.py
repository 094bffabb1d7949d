"""Peers that were stopped, killed or are slow are told apart by the others, and by the command line."""

import json
import os
import signal
from collections.abc import Iterator

import pytest
from gated_peers import until

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.scheduling.status import Condition

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

PATIENCE_S = 60.0


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(peers=4, workers=1) as found:
        yield found


def test_stopped_and_killed_peers_are_told_apart_and_a_thawed_one_is_well(
    cluster: LocalCluster, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with Client(cluster.urls[0]) as client:

        def conditions() -> dict[str, Condition]:
            return {view.member.name: view.condition for view in client.peers()}

        until(lambda: len(conditions()) == 4 and set(conditions().values()) == {Condition.WELL}, PATIENCE_S)
        os.kill(cluster.processes["peer-3"], signal.SIGSTOP)
        cluster.kill("peer-4")
        expected = {"peer-3": Condition.FROZEN, "peer-4": Condition.GONE}
        until(lambda: expected.items() <= conditions().items(), PATIENCE_S)
        assert {conditions()[name] for name in ("peer-1", "peer-2")} == {Condition.WELL}
        assert run_command(["peers", "--json", "--peer", cluster.urls[0]]) == 0
        shown = {peer["name"]: peer for peer in json.loads(capfdbinary.readouterr().out)}
        assert (shown["peer-3"]["condition"], shown["peer-4"]["condition"]) == ("frozen", "gone")
        assert {shown[name]["state"] for name in expected} <= {"suspect", "dead"}
        os.kill(cluster.processes["peer-3"], signal.SIGCONT)
        until(lambda: conditions()["peer-3"] is Condition.WELL, PATIENCE_S)
