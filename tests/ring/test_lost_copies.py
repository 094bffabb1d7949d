"""A key that no home can read: it can be written and deleted again, and whoever does so is told what that costs."""

from ring_cluster import ALL, RingCluster

from murmuration.ring.effects import Failed, PutDone
from murmuration.ring.operations import MintVersion
from murmuration.ring.outcomes import VersionsMerged


def spoilt(cluster: RingCluster, key: bytes, *numbers: int) -> None:
    for number in numbers:
        cluster.disks[number].bad_keys.add(key)


def test_key_that_is_corrupt_at_all_its_homes_can_be_written_and_the_writer_is_told_of_the_loss() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"lost")
    cluster.run(1.0)
    spoilt(cluster, b"key", 0, 1, 2)
    done = cluster.answer(cluster.put(0, b"key", b"new", quorum=ALL))
    assert isinstance(done, PutDone)
    assert done.replaced_corrupt
    assert (done.primaries, done.siblings) == (3, 1)
    assert [cluster.values(number, b"key") for number in range(3)] == [[b"new"]] * 3


def test_key_that_is_corrupt_at_all_its_homes_can_be_deleted() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"lost")
    cluster.run(1.0)
    spoilt(cluster, b"key", 0, 1, 2)
    assert cluster.must_put(1, b"key", None).replaced_corrupt
    assert cluster.values(2, b"key") == [None]


def test_write_over_corrupt_copies_uses_no_dot_again() -> None:
    cluster = RingCluster(1)
    first = cluster.must_put(0, b"key", b"lost").context
    spoilt(cluster, b"key", 0)
    second = cluster.must_put(0, b"key", b"new").context
    assert not set(first) & set(second)
    spoilt(cluster, b"key", 0)
    assert not set(second) & set(cluster.must_put(0, b"key", b"newer").context)


def test_write_goes_to_a_home_that_can_read_its_copy_while_there_is_one() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2, 0)
    context = cluster.must_put(0, key, b"old").context
    cluster.run(1.0)
    spoilt(cluster, key, 1, 2)
    done = cluster.must_put(1, key, b"new", context)
    assert not done.replaced_corrupt
    cluster.run(1.0)
    assert cluster.values(1, key) == [b"new"]


def test_value_at_a_home_that_was_away_stands_beside_what_was_written_over_the_corrupt_copies() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2, 0)
    cluster.must_put(1, key, b"old")
    cluster.run(1.0)
    cluster.crash(0)
    assert cluster.run(30.0, lambda: cluster.knows_dead(0))
    spoilt(cluster, key, 1, 2)
    assert cluster.must_put(1, key, b"new").replaced_corrupt
    cluster.restart(0)
    cluster.run(10.0)
    assert cluster.answer(cluster.get(1, key, quorum=ALL))
    cluster.run(2.0)
    assert cluster.values(2, key) == [b"new", b"old"]


def test_read_of_a_key_that_no_home_can_read_is_told_apart_from_too_few_answers() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"lost")
    cluster.run(1.0)
    spoilt(cluster, b"key", 0, 1, 2)
    answer = cluster.answer(cluster.get(0, b"key", patience_s=1.0))
    assert isinstance(answer, Failed)
    assert answer.is_corrupt


def test_mint_that_is_not_told_to_leaves_a_corrupt_copy_alone() -> None:
    cluster = RingCluster(1)
    cluster.must_put(0, b"key", b"lost")
    spoilt(cluster, b"key", 0)
    disk = cluster.disks[0]
    mint = MintVersion(key=b"key", value=b"new", context={}, actor="A")
    assert not isinstance(disk.carry_out(mint), VersionsMerged)
    assert b"key" in disk.bad_keys
