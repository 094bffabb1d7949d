"""Slow attempts are begun once more by idle peers; the first to be done wins, and the status says what that saved."""

from dataclasses import replace

import pytest
from scheduling_cluster import JOB, SETTINGS, Cluster, job_record

from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.status import Condition, JobStatus


def slowed(factor: float, *, steps: int = 20, peers: int = 5, seed: int = 1) -> Cluster:
    """One of several peers is slow, and all tell how far they are."""
    cluster = Cluster(peers, seed, slots=1, task_s=1.0)
    cluster.progress_steps = steps
    cluster.slowed[cluster.peers[-1]] = factor
    return cluster


def finished(cluster: Cluster, splits: int, limit_s: float = 60.0, **spec: bool) -> float:
    """Run a job of maps, and tell how long it took."""
    record = job_record(splits, 0, **spec)
    cluster.submit(record)
    cluster.run_until(cluster.done, limit_s)
    cluster.assert_exact(record)
    return cluster.now


def status(cluster: Cluster, at: int = 0) -> JobStatus:
    cluster.do(cluster.peers[at], ev.StatusRequested(request="status", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["status"]
    assert isinstance(answer, out.JobSeen)
    return answer.status


def test_slow_peer_holds_a_job_up_hardly_longer_than_one_more_task_takes() -> None:
    with_it = finished(slowed(10.0), 20)
    without = finished(slowed(10.0), 20, speculation=False)
    assert with_it < 20 / 4.1 + 2.6
    assert without > 9.0


@pytest.mark.parametrize("steps", [1, 20])
def test_standing_attempt_is_overtaken_whether_it_ever_told_progress_or_not(steps: int) -> None:
    cluster = slowed(1000.0, steps=steps)
    assert finished(cluster, 20) < 10.0
    assert status(cluster).speculation_won == 1


def test_loser_is_stopped_and_the_status_says_what_that_saved() -> None:
    cluster = slowed(10.0)
    finished(cluster, 20)
    shown = status(cluster)
    assert shown.speculative == shown.speculation_won == len(cluster.stopped) >= 1
    assert shown.duplicates == shown.speculative
    assert shown.races_lost == 0
    assert 2.0 < shown.saved_s / shown.speculation_won < 9.0
    assert shown.wasted_s > 0
    assert [status(cluster, peer).saved_s for peer in range(5)] == [shown.saved_s] * 5


def test_first_done_wins_even_if_it_is_the_slow_one() -> None:
    cluster = slowed(3.0)
    cluster.slowed |= dict.fromkeys(cluster.peers[:4], 1.0)
    cluster.submit(job_record(5, 0))
    cluster.run_until(lambda: any(attempt.speculative for *_, attempt in cluster.begun))
    cluster.slowed |= dict.fromkeys(cluster.peers[:4], 100.0)  # too late for who has begun
    cluster.run_until(cluster.done)
    assert set(cluster.finished.values()) == {1}


def test_equal_peers_never_speculate() -> None:
    for seed in range(5):
        cluster = Cluster(5, seed, task_s=0.5)
        finished(cluster, 60)
        assert not any(attempt.speculative for *_, attempt in cluster.begun)


def test_short_tasks_are_not_worth_a_second_attempt() -> None:
    cluster = slowed(5.0)
    cluster.task_s = 0.04
    finished(cluster, 40)
    assert not any(attempt.speculative for *_, attempt in cluster.begun)


def test_speculation_keeps_to_its_share_of_the_splits_and_to_one_attempt_a_task() -> None:
    cluster = Cluster(10, slots=1, task_s=1.0)
    cluster.progress_steps = 20
    cluster.slowed = dict.fromkeys(cluster.peers[:5], 30.0)
    record = job_record(20, 0)
    cluster.submit(record)
    most = 0
    while not cluster.done():
        cluster.step()
        for peer in cluster.machines:
            job = cluster.job(peer)
            most = max(most, len(job.boards[Phase.MAP].speculating) if job else 0)
    assert most == 2
    speculative = [task for *_, task, attempt in cluster.begun if attempt.speculative]
    assert len(speculative) == len(set(speculative))


def test_slow_peer_takes_no_second_attempts() -> None:
    cluster = slowed(4.0)
    cluster.slowed[cluster.peers[3]] = 4.0
    finished(cluster, 60)
    slow = set(cluster.peers[3:])
    assert not [peer for _, peer, *_, attempt in cluster.begun if attempt.speculative and peer in slow]


def test_slow_partition_of_the_reduce_phase_is_begun_once_more() -> None:
    cluster = slowed(20.0)
    record = job_record(5, 10)
    cluster.submit(record)
    cluster.run_until(cluster.done, 30.0)
    cluster.assert_exact(record)
    assert any(phase is Phase.REDUCE and attempt.speculative for *_, phase, _, attempt in cluster.begun)


def test_idle_peers_do_not_jump_at_a_slow_task_together() -> None:
    for seed in range(10):
        cluster = slowed(1000.0, peers=12, seed=seed)
        finished(cluster, 12)
        assert sum(attempt.speculative for *_, attempt in cluster.begun) == 1


def test_slow_peer_is_shown_as_slow_and_the_others_as_well() -> None:
    cluster = slowed(10.0)
    cluster.submit(job_record(40, 0))
    cluster.run_for(4.0)
    shown = {lane.peer: lane.condition for lane in status(cluster).lanes}
    assert shown == {"p0": Condition.WELL, "p1": Condition.WELL, "p2": Condition.WELL, "p3": Condition.WELL} | {
        "p4": Condition.SLOW
    }
    assert cluster.machines[cluster.peers[0]].slow_peers == {cluster.peers[4]}


def test_attempts_are_judged_by_what_is_heard_although_messages_get_lost() -> None:
    cluster = slowed(30.0)
    cluster.loss = 0.2
    assert finished(cluster, 30) < 14.0


def test_setting_of_the_share_bounds_the_speculation() -> None:
    cluster = Cluster(6, slots=1, settings=replace(SETTINGS, speculation_share=0.5), task_s=1.0)
    cluster.slowed = dict.fromkeys(cluster.peers[:3], 50.0)
    finished(cluster, 6)
    assert sum(attempt.speculative for *_, attempt in cluster.begun) == 3


def begun_by_the_slow(cluster: Cluster) -> list[float]:
    return [at for at, peer, *_ in cluster.begun if peer == cluster.peers[-1]]


def test_slow_peer_leaves_the_last_tasks_to_those_who_end_them_sooner() -> None:
    cluster = slowed(5.0)
    assert finished(cluster, 80, speculation=False) <= 80 / 4.2 + 1.5
    assert len(begun_by_the_slow(cluster)) >= 2


def test_slow_peer_takes_the_last_tasks_all_the_same_if_the_others_stand_still() -> None:
    cluster = slowed(5.0)
    cluster.submit(job_record(80, 0, speculation=False))
    cluster.run_until(lambda: (job := cluster.job(cluster.peers[-1])) and 0 < len(job.boards[Phase.MAP].openings) < 12)
    cluster.slowed |= dict.fromkeys(cluster.peers[:4], 1000.0)
    before, stood_still_at = len(begun_by_the_slow(cluster)), cluster.now
    cluster.run_until(lambda: len(begun_by_the_slow(cluster)) == before + 3)
    assert cluster.now - stood_still_at < 4 * 5.0 + 1.0
