"""Anti-entropy alone makes homes alike, and forgets deletes only when nobody can undo them."""

from dataclasses import replace

import pytest
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.copies.versions import EMPTY, mint
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.messages import CompareTrees, StoreVersions
from murmuration.ring.operations import DropCopy, MergeVersions, NoteChunk

QUICK = EntropySettings(exchange_s=2.0, hurry_s=1.0, tombstone_grace_s=5.0, settle_s=5.0)


def cluster_of(size: int, **changes: float) -> RingCluster:
    return RingCluster(size, settings=replace(SETTINGS, entropy=replace(QUICK, **changes)))


def holders(cluster: RingCluster, key: bytes) -> list[int]:
    return sorted(number for number, disk in cluster.disks.items() if b"v/" + key in disk.rows)


def homes(cluster: RingCluster, key: bytes, count: int = 3) -> list[int]:
    return sorted(cluster.order(key)[:count])


def plant(cluster: RingCluster, number: int, key: bytes, value: bytes | None, actor: str = "A", *over: str) -> None:
    """Write behind the back of the machines."""
    context = dict.fromkeys(over, 1)
    cluster.disks[number].carry_out(MergeVersions(key=key, versions=mint(EMPTY, context, value, actor)))


def alike(cluster: RingCluster, keys: list[bytes]) -> bool:
    return all(holders(cluster, key) == homes(cluster, key) for key in keys)


def test_keys_that_one_home_has_reach_all_homes_whoever_they_are() -> None:
    cluster = cluster_of(5)
    keys = [b"key%d" % number for number in range(100)]
    for number, key in enumerate(keys):
        plant(cluster, cluster.order(key)[number % 3], key, b"v")
    assert cluster.run(60.0, lambda: alike(cluster, keys))
    copies = {cluster.disks[number].rows[b"v/" + key] for key in keys[:1] for number in homes(cluster, key)}
    assert len(copies) == 1


def test_difference_is_repaired_in_both_directions() -> None:
    cluster = cluster_of(3)
    plant(cluster, 0, b"k", b"a", "A")
    plant(cluster, 1, b"k", b"b", "B")
    expected = [b"a", b"b"]
    assert cluster.run(30.0, lambda: all(cluster.live_values(number, b"k") == expected for number in range(3)))


def test_record_reaches_its_five_homes_and_another_key_its_three() -> None:
    cluster = cluster_of(7)
    record, key = b"job/1", b"key"
    plant(cluster, cluster.order(record)[0], record, b"v")
    plant(cluster, cluster.order(key)[0], key, b"v")
    done = lambda: (  # noqa: E731
        holders(cluster, record) == homes(cluster, record, 5) and holders(cluster, key) == homes(cluster, key)
    )
    assert cluster.run(60.0, done)


def test_exchange_of_equal_peers_asks_once_and_moves_nothing() -> None:
    cluster = cluster_of(3)
    keys = [b"key%d" % number for number in range(50)]
    for key in keys:
        plant(cluster, 0, key, b"v")
    cluster.run(60.0, lambda: alike(cluster, keys))
    cluster.run(10.0)
    cluster.sent.clear()
    cluster.run(20.0)
    kinds = {type(message).__name__ for _, _, _, message in cluster.sent}
    assert "CompareTrees" in kinds
    assert not kinds & {"CompareLeaves", "StoreVersions", "FetchVersions"}


def test_write_on_its_way_is_not_repaired_for_it_is_gone_at_the_second_look() -> None:
    cluster = cluster_of(3)
    cluster.run(10.0)
    cluster.sent.clear()
    for number in range(100):
        cluster.put(number % 3, b"key%d" % (number % 20), b"%d" % number)
        cluster.run(0.1)
    assert "CompareLeaves" not in {type(message).__name__ for _, _, _, message in cluster.sent}


def test_peer_that_is_back_is_compared_at_once() -> None:
    cluster = cluster_of(3, exchange_s=1000.0)
    cluster.crash(2)
    cluster.run(20.0, lambda: cluster.knows_dead(2))
    plant(cluster, 0, b"k", b"v")
    cluster.restart(2)
    assert cluster.run(15.0, lambda: cluster.live_values(2, b"k") == [b"v"])


