"""A job outlives all processes: it is found again by its record, and what has ended is not done again."""

import msgspec
import pytest
from scheduling_cluster import JOB, Cluster, job_record, peer_id

from murmuration.ring.namespaces import ending_register
from murmuration.ring.terms import PeerId
from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState, Phase, job_key, register_key
from murmuration.scheduling.messages import JobNews
from murmuration.scheduling.replica.decisions import encode_record

OUTPUT = "ring:/out"
OUTPUT_KEY = b"fs/out"


def all_die(cluster: Cluster) -> list[PeerId]:
    dead = list(cluster.machines)
    for peer in dead:
        cluster.kill(peer)
    cluster.run_for(10.0)
    return dead


def all_come_back(cluster: Cluster, *peers: PeerId, tell_of_record: bool = True) -> None:
    """Start peers; the ring reminds each of the record that lies on its disk."""
    for peer in peers:
        cluster.start(peer)
        if tell_of_record:
            cluster.do(peer, ev.RecordFound(job=JOB, value=cluster.records[job_key(JOB)]))


def shown(cluster: Cluster, request: str) -> out.JobSeen:
    cluster.run_until(lambda: request in cluster.answers)
    answer = cluster.answers[request]
    assert isinstance(answer, out.JobSeen), answer
    return answer


def test_both_halves_give_the_ending_register_one_name() -> None:
    assert register_key(JOB, "end") == ending_register(job_key(JOB))


@pytest.mark.parametrize("tasks_done", [0, 3, 9, 12])
def test_job_whose_processes_have_all_died_is_carried_to_its_exact_end(tasks_done: int) -> None:
    cluster = Cluster(4)
    record = job_record(10, 3)
    cluster.submit(record)
    cluster.run_until(lambda: job_key(JOB) in cluster.records and cluster.tasks_done() >= tasks_done)
    all_come_back(cluster, *all_die(cluster))
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)


def test_seal_of_before_is_adopted_and_not_proposed_anew() -> None:
    cluster = Cluster(4)
    cluster.submit(job_record(10, 3))
    cluster.run_until(lambda: (JOB, "map") in cluster.registers)
    seal = cluster.registers[JOB, "map"]
    all_come_back(cluster, *all_die(cluster))
    cluster.run_until(lambda: all(cluster.job(peer) and cluster.job(peer).seal for peer in cluster.machines))
    assert {cluster.job(peer).seal_value for peer in cluster.machines} == {seal}
    cluster.run_until(cluster.done)


@pytest.mark.parametrize("output", ["out", OUTPUT])
def test_ended_job_found_again_comes_to_its_ending_and_no_split_is_done_again(output: str) -> None:
    cluster = Cluster(4)
    cluster.submit(job_record(10, 3, output=output))
    cluster.run_until(cluster.done)
    ending, begun = cluster.ending(), len(cluster.begun)
    all_come_back(cluster, *all_die(cluster))
    cluster.run_until(cluster.done)
    assert cluster.ending() == ending
    assert len(cluster.begun) == begun


def test_ended_job_found_by_a_minority_waits_and_nothing_is_done_again() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(10, 3))
    cluster.run_until(cluster.done)
    begun = len(cluster.begun)
    first, second, third, *_ = all_die(cluster)
    all_come_back(cluster, first, second)
    cluster.run_for(20.0)
    assert cluster.job(first).state is JobState.PLANNING
    cluster.do(first, ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=0.1))
    waiting = shown(cluster, "s").status.waiting_for
    assert waiting == "a majority of the electorate (2 of 5 reachable)"
    all_come_back(cluster, third)
    cluster.run_until(cluster.done)
    assert len(cluster.begun) == begun


def test_output_deleted_since_the_end_is_not_stored_again() -> None:
    cluster = Cluster(4)
    cluster.submit(job_record(4, 1, output=OUTPUT))
    cluster.run_until(cluster.done)
    cluster.records[OUTPUT_KEY] = b"deleted by the user"
    all_come_back(cluster, *all_die(cluster))
    cluster.run_until(cluster.done)
    assert cluster.records[OUTPUT_KEY] == b"deleted by the user"


def test_output_that_died_with_its_tracker_is_stored_by_who_finds_the_ending() -> None:
    cluster = Cluster(4)
    record = job_record(4, 1, output=OUTPUT)
    cluster.submit(record)
    cluster.storing_fails[OUTPUT_KEY] = 1_000_000
    cluster.run_until(lambda: (JOB, "end") in cluster.registers)
    dead = all_die(cluster)
    assert OUTPUT_KEY not in cluster.records
    cluster.storing_fails[OUTPUT_KEY] = 0
    all_come_back(cluster, *dead)
    cluster.run_until(cluster.done)
    assert OUTPUT_KEY in cluster.records
    cluster.assert_exact(record)


def test_output_that_cannot_be_looked_for_is_looked_for_again() -> None:
    cluster = Cluster(3)
    cluster.submit(job_record(4, 1, output=OUTPUT))
    cluster.run_until(cluster.done)
    dead = all_die(cluster)
    cluster.unreadable = "no majority"
    all_come_back(cluster, *dead)
    cluster.run_for(10.0)
    assert not cluster.done()
    cluster.unreadable = ""
    cluster.run_until(cluster.done)


def test_resubmission_of_an_ended_job_to_a_peer_that_forgot_it_does_nothing_again() -> None:
    cluster = Cluster(3)
    record = job_record(6, 2)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    begun = len(cluster.begun)
    all_come_back(cluster, *all_die(cluster), tell_of_record=False)
    cluster.submit(msgspec.msgpack.decode(cluster.records[job_key(JOB)], type=type(record)), request="again")
    cluster.run_until(cluster.done)
    assert cluster.answers["again"] == out.JobAccepted(job=JOB)
    assert len(cluster.begun) == begun


