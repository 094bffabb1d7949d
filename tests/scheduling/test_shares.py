"""Jobs at the same time share the slots by their priorities; what one does not need the others get."""

from collections import Counter

import pytest
from scheduling_cluster import Cluster, job_record

from murmuration.scheduling.jobs import JobState

FIRST, SECOND = "00000000000000aa", "00000000000000bb"


def two_jobs(first: int, second: int, splits: int = 200) -> Cluster:
    """Two jobs of equal size with these priorities, submitted one after the other."""
    cluster = Cluster(5, slots=4)
    cluster.submit(job_record(splits, 0, job=FIRST, priority=first))
    cluster.submit(job_record(splits, 0, job=SECOND, priority=second), at=1, request="second")
    return cluster


def under_way(cluster: Cluster) -> Counter[str]:
    """Count the attempts of each job that have not ended."""
    return Counter(
        running.job for machine in cluster.machines.values() for running in machine._desk.slots.running.values()
    )


@pytest.mark.parametrize(("priorities", "share"), [((10, 10), 0.5), ((30, 10), 0.75), ((1, 99), 0.05)])
def test_slots_are_shared_in_proportion_to_priorities(priorities: tuple[int, int], share: float) -> None:
    cluster = two_jobs(*priorities)
    cluster.run_for(0.3)
    found = []
    for _ in range(40):
        cluster.run_for(0.01)
        busy = under_way(cluster)
        found.append(busy[FIRST] / busy.total())
    assert sum(found) / len(found) == pytest.approx(share, abs=0.06)


def test_small_job_does_not_wait_for_a_large_one() -> None:
    cluster = Cluster(5)
    cluster.submit(job_record(400, 2, job=FIRST))
    cluster.run_for(1.0)
    cluster.submit(job_record(5, 1, job=SECOND), request="second")
    begun = cluster.now
    cluster.run_until(lambda: cluster.all_in(JobState.DONE, SECOND))
    assert cluster.now - begun < 0.6
    cluster.run_until(cluster.done)


def test_job_without_open_tasks_leaves_its_share_to_the_others() -> None:
    cluster = two_jobs(99, 1, splits=60)
    cluster.run_until(lambda: cluster.all_in(JobState.DONE, FIRST))
    cluster.run_for(0.15)
    assert under_way(cluster) == {SECOND: 20}
    cluster.run_until(lambda: cluster.all_in(JobState.DONE, SECOND))


def test_equal_jobs_end_together_and_none_is_done_twice() -> None:
    cluster = two_jobs(10, 10, splits=60)
    cluster.run_until(lambda: cluster.all_in(JobState.DONE) and cluster.all_in(JobState.DONE, SECOND))
    ends = [cluster.job(cluster.peers[0], job).ended_at for job in (FIRST, SECOND)]
    assert abs(ends[0] - ends[1]) < 0.25
    assert len(cluster.begun) <= 1.02 * 120
