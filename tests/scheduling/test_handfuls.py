"""Short tasks are claimed by the handful: as many as make up some work, and never more than an even share of them."""

from collections import Counter

from scheduling_cluster import SETTINGS, Cluster, job_record

from murmuration.scheduling.jobs import JobState, Phase, UserError


def sizes(cluster: Cluster) -> list[int]:
    """List how many tasks were begun at once, in the order of their beginnings."""
    return list(
        Counter((at, attempt.peer) for at, _, phase, _, attempt in cluster.begun if phase is Phase.MAP).values()
    )


def played(splits: int, task_s: float, peers: int = 4) -> Cluster:
    cluster = Cluster(peers, slots=1, task_s=task_s)
    record = job_record(splits, 1)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    return cluster


def test_short_tasks_are_begun_by_the_handful_and_hardly_one_is_done_twice() -> None:
    cluster = played(400, 0.005)
    assert max(sizes(cluster)) == SETTINGS.handful_s / 0.005
    assert len(sizes(cluster)) < 100
    assert sum(times > 1 for times in cluster.finished.values()) <= 4


def test_no_handful_holds_more_tasks_than_are_allowed_however_short_they_are() -> None:
    assert max(sizes(played(800, 0.0001, peers=2))) == SETTINGS.handful_tasks_max


def test_long_tasks_and_those_of_unknown_length_go_alone() -> None:
    assert set(sizes(played(40, 0.2))) == {1}
    assert sizes(played(400, 0.004))[:4] == [1, 1, 1, 1]


def test_handfuls_shrink_towards_the_end_so_that_all_peers_end_together() -> None:
    cluster = played(400, 0.004)
    begun = {by: at for at, by, phase, *_ in cluster.begun if phase is Phase.MAP}
    assert sizes(cluster)[-4:] == [1, 1, 1, 1]
    assert max(begun.values()) - min(begun.values()) < 0.1


def test_messages_are_few_while_a_handful_is_under_way() -> None:
    cluster = played(2000, 0.001)
    assert cluster.told["ClaimNews"] < 800


def test_what_waits_behind_a_task_that_takes_long_is_left_to_others() -> None:
    cluster = Cluster(3, slots=1, task_s=0.004)
    record = job_record(600, 0)
    cluster.submit(record)
    cluster.run_until(lambda: max(sizes(cluster), default=0) > 8)
    stuck = cluster.begun[-1][1]
    cluster.slowed[stuck] = 5000.0
    cluster.run_until(lambda: sum(cluster.finished.values()) >= 598)
    assert cluster.now < 4.0


def test_task_that_failed_goes_alone_from_then_on() -> None:
    cluster = Cluster(1, slots=1, task_s=0.004)
    cluster.broken[Phase.MAP, 7] = UserError(kind="ValueError", message="no")
    cluster.submit(job_record(100, 1, max_attempts=3))
    cluster.run_until(lambda: cluster.all_in(JobState.FAILED))
    at_seven = [at for at, _, phase, task, _ in cluster.begun if (phase, task) == (Phase.MAP, 7)]
    beside = Counter(at for at, *_ in cluster.begun)
    assert [beside[at] for at in at_seven[1:]] == [1, 1]
