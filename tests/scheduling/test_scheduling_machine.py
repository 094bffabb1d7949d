"""A flock without faults shares a job out, runs each task once, and commits."""

from collections import Counter

import msgspec
import pytest
from msgspec.structs import replace
from scheduling_cluster import JOB, Cluster, job_record, peer_id

from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.effects import JobRefused
from murmuration.scheduling.jobs import (
    JobState,
    Phase,
    Split,
    job_key,
)
from murmuration.scheduling.settings import SchedulingSettings


@pytest.mark.parametrize("peers", [1, 3, 5])
@pytest.mark.parametrize("chunks", [False, True])
def test_job_without_faults_runs_each_task_exactly_once(peers: int, *, chunks: bool) -> None:
    cluster = Cluster(peers)
    record = job_record(20, 3, chunks=chunks)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert cluster.answers["submit"] == out.JobAccepted(job=JOB)
    assert set(cluster.finished.values()) == {1}
    assert len(cluster.begun) <= 24
    cluster.assert_exact(record)


def test_job_of_one_split_passes_in_little_more_than_its_tasks_take() -> None:
    cluster = Cluster(3, task_s=0.001)
    cluster.submit(job_record(1, 1))
    cluster.run_until(cluster.done)
    assert cluster.now < 0.01 + 0.1
    assert sum(cluster.told.values()) < 30


def test_work_without_faults_is_shared_by_all_peers() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(100, 5))
    cluster.run_until(cluster.done)
    shares = Counter(peer for _, peer, *_ in cluster.begun)
    assert min(shares[peer] for peer in cluster.peers) >= 12
    assert cluster.now < 1.3 * 0.1 * (105 / 10) + 0.2


def test_splits_of_ring_files_are_mapped_from_own_disk() -> None:
    cluster = Cluster(8)
    cluster.submit(job_record(80, 2, chunks=True))
    cluster.run_until(cluster.done)
    cluster.do(cluster.peers[3], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.bytes == answer.status.bytes_total == 8000
    assert answer.status.local_bytes > 7000
    assert sum(lane.tasks_done for lane in answer.status.lanes) == 82


def test_map_only_job_ends_without_a_seal() -> None:
    cluster = Cluster(3)
    record = job_record(7, 0)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert (JOB, "map") not in cluster.registers


@pytest.mark.parametrize("reducers", [0, 2])
def test_job_without_splits_ends(reducers: int) -> None:
    cluster = Cluster(2)
    record = job_record(0, reducers)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    assert len(cluster.ending().parts) == reducers


def test_padi_output_names_count_from_one() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(3, 0, output_names="padi"))
    cluster.run_until(cluster.done)
    assert [part.name for part in cluster.ending().parts] == ["1.out", "2.out", "3.out"]


def test_peer_that_joins_half_way_takes_part() -> None:
    cluster = Cluster(2)
    record = job_record(60, 2)
    cluster.submit(record)
    cluster.run_until(lambda: cluster.tasks_done() >= 10)
    late = peer_id(99)
    cluster.names[late], cluster.starts[late] = "late", 0
    cluster.start(late)
    cluster.run_until(cluster.done)
    assert sum(peer == late for _, peer, *_ in cluster.begun) >= 5
    cluster.assert_exact(record)


def test_many_peers_spread_claims_over_relays_with_few_duplicates() -> None:
    begun = 0
    for seed in range(3):
        cluster = Cluster(18, seed, task_s=1.0, settings=SchedulingSettings(vnodes=64, direct_peers_max=16))
        record = job_record(80, 10)
        cluster.submit(record)
        cluster.run_until(cluster.done)
        cluster.assert_exact(record)
        assert max(cluster.finished.values()) <= 2
        begun += len(cluster.begun)
    assert begun <= 1.04 * 3 * 90


def test_few_peers_make_hardly_any_duplicates() -> None:
    begun = 0
    for seed in range(12):
        cluster = Cluster(5, seed)
        cluster.submit(job_record(60, 5))
        cluster.run_until(cluster.done)
        begun += len(cluster.begun)
    assert begun <= 1.01 * 12 * 65


