"""Ended jobs are forgotten where a user wants it, their account outlives all processes, and no files of theirs stay."""

from scheduling_cluster import JOB, Cluster, job_record

from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState, job_key
from murmuration.scheduling.status import TaskState


def ended(peers: int = 3) -> Cluster:
    cluster = Cluster(peers)
    cluster.submit(job_record(6, 2))
    cluster.run_until(cluster.done)
    return cluster


def drop(cluster: Cluster) -> out.SchedulingAnswer:
    cluster.do(cluster.peers[0], ev.DropRequested(request="drop", job=JOB))
    cluster.run_until(lambda: "drop" in cluster.answers)
    return cluster.answers["drop"]


def restarted(cluster: Cluster) -> None:
    """Kill all processes and start them again; nobody reminds them of anything."""
    for peer in list(cluster.machines):
        cluster.kill(peer)
    cluster.run_for(10.0)
    cluster.forgotten.clear()
    for peer in cluster.peers:
        cluster.start(peer)


def test_ended_job_that_is_dropped_is_unknown_and_its_files_go() -> None:
    cluster = ended()
    assert isinstance(drop(cluster), out.JobAccepted)
    assert cluster.job(cluster.peers[0]) is None
    assert cluster.forgotten[JOB] == 1
    cluster.run_for(2 * cluster.settings.retention_s)
    assert cluster.job(cluster.peers[0]) is None


def test_job_that_goes_on_is_not_dropped_and_the_way_out_is_told() -> None:
    cluster = Cluster(3)
    cluster.submit(job_record(6, 2))
    cluster.run_until(lambda: cluster.tasks_done() > 0)
    refused = drop(cluster)
    assert isinstance(refused, out.JobRefused)
    assert "murmur kill" in refused.reason
    cluster.run_until(cluster.done)


def test_account_of_an_ended_job_is_the_same_after_the_death_of_all_processes() -> None:
    cluster = ended()
    before = cluster.job(cluster.peers[0])
    restarted(cluster)
    cluster.do(cluster.peers[0], ev.StatusRequested(request="look", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_until(lambda: "look" in cluster.answers)
    seen = cluster.answers["look"]
    assert isinstance(seen, out.JobSeen)
    status = seen.status
    assert (status.state, status.counters) == (JobState.DONE, before.ending.counters)
    assert (status.elapsed_s, status.attempts) == (before.ending.elapsed_s, before.ending.attempts)
    assert status.elapsed_s > 0
    assert status.attempts >= 8
    assert set(status.map_states + status.reduce_states) == {TaskState.DONE}


def test_start_that_finds_files_of_an_ended_job_learns_of_that_and_gives_them_up() -> None:
    cluster = ended()
    restarted(cluster)
    cluster.do(cluster.peers[0], ev.LeftoversFound(jobs=(JOB,)))
    cluster.run_until(lambda: (job := cluster.job(cluster.peers[0])) is not None and not job.live)
    cluster.run_for(cluster.settings.retention_s + 1.0)
    assert cluster.forgotten[JOB] >= 1


def test_files_of_a_job_whose_record_was_removed_go_at_once() -> None:
    cluster = ended()
    del cluster.records[job_key(JOB)]
    restarted(cluster)
    cluster.do(cluster.peers[0], ev.LeftoversFound(jobs=(JOB,)))
    cluster.run_until(lambda: cluster.forgotten[JOB] >= 1)


def test_files_stay_while_the_ring_does_not_tell_what_has_become_of_their_job() -> None:
    cluster = ended()
    restarted(cluster)
    cluster.unreadable = "no quorum"
    cluster.do(cluster.peers[0], ev.LeftoversFound(jobs=(JOB,)))
    cluster.run_for(60.0)
    assert cluster.forgotten[JOB] == 0
    cluster.unreadable = ""
    cluster.run_until(lambda: cluster.forgotten[JOB] >= 1, limit_s=2 * cluster.settings.retention_s)


def test_files_of_a_job_that_goes_on_stay() -> None:
    cluster = Cluster(3, task_s=5.0)
    cluster.submit(job_record(6, 2))
    cluster.run_until(lambda: cluster.tasks_done() > 0)
    peer = cluster.peers[2]
    cluster.kill(peer)
    cluster.run_for(1.0)
    cluster.start(peer)
    cluster.do(peer, ev.LeftoversFound(jobs=(JOB,)))
    cluster.run_until(cluster.done)
    assert cluster.forgotten[JOB] == 0
