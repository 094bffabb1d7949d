"""Writes whose copies leave before the coordinator's own is durable: what holds if that one fails."""

from ring_cluster import RingCluster

from murmuration.ring.effects import Failed, PutDone
from murmuration.ring.messages import StoreVersions
from murmuration.ring.operations import MergeVersions, MintVersion, Operation


def is_mint(operation: Operation) -> bool:
    return isinstance(operation, MintVersion)


def minted(cluster: RingCluster) -> list[MintVersion]:
    return [operation for _, _, operation in cluster.operated if isinstance(operation, MintVersion)]


def test_copies_leave_before_the_own_one_is_durable() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.put(0, key, b"value")
    cluster.run(30.0, until=lambda: any(isinstance(message, StoreVersions) for *_, message in cluster.sent))
    assert [operation.is_foretold for operation in minted(cluster)] == [True]
    assert cluster.now - next(at for at, _, operation in cluster.operated if is_mint(operation)) < 0.0005


def test_write_stands_by_the_copies_of_others_where_the_own_disk_fails_and_is_hinted_there() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.disks[0].fails = is_mint
    done = cluster.must_put(0, key, b"value")
    assert (done.primaries, done.fallbacks) == (2, 0)
    cluster.run(10.0)
    assert all(cluster.live_values(number, key) == [b"value"] for number in range(3))


def test_write_before_a_failed_one_is_not_taken_for_overwritten_by_the_next() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.disks[0].fails = lambda operation: isinstance(operation, MintVersion | MergeVersions)
    cluster.must_put(0, key, b"one")
    cluster.disks[0].fails = lambda operation: False
    cluster.must_put(0, key, b"two")
    cluster.run(10.0)
    assert sorted(filter(None, cluster.values(1, key))) == [b"one", b"two"]
    assert len({operation.actor for operation in minted(cluster)}) == 2


def test_write_behind_a_foretold_one_waits_and_both_stand_though_the_first_fails() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.disks[0].fails = lambda operation: isinstance(operation, MintVersion) and operation.value == b"one"
    requests = [cluster.put(0, key, b"one"), cluster.put(0, key, b"two")]
    assert len(minted(cluster)) == 1
    assert all(isinstance(cluster.answer(request), PutDone) for request in requests)
    cluster.run(10.0)
    assert sorted(filter(None, cluster.values(2, key))) == [b"one", b"two"]


def test_writes_of_one_key_that_wait_go_together_and_none_of_them_is_foretold() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    requests = [cluster.put(0, key, b"%d" % number) for number in range(5)]
    assert all(isinstance(cluster.answer(request), PutDone) for request in requests)
    assert [operation.is_foretold for operation in minted(cluster)] == [True, False, False, False, False]
    assert len(cluster.values(1, key)) == 5


def test_write_of_which_no_copy_has_left_is_refused_as_not_written() -> None:
    cluster = RingCluster(1)
    cluster.disks[0].fails = is_mint
    answer = cluster.answer(cluster.put(0, b"key", b"value"))
    assert isinstance(answer, Failed)
    assert (answer.reason, answer.is_unknown) == ("nothing was written: disk full", False)


def test_nothing_is_foretold_after_a_failure_until_a_write_is_durable() -> None:
    cluster = RingCluster(3)
    keys = [key for number in range(200) if cluster.order(key := b"key%d" % number)[0] == 0][:4]
    cluster.disks[0].fails = is_mint
    for key in keys[:2]:
        cluster.must_put(0, key, b"value")
    cluster.disks[0].fails = lambda operation: False
    for key in keys[2:]:
        cluster.must_put(0, key, b"value")
    mine = [operation for _, at, operation in cluster.operated if at == 0 and isinstance(operation, MintVersion)]
    assert [operation.is_foretold for operation in mine] == [True, False, False, True]


def test_retry_of_a_write_that_failed_here_and_missed_w_is_minted_anew() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.disks[0].fails = is_mint
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    first = cluster.answer(cluster.put(0, key, b"value", request="again", patience_s=1.0))
    assert isinstance(first, Failed)
    assert first.is_unknown
    cluster.run(10.0)
    cluster.heal()
    cluster.disks[0].fails = lambda operation: False
    cluster.put(0, key, b"value", request="again")
    cluster.run(1.0)
    assert isinstance(cluster.answers["again"][1], PutDone)
    assert cluster.live_values(1, key) == [b"value"]


def test_dot_that_a_crash_cut_off_is_not_given_out_again_after_the_restart() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.disks[0].fails = lambda operation: isinstance(operation, MintVersion | MergeVersions)
    cluster.must_put(0, key, b"one")
    cluster.crash(0)
    cluster.disks[0].fails = lambda operation: False
    cluster.restart(0)
    cluster.run(30.0, until=cluster.all_alive)
    cluster.must_put(0, key, b"two")
    cluster.run(10.0)
    assert sorted(filter(None, cluster.values(1, key))) == [b"one", b"two"]