def test_corrupt_copy_is_replaced_by_an_exchange() -> None:
    cluster = cluster_of(3)
    for number in range(3):
        plant(cluster, number, b"k", b"v")
    plant(cluster, 0, b"k", b"w", "B", "A")
    cluster.disks[1].bad_keys.add(b"k")
    assert cluster.run(30.0, lambda: not cluster.disks[1].bad_keys)
    assert cluster.live_values(1, b"k") == [b"w"]


def test_difference_that_cannot_be_repaired_keeps_nobody_from_being_compared() -> None:
    """A peer that never gets what it lacks is not met again and again, while others wait."""
    cluster = cluster_of(3)
    cluster.run(10.0)
    cluster.disks[1].refuses = lambda operation: isinstance(operation, MergeVersions)
    plant(cluster, 0, b"k", b"v")
    cluster.run(10.0)
    cluster.sent.clear()
    cluster.run(60.0)
    asked = [to for _, source, to, message in cluster.sent if source == 0 and isinstance(message, CompareTrees)]
    assert asked.count(2) >= 3, asked


def test_chunk_that_a_home_lacks_is_pulled_from_another() -> None:
    cluster = cluster_of(5)
    digest = b"d" * 32
    order = cluster.order(b"chunk/" + digest)
    cluster.disks[order[1]].chunks.add(digest)
    cluster.disks[order[1]].carry_out(NoteChunk(digest=digest, size=100))
    assert cluster.run(30.0, lambda: all(digest in cluster.disks[number].chunks for number in order[:3]))
    cluster.run(5.0)
    assert all(b"c/" + digest in cluster.disks[number].rows for number in order[:3])


def test_stray_is_handed_to_all_homes_and_then_given_up() -> None:
    cluster = cluster_of(5)
    key = b"key"
    plant(cluster, cluster.order(key)[4], key, b"v")
    assert cluster.run(30.0, lambda: holders(cluster, key) == homes(cluster, key))
    assert cluster.values(0, key) == [b"v"]


def test_stray_stays_while_a_home_is_away() -> None:
    cluster = cluster_of(5)
    key = b"key"
    stray, away = cluster.order(key)[4], cluster.order(key)[1]
    cluster.crash(away)
    cluster.run(20.0, lambda: cluster.knows_dead(away))
    plant(cluster, stray, key, b"v")
    cluster.run(30.0)
    assert stray in holders(cluster, key)
    cluster.restart(away)
    assert cluster.run(30.0, lambda: holders(cluster, key) == homes(cluster, key))


def test_stray_stays_until_every_home_has_acknowledged_it() -> None:
    cluster = cluster_of(5)
    key = b"key"
    stray, deaf = cluster.order(key)[4], cluster.order(key)[1]
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions) and to == deaf
    plant(cluster, stray, key, b"v")
    cluster.run(15.0)
    assert stray in holders(cluster, key)
    cluster.heal()
    assert cluster.run(30.0, lambda: holders(cluster, key) == homes(cluster, key))


# --- tombstones ---


def test_tombstone_is_reaped_everywhere_once_all_have_it() -> None:
    cluster = cluster_of(5)
    done = cluster.must_put(0, b"k", b"v")
    cluster.must_put(0, b"k", None, done.context)
    cluster.run(4.0)
    assert holders(cluster, b"k") == homes(cluster, b"k")
    assert cluster.run(60.0, lambda: not holders(cluster, b"k"))
    left = {row for disk in cluster.disks.values() for row in disk.rows if row[:2] in (b"v/", b"i/", b"d/", b"h/")}
    assert not left
    assert cluster.values(1, b"k") == []


def test_tombstone_waits_for_a_home_that_is_away_and_nothing_comes_back() -> None:
    cluster = cluster_of(3)
    done = cluster.must_put(0, b"k", b"v")
    cluster.run(2.0)
    cluster.crash(2)
    cluster.run(20.0, lambda: cluster.knows_dead(2))
    cluster.must_put(0, b"k", None, done.context)
    cluster.run(60.0)
    assert {0, 1} <= set(holders(cluster, b"k"))
    cluster.restart(2)
    assert cluster.run(90.0, lambda: not holders(cluster, b"k"))
    cluster.run(20.0)
    assert cluster.values(1, b"k") == []


