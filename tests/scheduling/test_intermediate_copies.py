"""Runs that are kept in the ring outlive the peers that made them, so no split is done again."""

import pytest
from scheduling_cluster import Cluster, job_record

from murmuration.scheduling.jobs import Phase


@pytest.mark.parametrize(("copies", "redone"), [(1, True), (2, False)])
def test_split_whose_run_is_lost_after_the_seal_is_done_again_only_without_copies(copies: int, *, redone: bool) -> None:
    cluster = Cluster(4)
    record = job_record(12, 8, intermediate_replicas=copies)
    cluster.submit(record)
    cluster.run_until(
        lambda: cluster.job(cluster.peers[0]) is not None and cluster.job(cluster.peers[0]).seal is not None
    )
    victim = cluster.peers[2]
    cluster.lost_runs |= {
        attempt for _, peer, phase, _, attempt in cluster.begun if peer == victim and phase is Phase.MAP
    }
    cluster.kill(victim)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    maps = sum(count for (phase, _), count in cluster.finished.items() if phase is Phase.MAP)
    assert (maps > 12) == redone


def test_run_counts_as_done_only_when_its_copies_are_placed() -> None:
    cluster = Cluster(3)
    cluster.placing_fails = 4
    record = job_record(6, 2, intermediate_replicas=2)
    cluster.submit(record)
    cluster.run_until(cluster.done)
    cluster.assert_exact(record)
    assert [part.name for part in cluster.ending().parts] == ["part-r-00000", "part-r-00001"]