def test_loser_of_two_claims_stops_and_the_winner_is_the_same_everywhere() -> None:
    cluster = Cluster(2, slots=1, task_s=0.5)
    cluster.loss = 1.0
    record = job_record(1, 0)
    cluster.submit(record)
    cluster.run_until(lambda: len(cluster.begun) == 1 or cluster.now > 0.1)
    for peer in cluster.peers:
        job = cluster.job(peer)
        if job is None or job.epoch == 0:
            news = cluster.job(cluster.peers[0]).news()
            cluster.do(peer, ev.SchedulingMessageReceived(sender=cluster.peers[0], message=news))
    cluster.run_until(lambda: len(cluster.begun) == 2)
    cluster.loss = 0.0
    cluster.run_until(lambda: bool(cluster.stopped or cluster.finished))
    assert not cluster.finished
    cluster.run_until(cluster.done)
    assert len(cluster.stopped) == 1
    assert cluster.finished[Phase.MAP, 0] == 1


def test_submission_with_a_split_beyond_its_file_is_refused() -> None:
    cluster = Cluster(1)
    record = msgspec.structs.replace(job_record(2), splits=(Split(0, 100, 300, 1),))
    cluster.submit(record)
    cluster.run_for(0.1)
    answer = cluster.answers["submit"]
    assert isinstance(answer, out.JobRefused)
    assert "from 100 to 300" in answer.reason


def test_submission_whose_record_cannot_be_stored_is_refused() -> None:
    cluster = Cluster(1)
    cluster.storing_fails[job_key(JOB)] = 1
    cluster.submit(job_record(2))
    cluster.run_for(0.1)
    assert isinstance(cluster.answers["submit"], out.JobRefused)
    cluster.submit(job_record(2), request="again")
    cluster.run_until(cluster.done)
    assert cluster.answers["again"] == out.JobAccepted(job=JOB)


def test_submission_asked_twice_is_one_job() -> None:
    cluster = Cluster(3)
    record = job_record(6, 1)
    cluster.submit(record)
    cluster.submit(record, request="twin")
    cluster.run_until(cluster.done)
    cluster.submit(record, at=1, request="late")
    cluster.run_for(0.5)
    accepted = out.JobAccepted(job=JOB)
    assert [cluster.answers[request] for request in ("submit", "twin", "late")] == [accepted] * 3
    assert len(cluster.begun) == 7


def test_submission_repeated_at_another_peer_keeps_the_electorate_that_the_client_asked_for() -> None:
    cluster = Cluster(7)
    chosen = tuple(cluster.peers[number] for number in (4, 5, 6))
    record = replace(job_record(3, 1), electorate=chosen)
    cluster.submit(record, at=0, request="first")
    cluster.submit(record, at=1, request="again")
    cluster.run_until(cluster.done)
    assert all(cluster.job(peer).record.electorate == chosen for peer in cluster.peers)


def test_electorate_of_strangers_is_refused_because_nobody_could_decide() -> None:
    cluster = Cluster(2)
    cluster.submit(replace(job_record(3, 1), electorate=("f" * 32,)), request="r")
    cluster.run_for(0.5)
    assert isinstance(cluster.answers["r"], JobRefused)


def test_side_files_of_each_task_are_in_the_ending_once_and_no_parts() -> None:
    cluster = Cluster(3)
    cluster.side_files = 2
    record = job_record(4, 2)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    tasks = [*(f"r-{at:05}" for at in range(2)), *(f"m-{at:05}" for at in range(4))]
    assert [file.name for file in cluster.ending().side] == [f"_n{n}-{task}.txt" for task in tasks for n in range(2)]
    assert all(file.size == 3 for file in cluster.ending().side)


def test_side_files_that_cannot_be_placed_at_once_are_placed_before_the_attempt_counts() -> None:
    cluster = Cluster(3)
    cluster.side_files, cluster.placing_fails = 1, 3
    record = job_record(3, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert len(cluster.ending().side) == 4


def test_more_side_files_than_an_ending_holds_fail_the_job_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("murmuration.scheduling.replica.verdicts.SIDE_FILES_MAX", 3)
    cluster = Cluster(3)
    cluster.side_files = 1
    cluster.submit(job_record(3, 1))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    error = cluster.ending().error
    assert error is not None
    assert (error.kind, error.message.count("4 side files")) == ("TooManySideFiles", 1)
