"""After a start the records of jobs that have not ended come to mind, page by page; ended ones do not."""

import pytest
from member_net import peer
from ring_cluster import RingCluster

from murmuration.ring.copies.versions import EMPTY, mint
from murmuration.ring.facts import Ballot
from murmuration.ring.namespaces import ending_register
from murmuration.ring.operations import AcceptBallot, ListOpenRecords, MergeVersions, PromiseBallot
from murmuration.ring.outcomes import StoreFailed


def job(number: int) -> bytes:
    return b"job/%04d" % number


def restarted(cluster: RingCluster, number: int) -> list[bytes]:
    """Start a peer; give the records that it sees."""
    cluster.crash(number)
    cluster.records.clear()
    cluster.start(number, seeds=())
    cluster.run(1.0)
    return [seen.key for at, seen in cluster.records if at == number]


def alone(records: int) -> RingCluster:
    cluster = RingCluster(1)
    for number in range(records):
        cluster.disks[0].carry_out(MergeVersions(key=job(number), versions=mint(EMPTY, {}, b"%d" % number, "A")))
    return cluster


@pytest.mark.parametrize("records", [0, 1, 16, 17, 40])
def test_open_records_are_seen_once_each_after_a_start(records: int) -> None:
    cluster = alone(records)
    assert restarted(cluster, 0) == [job(number) for number in range(records)]
    pages = [operation for _, _, operation in cluster.operated if isinstance(operation, ListOpenRecords)]
    assert all(page.limit == 16 for page in pages)
    assert {seen.values for _, seen in cluster.records} == {(b"%d" % number,) for number in range(records)}


def test_record_whose_ending_this_peer_has_accepted_is_not_open_and_one_that_it_only_promised_is() -> None:
    cluster = alone(3)
    ballot = Ballot(round=1, proposer="p")
    cluster.disks[0].carry_out(AcceptBallot(key=ending_register(job(0)), ballot=ballot, value=b"end"))
    cluster.disks[0].carry_out(PromiseBallot(key=ending_register(job(1)), ballot=ballot))
    assert restarted(cluster, 0) == [job(1), job(2)]


def test_deleted_and_damaged_records_and_other_keys_are_left_out() -> None:
    cluster = alone(4)
    disk = cluster.disks[0]
    gone = mint(EMPTY, {}, None, "A")
    disk.rows[b"v/" + job(0)] = b"\xc1"
    del disk.rows[b"v/" + job(1)]
    disk.carry_out(MergeVersions(key=job(1), versions=gone))
    disk.rows[b"p/" + ending_register(job(2))] = b"\xc1"
    disk.carry_out(MergeVersions(key=b"joc", versions=mint(EMPTY, {}, b"x", "A")))
    assert restarted(cluster, 0) == [job(2), job(3)]


def test_disk_that_fails_ends_the_walk_and_nothing_else() -> None:
    cluster = alone(3)
    cluster.disks[0].refuses = lambda operation: isinstance(operation, ListOpenRecords)
    assert isinstance(cluster.disks[0].carry_out(ListOpenRecords(after=b"", limit=1)), StoreFailed)
    assert restarted(cluster, 0) == []
    assert cluster.rings[0].alive(peer(0))
    cluster.must_put(0, b"key", b"value")