def test_successor_that_holds_no_claims_learns_of_an_unheard_end_before_any_task_is_done_again() -> None:
    """A restarted successor knows of the old tracker by hearsay only."""
    cluster = Cluster(3)
    cluster.submit(job_record(6, 2))
    cluster.run_until(cluster.done)
    finished = sum(cluster.finished.values())
    first, *others = all_die(cluster)
    all_come_back(cluster, *others)
    for peer in others:
        cluster.do(peer, ev.SchedulingMessageReceived(sender=first, message=JobNews(JOB, 7, first)))
    cluster.run_until(cluster.done)
    assert {cluster.job(peer).epoch for peer in others} == {8}
    assert sum(cluster.finished.values()) == finished


# --- questions about jobs that are not known here ---


def test_status_of_an_ended_job_that_all_have_forgotten_shows_its_ending_at_once() -> None:
    cluster = Cluster(4)
    cluster.submit(job_record(6, 2, output=OUTPUT))
    cluster.run_until(cluster.done)
    ending, begun = cluster.ending(), len(cluster.begun)
    dead = all_die(cluster)
    all_come_back(cluster, *dead, tell_of_record=False)
    cluster.run_for(0.1)
    asked = cluster.now
    cluster.do(dead[2], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=0.0))
    status = shown(cluster, "s").status
    assert status.state is JobState.DONE
    assert status.ending == ending
    assert cluster.answered_at["s"] < asked + 0.5
    assert len(cluster.begun) == begun


def test_status_of_a_job_that_the_ring_cannot_be_asked_for_is_unknown_only_at_patience_end() -> None:
    cluster = Cluster(3)
    cluster.unreadable = "no majority"
    cluster.do(cluster.peers[0], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=5.0))
    cluster.run_for(4.9)
    assert "s" not in cluster.answers
    cluster.run_for(0.2)
    assert cluster.answers["s"] == out.JobUnknown()
    assert not cluster.machines[cluster.peers[0]].jobs


def test_search_for_a_job_that_only_a_client_speaks_of_ends() -> None:
    cluster = Cluster(1)
    cluster.unreadable = "no majority"
    cluster.do(cluster.peers[0], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(30.0)
    searched = cluster.searched
    assert searched > 3
    cluster.run_for(60.0)
    assert cluster.searched == searched


def test_kill_of_an_unfinished_job_that_all_have_forgotten_ends_it() -> None:
    cluster = Cluster(4, task_s=5.0)
    cluster.submit(job_record(6, 2))
    cluster.run_for(1.0)
    dead = all_die(cluster)
    all_come_back(cluster, *dead, tell_of_record=False)
    begun = len(cluster.begun)
    cluster.do(dead[1], ev.KillRequested(request="k", job=JOB))
    cluster.run_until(lambda: cluster.all_in(JobState.KILLED))
    assert cluster.answers["k"] == out.JobAccepted(job=JOB)
    assert len(cluster.begun) == begun


def test_kill_of_a_job_that_is_nowhere_is_answered_so() -> None:
    cluster = Cluster(2)
    cluster.do(cluster.peers[0], ev.KillRequested(request="k", job=JOB))
    cluster.run_for(0.5)
    assert cluster.answers["k"] == out.JobUnknown()


def test_kill_of_a_job_that_the_ring_cannot_be_asked_for_is_answered_at_patience_end() -> None:
    cluster = Cluster(2)
    cluster.unreadable = "no majority"
    cluster.do(cluster.peers[0], ev.KillRequested(request="k", job=JOB))
    cluster.run_for(cluster.settings.find_patience_s - 0.1)
    assert "k" not in cluster.answers
    cluster.run_for(0.2)
    assert cluster.answers["k"] == out.JobUnknown()


def test_kill_of_a_job_that_others_speak_of_without_end_is_answered_at_patience_end() -> None:
    cluster = Cluster(1)
    cluster.unreadable = "no majority"
    speaker = peer_id(9)
    cluster.do(cluster.peers[0], ev.SchedulingMessageReceived(sender=speaker, message=JobNews(JOB, 1, speaker)))
    cluster.do(cluster.peers[0], ev.KillRequested(request="k", job=JOB))
    cluster.run_for(cluster.settings.find_patience_s + 0.1)
    assert cluster.answers["k"] == out.JobUnknown()


def test_record_of_a_job_spoken_of_once_is_looked_for_although_the_ring_does_not_hold_it_yet() -> None:
    cluster = Cluster(2)
    speaker = cluster.peers[1]
    cluster.do(cluster.peers[0], ev.SchedulingMessageReceived(sender=speaker, message=JobNews(JOB, 1, speaker)))
    cluster.run_for(3.0)
    cluster.records[job_key(JOB)] = encode_record(job_record(2, 1))
    cluster.run_for(6.0)
    assert cluster.job(cluster.peers[0]) is not None


def test_record_of_a_job_spoken_of_is_still_looked_for_when_the_ring_does_not_hold_it_yet() -> None:
    cluster = Cluster(3)
    record = job_record(4, 1)
    cluster.submit(record)
    cluster.run_until(lambda: job_key(JOB) in cluster.records)
    value = cluster.records.pop(job_key(JOB))
    cluster.run_for(3.0)
    cluster.records[job_key(JOB)] = value
    cluster.run_until(cluster.done)
    assert {phase for _, _, phase, _, _ in cluster.begun} == set(Phase)
