"""Reads and listings: what counts towards R, what absent means, how copies are repaired, and that pages are exact."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from member_net import peer
from ring_cluster import ONE, RingCluster

from murmuration.ring.effects import Failed, GetDone, KeysDone
from murmuration.ring.messages import FetchVersions, KeysListed, ListKeys, StoreVersions
from murmuration.ring.requests.quorum import QuorumSettings
from murmuration.ring.terms import Quorum


def stores(cluster: RingCluster, key: bytes) -> list[int]:
    """List to whom copies of a key were sent."""
    return [to for _, _, to, message in cluster.sent if isinstance(message, StoreVersions) and message.key == key]


def read_in_full(cluster: RingCluster, at: int, key: bytes) -> None:
    """Read so often that all primaries were asked at once in the end."""
    for _ in range(QuorumSettings().full_read_every):
        cluster.must_get(at, key)


def test_absent_key_is_said_to_be_absent() -> None:
    cluster = RingCluster(5)
    done = cluster.must_get(0, b"nothing")
    assert (done.siblings, done.context) == ((), {})


def test_read_reaches_r_with_a_primary_dead_and_long_before_the_detector_knows() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(0, key, b"value")
    cluster.run(1.0)
    cluster.crash(1)
    asked_at = cluster.now
    assert cluster.values(0, key) == [b"value"]
    assert cluster.now - asked_at < 0.1


def test_silent_replica_is_hedged_by_the_next_peer_after_a_quarter_second() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    cluster.run(1.0)
    cluster.disks[cluster.order(key)[3]].rows |= cluster.disks[3].rows
    cluster.crash(1)
    cluster.crash(2)
    asked_at = cluster.now
    assert cluster.values(0, key) == [b"value"]
    assert 0.25 < cluster.now - asked_at < 0.3


def test_fallback_without_a_copy_proves_nothing_while_a_primary_is_up() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    for number in (2, 3):
        cluster.crash(number)
    assert cluster.run(30.0, lambda: all(map(cluster.knows_dead, (2, 3))))
    answer = cluster.answer(cluster.get(0, key, patience_s=2.0))
    assert isinstance(answer, Failed)
    assert answer.reason == "1 replicas answered in time, 2 were wanted"


def test_fallbacks_count_when_no_primary_is_up_but_do_not_tell_that_a_key_is_absent() -> None:
    cluster = RingCluster(6)
    key, other = cluster.key_with(1, 2, 3), cluster.key_with(1, 2, 3, prefix=b"other")
    cluster.must_put(0, other, b"value")
    for number in (1, 2, 3):
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (1, 2, 3))))
    cluster.must_put(0, key, b"value")
    assert cluster.values(4, key) == [b"value"]
    answer = cluster.answer(cluster.get(0, other))
    assert isinstance(answer, Failed)
    assert answer.reason == "cannot tell whether the key is there: none of its 3 homes answers"


def test_sloppy_copy_at_a_fallback_is_read_while_its_primary_is_away() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    for number in (2, 3):
        cluster.crash(number)
    assert cluster.run(30.0, lambda: all(map(cluster.knows_dead, (2, 3))))
    cluster.must_put(0, key, b"value")
    assert cluster.values(4, key) == [b"value"]


def test_read_of_one_copy_waits_for_the_others_before_it_says_absent() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    cluster.answer(cluster.put(3, key, b"value", quorum=Quorum(writes_required=1), patience_s=0.1))
    done = cluster.answer(cluster.get(1, key, quorum=Quorum(reads_required=1)))
    assert isinstance(done, GetDone)
    assert [sibling.value for sibling in done.siblings] == [b"value"]


def test_strict_read_asks_primaries_only() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    cluster.crash(3)
    answer = cluster.answer(cluster.get(0, key, quorum=Quorum(strict=True), patience_s=2.0))
    assert isinstance(answer, Failed)
    asked = {to for _, _, to, message in cluster.sent if isinstance(message, FetchVersions)}
    assert asked <= {1, 2, 3}


def test_read_waits_out_lost_messages_where_nobody_is_left_to_hedge_with() -> None:
    cluster = RingCluster(2)
    cluster.must_put(0, b"key", b"value")
    lost = [2]

    def is_lost(source: int, to: int, message: object) -> bool:
        lost[0] -= isinstance(message, FetchVersions)
        return isinstance(message, FetchVersions) and lost[0] >= 0

    cluster.is_lost = is_lost
    assert cluster.values(0, b"key") == [b"value"]


def test_stale_and_missing_primaries_are_repaired_and_fallbacks_are_not() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    context = cluster.must_put(1, key, b"old").context
    cluster.run(1.0)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    cluster.put(1, key, b"new", context, patience_s=0.1)
    cluster.run(0.4)
    del cluster.disks[3].rows[b"v/" + key]
    cluster.heal()
    cluster.sent.clear()
    cluster.answer(cluster.get(0, key, quorum=Quorum(reads_required=3)))
    cluster.run(0.05)
    assert [cluster.live_values(number, key) for number in (1, 2, 3)] == [[b"new"]] * 3
    assert set(stores(cluster, key)) == {2, 3}


def test_fallback_that_was_asked_and_has_no_copy_is_not_given_one() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    cluster.run(3.0)
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    cluster.sent.clear()
    read_in_full(cluster, 0, key)
    cluster.run(3.0)
    fallback = cluster.order(key)[3]
    assert any(isinstance(m, FetchVersions) and m.key == key and to == fallback for _, _, to, m in cluster.sent)
    assert stores(cluster, key) == []


def test_read_asks_no_more_than_r_primaries_and_itself_first_but_one_in_eight_asks_all() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(3, key, b"value")
    cluster.run(3.0)
    asked = []
    for _ in range(8):
        cluster.sent.clear()
        cluster.must_get(3, key)
        asked.append([to for _, _, to, message in cluster.sent if isinstance(message, FetchVersions)])
    assert sorted(asked) == [[1]] * 7 + [[1, 2]]


def test_silent_primary_is_stood_in_for_by_the_primaries_not_asked_yet() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"value")
    cluster.run(1.0)
    cluster.is_lost = lambda source, to, message: isinstance(message, FetchVersions) and to == 1
    asked_at = cluster.now
    assert [cluster.values(0, b"key") for _ in range(8)] == [[b"value"]] * 8
    assert cluster.now - asked_at < 8 * 0.1


def test_copy_that_is_missing_where_it_was_asked_for_is_found_at_the_other_primaries() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"value")
    cluster.run(1.0)
    for number in (0, 1):
        del cluster.disks[number].rows[b"v/key"]
    asked_at = cluster.now
    assert cluster.values(0, b"key") == [b"value"]
    assert cluster.now - asked_at < 0.05


def test_straggler_that_answers_after_r_is_repaired_too() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    cluster.run(3.0)
    del cluster.disks[3].rows[b"v/" + key]
    read_in_full(cluster, 1, key)
    cluster.run(1.0)
    assert cluster.live_values(3, key) == [b"value"]


def test_current_copies_are_left_alone() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    cluster.run(3.0)
    cluster.sent.clear()
    cluster.must_get(0, key)
    cluster.run(3.0)
    assert stores(cluster, key) == []


def test_unreadable_copy_is_no_answer_and_is_repaired() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(1, key, b"value")
    cluster.run(3.0)
    cluster.disks[1].bad_keys.add(key)
    assert cluster.values(1, key) == [b"value"]
    cluster.run(1.0)
    assert cluster.disks[1].bad_keys == set()
    assert cluster.live_values(1, key) == [b"value"]


def test_unreadable_copy_is_never_taken_for_absent() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.disks[1].bad_keys.add(key)
    answer = cluster.answer(cluster.get(0, key, patience_s=1.0))
    assert isinstance(answer, Failed)
    assert "unreadable" in answer.reason


def test_repair_never_brings_a_deleted_value_back() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    context = cluster.must_put(1, key, b"value").context
    cluster.run(1.0)
    cluster.is_lost = lambda source, to, message: 3 in (source, to) and isinstance(message, StoreVersions)
    cluster.must_put(1, key, None, context)
    cluster.heal()
    assert cluster.live_values(3, key) == [b"value"]
    cluster.answer(cluster.get(3, key, quorum=Quorum(reads_required=3)))
    cluster.run(3.0)
    assert [cluster.live_values(number, key) for number in (1, 2, 3)] == [[None]] * 3


def test_read_finds_the_key_at_its_old_home_right_after_peers_have_joined() -> None:
    cluster = RingCluster(1)
    for number in range(40):
        cluster.must_put(0, b"key%d" % number, b"value")
    for number in (1, 2, 3, 4):
        cluster.start(number)
    cluster.run(5.0, cluster.all_alive)
    assert all(cluster.values(1 + number % 4, b"key%d" % number) == [b"value"] for number in range(40))


# --- listings ---


def page(cluster: RingCluster, at: int, prefix: bytes, after: bytes = b"", limit: int = 100) -> KeysDone:
    done = cluster.answer(cluster.keys(at, prefix, after, limit))
    assert isinstance(done, KeysDone), done
    return done


def test_listing_gives_each_live_key_once_in_order_and_no_deleted_one() -> None:
    cluster = RingCluster(5)
    for number in range(30):
        cluster.must_put(0, b"a/%02d" % number, b"value")
        cluster.must_put(0, b"b/%02d" % number, b"value")
    for number in range(0, 30, 3):
        key = b"a/%02d" % number
        cluster.must_put(1, key, None, cluster.must_get(1, key).context)
    wanted = tuple(b"a/%02d" % number for number in range(30) if number % 3)
    assert page(cluster, 2, b"a/") == KeysDone(keys=wanted, more=False)


def test_deleted_key_is_hidden_though_one_peer_has_not_heard_of_it() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    context = cluster.must_put(1, key, b"value").context
    cluster.run(1.0)
    cluster.is_lost = lambda source, to, message: 3 in (source, to) and isinstance(message, StoreVersions)
    cluster.must_put(1, key, None, context)
    cluster.heal()
    assert cluster.live_values(3, key) == [b"value"]
    assert page(cluster, 0, b"key").keys == ()


@settings(max_examples=8, deadline=None)
@given(
    limit=st.integers(1, 12),
    deleted=st.sets(st.integers(0, 149)),
    held=st.lists(st.sets(st.integers(0, 3), min_size=1, max_size=3), min_size=150, max_size=150),
)
def test_pages_put_together_are_exactly_the_live_keys(limit: int, deleted: set[int], held: list[set[int]]) -> None:
    """Peers hold very different parts, so that some have more than a page where others are at their end."""
    cluster = RingCluster(1)
    for number in range(150):
        key = b"k%03d" % number
        context = cluster.must_put(0, key, b"value").context
        if number in deleted:
            cluster.must_put(0, key, None, context)
    copies = {row: value for row, value in cluster.disks[0].rows.items() if row.startswith(b"v/")}
    for other in (1, 2, 3):
        cluster.start(other)
    cluster.run(5.0, cluster.all_alive)
    for number, disk in cluster.disks.items():
        disk.rows = {row: value for row, value in copies.items() if number in held[int(row[3:])]}
    listed: list[bytes] = []
    more = True
    while more:
        done = page(cluster, 3, b"k", listed[-1] if listed else b"", limit)
        assert len(done.keys) == limit or not done.more
        listed += done.keys
        more = done.more
    assert listed == [b"k%03d" % number for number in range(150) if number not in deleted]


@pytest.mark.parametrize("limit", [7, 30, 100])
def test_stale_copies_beyond_the_page_of_a_peer_that_knows_better_are_not_listed(limit: int) -> None:
    """One peer's page ends among tombstones, others hold only some of these keys and have not heard of the deletes."""
    cluster = RingCluster(1)
    keys = [b"k%03d" % number for number in range(200)]
    contexts = [cluster.must_put(0, key, b"value").context for key in keys]
    stale = cluster.disks[0].rows.copy()
    for key, context in zip(keys[:150], contexts, strict=False):
        cluster.must_put(0, key, None, context)
    for other in (1, 2, 3):
        cluster.start(other)
    cluster.run(5.0, cluster.all_alive)
    cluster.disks[1].rows = {row: stale[row] for row in sorted(stale)[1::2]}
    cluster.disks[2].rows = {row: stale[row] for row in sorted(stale)[80:]}
    cluster.disks[3].rows = {row: stale[row] for row in sorted(stale)[::3]}
    listed: list[bytes] = []
    more = True
    while more:
        done = page(cluster, 2, b"k", listed[-1] if listed else b"", limit)
        listed += done.keys
        more = done.more
    assert listed == keys[150:]


