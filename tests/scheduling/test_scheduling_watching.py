"""Clients watch, list and kill jobs at any peer."""

from dataclasses import replace
from itertools import pairwise

import pytest
from scheduling_cluster import JOB, SETTINGS, Cluster, job_record

from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import (
    JobState,
)


def test_kill_stops_all_attempts_everywhere_at_once() -> None:
    cluster = Cluster(5, task_s=30.0)
    cluster.submit(job_record(40))
    cluster.run_for(1.0)
    begun = {attempt for *_, attempt in cluster.begun}
    assert len(begun) == 10
    cluster.do(cluster.peers[3], ev.KillRequested(request="kill", job=JOB))
    cluster.run_until(lambda: cluster.all_in(JobState.KILLED), limit_s=0.1)
    assert cluster.answers["kill"] == out.JobAccepted(job=JOB)
    assert cluster.stopped == begun
    assert cluster.dismissed == {JOB: 5}
    cluster.run_for(5.0)
    assert len(cluster.begun) == 10


def test_kill_is_acknowledged_only_when_the_end_is_decided_so_that_no_death_undoes_it() -> None:
    cluster = Cluster(5, task_s=30.0)
    cluster.submit(job_record(10))
    cluster.run_for(1.0)
    cluster.kill(cluster.peers[0])
    cluster.do(cluster.peers[3], ev.KillRequested(request="kill", job=JOB))
    cluster.run_for(0.1)
    assert not cluster.registers
    assert "kill" not in cluster.answers
    assert len(cluster.stopped) == 8
    cluster.run_until(lambda: "kill" in cluster.answers, limit_s=cluster.settings.kill_patience_s)
    assert cluster.answers["kill"] == out.JobAccepted(job=JOB)
    assert (JOB, "end") in cluster.registers


def test_kill_whose_end_cannot_be_decided_stops_all_and_is_told_to_be_asked_for_again() -> None:
    cluster = Cluster(5, task_s=30.0)
    cluster.submit(job_record(10))
    cluster.run_for(1.0)
    for peer in cluster.peers[:3]:
        cluster.kill(peer)
    cluster.do(cluster.peers[3], ev.KillRequested(request="kill", job=JOB))
    cluster.run_until(lambda: "kill" in cluster.answers, limit_s=cluster.settings.kill_patience_s + 0.1)
    answer = cluster.answers["kill"]
    assert isinstance(answer, out.JobRefused)
    assert "kill it again" in answer.reason
    assert len(cluster.stopped) == 4


def test_kills_that_wait_are_bounded() -> None:
    cluster = Cluster(5, settings=replace(SETTINGS, answers_parked_max=2))
    cluster.unreadable = "no majority"
    for number in range(3):
        cluster.do(cluster.peers[0], ev.KillRequested(request=f"k{number}", job=JOB))
    cluster.run_for(0.1)
    assert isinstance(cluster.answers["k2"], out.JobRefused)
    assert not {"k0", "k1"} & cluster.answers.keys()


def test_kill_of_an_unknown_job_is_answered_so() -> None:
    cluster = Cluster(1)
    cluster.do(cluster.peers[0], ev.KillRequested(request="kill", job="00000000000000ff"))
    cluster.run_for(0.1)
    assert cluster.answers["kill"] == out.JobUnknown()


def test_status_is_parked_until_something_changes_and_answered_at_most_every_50_ms() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(40, 2))
    cluster.run_for(0.05)
    seen, times = -1, []
    for number in range(200):
        request = f"s{number}"
        cluster.do(cluster.peers[1], ev.StatusRequested(request=request, job=JOB, seen=seen, patience_s=5.0))
        cluster.run_until(lambda request=request: request in cluster.answers)
        answer = cluster.answers[request]
        assert isinstance(answer, out.JobSeen)
        assert answer.status.version != seen
        seen = answer.status.version
        times.append(cluster.now)
        if answer.status.state.ended:
            break
    assert len(times) > 10
    assert min(later - earlier for earlier, later in pairwise(times[:-1])) >= 0.0499
    assert times[-1] <= cluster.job(cluster.peers[1]).ended_at + 1e-6


def test_status_of_an_unknown_job_is_answered_so_and_of_a_quiet_one_at_patience_end() -> None:
    cluster = Cluster(1, task_s=50.0)
    peer = cluster.peers[0]
    cluster.submit(job_record(1, 1))
    cluster.run_for(26.0)
    version = cluster.job(peer).version
    cluster.do(peer, ev.StatusRequested(request="none", job="00000000000000ff", seen=-1, patience_s=9.0))
    cluster.do(peer, ev.StatusRequested(request="quiet", job=JOB, seen=version, patience_s=2.0))
    asked = cluster.now
    cluster.run_for(3.0)
    assert cluster.answers["none"] == out.JobUnknown()
    assert cluster.answered_at["none"] < asked + 0.1
    assert cluster.answered_at["quiet"] == pytest.approx(asked + 2.0)
    cluster.do(peer, ev.JobsRequested(request="all"))
    cluster.run_for(0.1)
    answer = cluster.answers["all"]
    assert isinstance(answer, out.JobsSeen)
    assert [status.state for status in answer.statuses] == [JobState.RUNNING_MAP]


def test_ended_job_is_forgotten_on_disk_but_its_status_is_kept() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(4, 1))
    cluster.run_until(cluster.done)
    assert cluster.dismissed == {JOB: 2}
    cluster.run_for(70.0)
    assert cluster.forgotten[JOB] == 2
    assert cluster.dismissed == {JOB: 2}
    cluster.do(cluster.peers[1], ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_for(0.1)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.state is JobState.DONE
    assert answer.status.ending is not None
