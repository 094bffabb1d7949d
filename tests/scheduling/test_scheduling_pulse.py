"""A tracker role that stands still though its peer lives is succeeded; one that is only slow keeps its role."""

import pytest
from scheduling_cluster import JOB, Cluster, job_record

from murmuration.ring.facts import Liveness
from murmuration.ring.terms import Instant, PeerId
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState, job_key
from murmuration.scheduling.messages import JobNews

SILENCE_S = 3.0


def running(seed: int = 1, peers: int = 5, task_s: float = 2.0, splits: int = 40) -> Cluster:
    """Begin a job that is tracked by the best of its electorate, which is made the first peer."""
    cluster = Cluster(peers, seed, task_s=task_s)
    cluster.run_for(0.01)
    best = cluster.machines[cluster.peers[0]].electorate(JOB)[0]
    cluster.peers.sort(key=lambda peer: peer != best)
    cluster.submit(job_record(splits, 4, output="ring:/out"))
    cluster.run_until(lambda: cluster.tasks_done() >= 5)
    assert {cluster.job(peer).tracker for peer in cluster.machines} == {best}
    return cluster


def epochs(cluster: Cluster) -> set[int]:
    return {cluster.job(peer).epoch for peer in cluster.machines}


@pytest.mark.parametrize("seed", range(4))
def test_silent_tracker_role_is_succeeded_at_the_next_epoch_and_the_job_ends_exactly(seed: int) -> None:
    cluster = running(seed)
    frozen = cluster.peers[0]
    record = cluster.job(frozen).record
    cluster.freeze_tracker(frozen)
    frozen_at = cluster.now
    cluster.run_until(lambda: epochs(cluster) == {2})
    assert SILENCE_S - 0.6 <= cluster.now - frozen_at <= SILENCE_S + 0.6
    assert {cluster.job(peer).tracker for peer in cluster.machines} != {frozen}
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert epochs(cluster) == {2}
    assert frozen in {peer for at, peer, *_ in cluster.begun if at > frozen_at}, "its worker goes on"


def test_words_that_a_frozen_role_says_late_are_fenced() -> None:
    cluster = running()
    frozen = cluster.peers[0]
    record = cluster.job(frozen).record
    cluster.freeze_tracker(frozen)
    cluster.run_until(lambda: epochs(cluster) == {2})
    new = cluster.job(frozen).tracker
    cluster.run_for(1.0)
    assert any(isinstance(effect, out.Tell) for effect in cluster.frozen[frozen])
    cluster.thaw_tracker(frozen)
    cluster.run_until(cluster.done)
    assert {(cluster.job(peer).epoch, cluster.job(peer).tracker) for peer in cluster.machines} == {(2, new)}
    cluster.assert_exact(record)


def test_role_that_is_frozen_over_its_proposals_says_them_late_and_does_no_harm() -> None:
    cluster = running(task_s=0.3)
    frozen = cluster.peers[0]
    record = cluster.job(frozen).record
    cluster.freeze_tracker(frozen)
    cluster.run_until(cluster.done)
    assert any(isinstance(effect, out.Decide) for effect in cluster.frozen[frozen])
    ending = cluster.ending()
    cluster.thaw_tracker(frozen)
    cluster.run_for(10.0)
    assert cluster.ending() == ending
    cluster.assert_exact(record)


def test_two_roles_frozen_one_after_the_other_are_both_succeeded() -> None:
    cluster = running(task_s=3.0)
    record = cluster.job(cluster.peers[0]).record
    cluster.freeze_tracker(cluster.peers[0])
    cluster.run_until(lambda: epochs(cluster) == {2})
    cluster.freeze_tracker(cluster.job(cluster.peers[0]).tracker)
    cluster.run_until(lambda: epochs(cluster) == {3})
    assert cluster.job(cluster.peers[0]).tracker not in cluster.frozen
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


@pytest.mark.parametrize("at", range(5))
def test_role_that_was_mute_from_its_first_word_on_is_fenced_whatever_its_peers_id(at: int) -> None:
    cluster = Cluster(5, task_s=2.0)
    frozen = cluster.peers[at]
    cluster.freeze_tracker(frozen)
    cluster.submit(job_record(20, 2), at=at)
    cluster.run_for(6.0)
    new = cluster.job(frozen).tracker
    assert new != frozen
    cluster.thaw_tracker(frozen)
    cluster.run_until(cluster.done)
    assert {(cluster.job(peer).epoch, cluster.job(peer).tracker) for peer in cluster.machines} == {(2, new)}


@pytest.mark.parametrize("seed", range(20))
def test_slow_and_lossy_network_moves_no_role(seed: int) -> None:
    cluster = Cluster(5, seed, task_s=10.0, loss=0.2)
    cluster.delay_s = 0.5
    record = job_record(20, 2)
    cluster.submit(record)
    cluster.run_until(cluster.done, limit_s=120.0)
    assert cluster.now > 20.0
    assert epochs(cluster) == {1}
    cluster.assert_exact(record)


