"""A job that is not to outlive its client is killed once a majority of its electorate has missed that for long."""

import pytest
from scheduling_cluster import JOB, Cluster, job_record

from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState

PATIENCE_S = 4.0


def watched(cluster: Cluster, at: int, seconds: float) -> None:
    """Ask one peer for the job's status, once a second, for so long."""
    end, question = cluster.now + seconds, 0
    while cluster.now < end:
        cluster.do(cluster.peers[at], ev.StatusRequested(request=f"{question}", job=JOB, seen=-1, patience_s=0.1))
        question += 1
        cluster.run_for(1.0)


def begun(peers: int = 5, *, patience_s: float = PATIENCE_S, task_s: float = 100.0) -> Cluster:
    cluster = Cluster(peers, task_s=task_s)
    cluster.submit(job_record(20, 0, client_patience_s=patience_s))
    cluster.run_until(lambda: all(cluster.job(peer) is not None for peer in cluster.peers))
    return cluster


def states(cluster: Cluster) -> set[JobState]:
    return {job.state for peer in cluster.machines if (job := cluster.job(peer)) is not None}


@pytest.mark.parametrize("peers", [1, 2, 5])
def test_job_is_killed_when_nobody_has_watched_it_for_so_long(peers: int) -> None:
    cluster = begun(peers)
    cluster.run_for(PATIENCE_S - 1.0)
    assert JobState.KILLED not in states(cluster)
    cluster.run_for(3.0)
    assert states(cluster) == {JobState.KILLED}
    told = [event.text for peer in cluster.peers for event in cluster.job(peer).events]
    assert "killed: no client has watched it for 4 s" in told


@pytest.mark.parametrize("at", range(5))
def test_job_goes_on_as_long_as_a_client_watches_it_at_whatever_peer(at: int) -> None:
    cluster = begun()
    watched(cluster, at, 5 * PATIENCE_S)
    assert states(cluster) == {JobState.RUNNING_MAP}
    cluster.run_for(PATIENCE_S + 2.0)
    assert states(cluster) == {JobState.KILLED}


def test_job_outlives_its_client_unless_it_is_told_not_to() -> None:
    cluster = begun(patience_s=0.0)
    cluster.run_for(60.0)
    assert states(cluster) == {JobState.RUNNING_MAP}


def test_successor_of_a_tracker_gives_the_client_its_time() -> None:
    cluster = begun()
    watched(cluster, 1, 2 * PATIENCE_S)
    tracker = cluster.job(cluster.peers[1]).tracker
    cluster.kill(tracker)
    watched(cluster, 1 if tracker != cluster.peers[1] else 2, 3 * PATIENCE_S)
    assert states(cluster) == {JobState.RUNNING_MAP}


def test_tracker_that_is_cut_off_kills_nothing_although_it_hears_of_no_client() -> None:
    cluster = begun()
    watched(cluster, 1, 1.0)
    tracker = cluster.job(cluster.peers[1]).tracker
    cluster.cut_off = {tracker}  # and nobody suspects that
    watched(cluster, at := 1 if tracker != cluster.peers[1] else 2, 4 * PATIENCE_S)
    assert not cluster.job(tracker).killed
    cluster.cut_off = set()
    watched(cluster, at, PATIENCE_S)
    assert states(cluster) == {JobState.RUNNING_MAP}


def test_voter_that_has_slept_does_not_miss_the_client() -> None:
    cluster = begun()
    watched(cluster, 1, 2.0)
    cluster.stand_still(10 * PATIENCE_S)
    cluster.run_for(1.0)
    watched(cluster, 1, PATIENCE_S)
    assert states(cluster) == {JobState.RUNNING_MAP}
