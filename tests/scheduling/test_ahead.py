"""A peer claims its next task when it is nearly done with one, so that the input is there when the slot is free."""

from collections import Counter

from scheduling_cluster import JOB, Cluster, job_record

from murmuration.ring.facts import Liveness
from murmuration.scheduling.jobs import Phase


def timed(splits: int, *, steps: int) -> tuple[float, Cluster]:
    """Run a job whose inputs take half as long to come as they take to map."""
    cluster = Cluster(3, slots=1, task_s=0.4)
    cluster.fetch_s, cluster.progress_steps = 0.2, steps
    record = job_record(splits, 0)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    return cluster.now, cluster


def test_input_is_fetched_while_the_task_before_ends() -> None:
    behind, cluster = timed(60, steps=1)
    assert not cluster.prepared
    ahead, cluster = timed(60, steps=10)
    assert len(cluster.prepared) >= 50
    assert ahead < behind - 60 / 3 * 0.07 * 0.9


def test_no_more_attempts_compute_at_once_than_there_are_slots() -> None:
    cluster = Cluster(3, slots=2, task_s=0.3)
    cluster.progress_steps = 10
    cluster.submit(job_record(60, 2))
    while not cluster.done():
        cluster.step()
        for machine in cluster.machines.values():
            machine.check()
            assert sum(running.computes for running in machine._desk.slots.running.values()) <= 2
    assert cluster.prepared
    assert set(cluster.finished.values()) == {1}


def test_idle_peers_get_the_last_tasks_and_busy_ones_keep_none_back() -> None:
    cluster = Cluster(5, slots=1, task_s=0.5)
    cluster.progress_steps = 10
    cluster.submit(job_record(50, 0))
    cluster.run_until(cluster.done)
    assert cluster.now < 50 / 5 * 0.5 * 1.2 + 0.3
    shares = Counter(peer for _, peer, *_ in cluster.begun)
    assert min(shares.values()) >= 8


def test_task_claimed_ahead_is_released_when_its_slot_does_not_become_free() -> None:
    cluster = Cluster(2, slots=1, task_s=1.0)
    cluster.progress_steps = 10
    record = job_record(8, 0)
    cluster.submit(record)
    cluster.run_until(lambda: bool(cluster.prepared))
    stuck = next(iter(cluster.prepared)).peer
    machine = cluster.machines[stuck]
    leader = next(running for running in machine._desk.slots.running.values() if running.computes)
    cluster.stopped.add(leader.attempt)  # it never ends
    cluster.run_until(cluster.done)
    assert not cluster.machines[stuck]._desk.slots.running
    cluster.assert_exact(record)
    cluster.run_for(0.5)
    for machine in cluster.machines.values():
        waste = machine.jobs[JOB].boards[Phase.MAP].waste
        assert (waste.duplicates, waste.races_lost) == (1, 0), "what was given back before it was begun cost nothing"


def test_task_claimed_ahead_is_open_again_when_its_peer_dies() -> None:
    cluster = Cluster(3, slots=1, task_s=0.5)
    cluster.progress_steps = 10
    record = job_record(12, 0)
    cluster.submit(record)
    cluster.run_until(lambda: any(at.peer != cluster.peers[0] for at in cluster.prepared))
    gone = next(at.peer for at in cluster.prepared if at.peer != cluster.peers[0])
    cluster.kill(gone)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_suspected_peer_loses_what_it_claimed_ahead_to_whoever_takes_it_first() -> None:
    cluster = Cluster(3, slots=1, task_s=0.5)
    cluster.progress_steps = 10
    record = job_record(12, 0)
    cluster.submit(record)
    cluster.run_until(lambda: bool(cluster.prepared))
    cluster.believe(next(iter(cluster.prepared)).peer, Liveness.SUSPECT)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