def test_tombstone_waits_for_a_member_that_is_no_home_for_it_may_keep_a_stray() -> None:
    cluster = cluster_of(5)
    key = b"k"
    stray = cluster.order(key)[4]
    cluster.crash(stray)
    cluster.run(20.0, lambda: cluster.knows_dead(stray))
    asked = next(iter(cluster.rings))
    done = cluster.must_put(asked, key, b"v")
    plant_copy = cluster.disks[homes(cluster, key)[0]].copy_of(key)
    assert plant_copy is not None
    cluster.disks[stray].carry_out(MergeVersions(key=key, versions=plant_copy))
    cluster.must_put(asked, key, None, done.context)
    cluster.run(60.0)
    assert holders(cluster, key)
    cluster.restart(stray)
    assert cluster.run(120.0, lambda: not holders(cluster, key))
    cluster.run(20.0)
    assert cluster.values(asked, key) == []


def test_hint_of_before_the_delete_brings_nothing_back() -> None:
    cluster = cluster_of(3)
    cluster.crash(2)
    cluster.run(20.0, lambda: cluster.knows_dead(2))
    done = cluster.must_put(0, b"k", b"v")
    cluster.run(5.0)
    cluster.must_put(0, b"k", None, done.context)
    cluster.run(5.0)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions) and to == 2
    cluster.restart(2)
    cluster.run(30.0)
    cluster.heal()
    assert cluster.run(90.0, lambda: not holders(cluster, b"k"))
    cluster.run(30.0)
    assert cluster.values(1, b"k") == []


def test_write_after_a_reaped_delete_uses_no_dot_twice() -> None:
    cluster = cluster_of(3)
    first = cluster.must_put(0, b"k", b"v")
    second = cluster.must_put(0, b"k", None, first.context)
    assert cluster.run(60.0, lambda: not holders(cluster, b"k"))
    third = cluster.must_put(0, b"k", b"w")
    ((actor, counter),) = third.context.items()
    assert counter > second.context.get(actor, 0)
    old = mint(EMPTY, first.context, None, actor)
    cluster.disks[1].carry_out(MergeVersions(key=b"k", versions=old))
    cluster.run(30.0)
    assert cluster.values(1, b"k") in ([b"w"], [None, b"w"], [b"w", None])


def test_peer_that_does_not_know_its_cluster_forgets_nothing() -> None:
    cluster = cluster_of(3)
    done = cluster.must_put(0, b"k", b"v")
    cluster.must_put(0, b"k", None, done.context)
    disk = cluster.disks[1]
    disk.rows = {row: raw for row, raw in disk.rows.items() if not row.startswith(b"m/")}
    for number in range(3):
        cluster.crash(number)
    cluster.operated.clear()
    cluster.start(1, seeds=(0, 2))
    cluster.run(60.0)
    assert not [operation for _, _, operation in cluster.operated if isinstance(operation, DropCopy)]


def test_hints_for_a_peer_that_is_away_too_long_are_dropped() -> None:
    handoff = replace(SETTINGS.handoff, hint_max_age_s=30.0)
    cluster = RingCluster(3, settings=replace(SETTINGS, entropy=QUICK, handoff=handoff))
    cluster.crash(2)
    cluster.run(20.0, lambda: cluster.knows_dead(2))
    cluster.must_put(0, b"k", b"v")
    cluster.run(10.0)
    assert cluster.disks[0].hints(2) + cluster.disks[1].hints(2) == [b"k"]
    assert cluster.run(60.0, lambda: not cluster.disks[0].hints(2) + cluster.disks[1].hints(2))
    cluster.restart(2)
    assert cluster.run(30.0, lambda: cluster.live_values(2, b"k") == [b"v"])


@pytest.mark.parametrize("size", [2, 3])
def test_comparison_of_large_leaves_goes_on_page_after_page(size: int) -> None:
    settings = replace(SETTINGS, vnodes=1, entropy=QUICK)
    cluster = RingCluster(size, settings=settings)
    keys = [b"key%d" % number for number in range(1200)]
    for number, key in enumerate(keys):
        plant(cluster, number % 2, key, b"v")
    assert cluster.run(120.0, lambda: all(holders(cluster, key) == list(range(size)) for key in keys))
    assert any(isinstance(message, CompareTrees) for _, _, _, message in cluster.sent)
