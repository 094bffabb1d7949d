"""Counters count each done task once, at every moment, whatever dies, is lost or is done twice."""

import pytest
from scheduling_cluster import JOB, Cluster, job_record

from murmuration.scheduling import effects as out
from murmuration.scheduling import events as ev
from murmuration.scheduling.jobs import JobState, Phase


def counts_exactly(cluster: Cluster) -> bool:
    """See that every replica counts what its boards hold as done; always true, so that it can be watched."""
    for machine in cluster.machines.values():
        job = machine.jobs.get(JOB)
        if job is not None and job.live:
            done = sum(each.report is not None for board in job.boards.values() for each in board.results.values())
            assert [job.counters().get(name, 0) for name in ("lines", "attempts")] == [5 * done, done]
    return True


@pytest.mark.parametrize("seed", range(5))
def test_counters_are_those_of_the_done_tasks_while_a_peer_dies_with_its_runs(seed: int) -> None:
    cluster = Cluster(4, seed=seed, loss=0.1)
    record = job_record(12, 3)
    cluster.submit(record)
    cluster.run_until(lambda: counts_exactly(cluster) and cluster.tasks_done() >= 8)
    victim = cluster.peers[1 + seed % 3]
    cluster.lost_runs |= {attempt for _, peer, _, _, attempt in cluster.begun if peer == victim}
    cluster.kill(victim)
    cluster.run_until(lambda: counts_exactly(cluster) and cluster.done())
    cluster.assert_exact(record)


def test_status_of_a_running_job_tells_its_counters() -> None:
    cluster = Cluster(2)
    cluster.submit(job_record(8, 2))
    cluster.run_until(lambda: cluster.tasks_done() >= 3)
    asked = cluster.peers[0]
    cluster.do(asked, ev.StatusRequested(request="s", job=JOB, seen=-1, patience_s=1.0))
    cluster.run_until(lambda: "s" in cluster.answers)
    answer = cluster.answers["s"]
    assert isinstance(answer, out.JobSeen)
    assert answer.status.state is JobState.RUNNING_MAP
    done = answer.status.map_states.count(5)
    assert answer.status.counters == {"lines": 5 * done, "attempts": done}
    assert done == len(cluster.machines[asked].jobs[JOB].boards[Phase.MAP].results)