def test_listing_goes_on_without_a_peer_that_dies_meanwhile() -> None:
    cluster = RingCluster(5)
    for number in range(10):
        cluster.must_put(0, b"k%d" % number, b"value")
    cluster.run(1.0)
    cluster.crash(4)
    assert page(cluster, 0, b"k") == KeysDone(keys=tuple(b"k%d" % number for number in range(10)), more=False)


def test_listing_asks_again_when_a_page_is_lost() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"k", b"value")
    lost = [1]

    def is_lost(source: int, to: int, message: object) -> bool:
        lost[0] -= isinstance(message, KeysListed)
        return isinstance(message, KeysListed) and lost[0] >= 0

    cluster.is_lost = is_lost
    assert page(cluster, 0, b"k").keys == (b"k",)
    assert sum(isinstance(message, ListKeys) for _, _, _, message in cluster.sent) == 3


@pytest.mark.parametrize("size", [1, 2])
def test_read_with_one_replica_is_served_by_the_only_home(size: int) -> None:
    cluster = RingCluster(size)
    cluster.answer(cluster.put(0, b"key", b"value", quorum=ONE))
    done = cluster.answer(cluster.get(size - 1, b"key", quorum=ONE))
    assert isinstance(done, GetDone)
    assert done.replicas == 1
    assert [sibling.value for sibling in done.siblings] == [b"value"]


