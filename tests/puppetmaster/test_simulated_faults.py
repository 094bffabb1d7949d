"""Scripts with every fault play on the simulated stage, where what a live stage refuses is refused as well."""

import pytest

from murmuration.node.wire.replies import PeersShown
from murmuration.node.wire.requests import ListPeers
from murmuration.puppetmaster.language.script import parse_script
from murmuration.puppetmaster.simulation.stage import Stage
from murmuration.ring.facts import Standing
from murmuration.scheduling.status import Condition

WORKERS = "".join(
    f"WORKER {number} tcp://localhost:20001/PM tcp://localhost:3000{number}/W tcp://localhost:30001/W\n"
    for number in range(1, 5)
)
JOB = "SUBMIT tcp://localhost:30001/W lines.txt out 20 NapMapper\n"
ENDING = "JOIN-JOBS\nHEAL\nJOIN\nASSERT JOB 1 done\nASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL\nASSERT ALIVE = 4\n"


def play(text: str) -> Stage:
    script = parse_script(f"{WORKERS}JOIN\n{text}".encode())
    assert script.problems == ()
    stage = Stage(script, seed=1)
    stage.play()
    return stage


def violations(stage: Stage) -> list[str]:
    return [line.partition("VIOLATED ")[2] for line in stage.transcript if "VIOLATED" in line]


@pytest.mark.parametrize(
    "words",
    [
        "AT 20% of JOB 1 CLOCK @tracker -1h",
        "DUPLICATE 1|* 50%\nREORDER 1|* 200ms",
        "BANDWIDTH 1|2 20KB",
        "AT 20% of JOB 1 DISK 3 broken\nAT 60% of JOB 1 DISK 3 ok",
        "AT 20% of JOB 1 FREEZEC @tracker\nJOIN-JOBS\nUNFREEZEC 1",
        "WAIT 1\nKILL 3\nSPOIL 3 flipped\nRESTART 3",
        "WAIT 1\nKILL 3\nSNAPSHOT 3\nSPOIL 3 missing\nRESTART 3 old",
        "WAIT 1\nKILL 3\nREMOVE 3\nRESTART 3 empty",
        "WAIT 1\nKILL 3\nKILL 4\nSWAP 3 4\nSWAP 4 3\nRESTART 3\nRESTART 4",
    ],
)
def test_job_bears_each_fault_that_a_script_can_name(words: str) -> None:
    stage = play(f"{JOB}{words}\n{ENDING}")
    assert stage.held, "\n".join(stage.transcript)


def test_join_ends_only_when_all_have_joined_in_the_eyes_of_all() -> None:
    """Else the job that is submitted next has fewer voters than the cluster has peers, and survives fewer deaths."""
    late = WORKERS.replace("WORKER ", "WORKER 1").replace(":3000", ":3001")
    cluster = play(f"{JOB}{late}JOIN\n").cluster
    tables = [process.node.ring.members for process in cluster.running.values()]
    assert [len(table) for table in tables] == [8] * 8
    assert {held.standing for table in tables for held in table.values()} == {Standing.VALID}


def conditions(stage: Stage, peer: str) -> dict[str, Condition]:
    """Ask a peer how the others are."""
    cluster = stage.cluster
    request = cluster.ask(peer, ListPeers())
    assert cluster.run_until(lambda: request in cluster.replies, cluster.timeline.now + 5)
    shown = cluster.replies[request]
    assert isinstance(shown, PeersShown)
    return {view.member.name: view.condition for view in shown.peers}


def test_frozen_killed_and_cut_off_peers_are_told_apart_and_well_when_they_are_back() -> None:
    stage = play("FREEZEW 2\nKILL 3\nCUT 1,2,3|4\nWAIT 20\n")
    silent = {"1": Condition.WELL, "2": Condition.FROZEN, "3": Condition.GONE, "4": Condition.UNREACHABLE}
    assert conditions(stage, "1") == silent
    back = play("FREEZEW 2\nKILL 3\nCUT 1,2,3|4\nWAIT 20\nHEAL\nUNFREEZEW 2\nRESTART 3\nJOIN\n")
    assert set(conditions(back, "1").values()) == {Condition.WELL}


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("SPOIL 3 torn", "3 runs"),
        ("SNAPSHOT 3", "3 runs"),
        ("REMOVE 3", "3 lives: only a dead peer is removed"),
        ("SWAP 2 3", "2 lives and has its files open"),
        ("KILL 2\nSWAP 2 3", "3 lives and has its files open"),
        ("KILL 2\nRESTART 2 old", "there is no old directory of 2"),
        ("KILL 2\nKILL 3\nSWAP 2 3\nRESTART 2", "2 does not start: its directory belongs to 3"),
    ],
)
def test_what_a_live_stage_refuses_fails_the_scenario(words: str, refusal: str) -> None:
    stage = play(words + "\n")
    assert violations(stage) == [refusal]
    assert not stage.held


def test_spoiling_damages_what_a_frozen_peer_keeps() -> None:
    stage = play("FREEZEW 3\nSPOIL 3 flipped\n")
    assert stage.cluster.disks["3"].damaged


def test_swapped_disks_are_those_of_the_others_until_they_are_swapped_back() -> None:
    stage = play("KILL 2\nKILL 3\nSWAP 2 3\n")
    swapped = stage.cluster.disks["2"], stage.cluster.disks["3"]
    again = play("KILL 2\nKILL 3\nSWAP 2 3\nSWAP 2 3\nRESTART 2\nRESTART 3\nJOIN\nASSERT ALIVE = 4\n")
    assert again.held
    assert swapped[0] is not swapped[1]