def test_role_is_not_taken_by_a_peer_that_has_slept_itself() -> None:
    cluster = running(task_s=4.0)
    sleeper = next(peer for peer in cluster.job(cluster.peers[0]).record.electorate if peer != cluster.peers[0])
    machine = cluster.machines.pop(sleeper)
    cluster.run_for(8.0)
    cluster.machines[sleeper] = machine
    cluster.believe(cluster.peers[-1], Liveness.ALIVE, refutations=1)
    cluster.do(sleeper, ev.TrackDue(job=JOB))
    cluster.run_for(6.0)
    assert epochs(cluster) == {1}


def test_word_of_others_about_the_tracker_does_not_count_as_its_own() -> None:
    cluster = running(task_s=6.0)
    frozen = cluster.peers[0]
    cluster.freeze_tracker(frozen)
    for _ in range(12):
        for peer in cluster.peers[1:]:
            other = cluster.peers[1] if peer != cluster.peers[1] else cluster.peers[2]
            news = JobNews(JOB, 1, frozen)
            cluster.do(peer, ev.SchedulingMessageReceived(sender=other, message=news))
        cluster.run_for(0.5)
    assert epochs(cluster) == {2}


def test_peer_that_hears_nothing_for_half_the_patience_asks_the_tracker() -> None:
    cluster = running(task_s=20.0)
    tracker = cluster.peers[0]
    cluster.freeze_tracker(tracker)
    cluster.run_for(SILENCE_S / 2 - 0.6)
    assert cluster.asked[tracker] == 0
    cluster.run_for(1.2)
    assert cluster.asked[tracker] >= 4


def test_tracker_that_is_asked_whether_it_is_at_work_says_so_and_others_say_nothing() -> None:
    cluster = running(task_s=20.0)
    tracker, asker, other = cluster.peers[:3]
    question = ev.SchedulingMessageReceived(sender=asker, message=cluster.job(asker).pulse())
    pulse = cluster.job(tracker).pulse()
    assert cluster.machines[tracker].handle(Instant(cluster.now), question) == [out.Tell(to=asker, message=pulse)]
    assert cluster.machines[other].handle(Instant(cluster.now), question) == []


def test_pulse_of_a_tracker_is_small_and_ends_with_the_job() -> None:
    cluster = running(peers=4, task_s=1.0)
    cluster.run_until(cluster.done)
    cluster.run_for(5.0)
    before = cluster.told["JobNews"]
    cluster.run_for(20.0)
    assert cluster.told["JobNews"] == before
    job = cluster.job(cluster.peers[1])
    assert (job.pulse().seal, job.pulse().ending) == (None, None)


def test_running_job_costs_two_short_messages_a_second_and_peer() -> None:
    cluster = running(peers=4, task_s=30.0, splits=8)
    before = cluster.told["JobNews"]
    cluster.run_for(20.0)
    assert cluster.told["JobNews"] - before <= 1.2 * 20 * 2 * 3


def test_peer_that_missed_the_end_is_told_by_the_tracker_that_it_asks() -> None:
    cluster = running(peers=3, task_s=0.2, splits=6)
    cluster.run_until(cluster.done)
    machine = cluster.machines[cluster.peers[0]]
    effects = machine.handle(
        Instant(cluster.now),
        ev.SchedulingMessageReceived(sender=cluster.peers[1], message=JobNews(JOB, 1, cluster.peers[0], brief=True)),
    )
    assert effects == [out.Tell(to=cluster.peers[1], message=cluster.job(cluster.peers[0]).news())]
    assert cluster.all_in(JobState.DONE)


def restart_a_worker(cluster: Cluster, met_after_s: float) -> PeerId:
    """Kill a peer that does not track and may succeed, and start it on the disk that has the job's record."""
    tracker = cluster.peers[0]
    worker = PeerId(next(peer for peer in cluster.job(tracker).record.electorate if peer != tracker))
    cluster.kill(worker)
    cluster.run_for(4.0)
    cluster.start(worker, met_after_s)
    cluster.do(worker, ev.RecordFound(job=JOB, value=cluster.records[job_key(JOB)]))
    return worker


@pytest.mark.parametrize("seed", range(4))
def test_restarted_peer_that_hears_the_tracker_before_it_has_met_it_follows_it(seed: int) -> None:
    """The start number that its disk remembers of the tracker may be outdated: it says nothing of a restart."""
    cluster = running(seed, task_s=4.0)
    worker = restart_a_worker(cluster, met_after_s=1.0)
    cluster.run_until(lambda: cluster.job(worker) is not None and cluster.job(worker).epoch == 1, limit_s=0.9)
    cluster.run_for(8.0)
    assert epochs(cluster) == {1}


def test_restarted_peer_gives_those_that_it_has_just_met_the_time_to_speak_of_the_tracker() -> None:
    cluster = running(task_s=4.0)
    tracker = cluster.peers[0]
    worker = restart_a_worker(cluster, met_after_s=1.9)
    carry = cluster._carry

    def carry_but_to_the_worker(sender: PeerId, tell: out.Tell) -> None:
        if tell.to != worker:
            carry(sender, tell)

    cluster._carry = carry_but_to_the_worker  # type: ignore[method-assign]
    cluster.run_for(3.5)
    assert cluster.job(worker).epoch == 0
    cluster._carry = carry  # type: ignore[method-assign]
    cluster.run_for(8.0)
    assert {cluster.job(peer).tracker for peer in cluster.machines} == {tracker}
    assert epochs(cluster) == {1}
    assert cluster.job(worker).epoch == 1