# --- corrupt copies ---


def copies(cluster: RingCluster, key: bytes) -> list[list[bytes | None]]:
    return [cluster.live_values(home, key) for home in cluster.order(key)[:3]]


def test_corrupt_copy_is_replaced_by_the_next_write() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"old")
    context = cluster.must_get(0, b"key").context
    cluster.disks[1].rows[b"v/key"] = b"\xc1"
    cluster.must_put(0, b"key", b"new", context)
    cluster.run(1.0)
    assert copies(cluster, b"key") == [[b"new"]] * 3


def test_coordinator_whose_copy_was_replaced_gives_a_context_that_covers_its_write() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"one")
    first = cluster.must_get(0, b"key").context
    cluster.disks[0].rows[b"v/key"] = b"\xc1"
    read_in_full(cluster, 1, b"key")
    cluster.run(1.0)
    second = cluster.must_put(0, b"key", b"two", first)
    assert any(actor.startswith(f"{peer(0)}.1.") and actor.endswith("~1") for actor in second.context)
    cluster.must_put(2, b"key", b"three", second.context)
    assert cluster.values(1, b"key") == [b"three"]


def test_list_of_keys_passes_over_a_corrupt_copy_and_has_it_mended() -> None:
    cluster = RingCluster(4)
    keys = [b"key%d" % number for number in range(8)]
    for key in keys:
        cluster.must_put(0, key, b"value")
    cluster.run(2.0)
    key = keys[3]
    victim = cluster.order(key)[2]
    cluster.disks[victim].rows[b"v/" + key] = b"\xc1"
    done = cluster.answer(cluster.keys(victim, b"key"))
    assert isinstance(done, KeysDone)
    assert list(done.keys) == keys
    cluster.run(3.0)
    assert copies(cluster, key) == [[b"value"]] * 3


def test_corrupt_copy_that_nobody_else_has_stays_and_troubles_nobody() -> None:
    cluster = RingCluster(1)
    cluster.must_put(0, b"key", b"value")
    cluster.must_put(0, b"kez", b"value")
    cluster.disks[0].rows[b"v/key"] = b"\xc1"
    done = cluster.answer(cluster.keys(0, b""))
    assert isinstance(done, KeysDone)
    assert done.keys == (b"kez",)
    cluster.run(5.0)
    assert cluster.disks[0].rows[b"v/key"] == b"\xc1"
