"""Values that end: when readers see it, that they do not come back, and what clocks that differ can do."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ring_cluster import RingCluster

from murmuration.ring.copies.versions import EMPTY, canonical, context_of, covers, endings, expired, join, mint
from murmuration.ring.effects import PutDone
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.messages import StoreVersions
from murmuration.ring.operations import ExpireVersions
from murmuration.ring.outcomes import VersionsExpired

HOUR = 3_600_000
END = 10 * HOUR
LONG_S = 20.0


def at_clock(cluster: RingCluster, unix_ms: int, *numbers: int) -> None:
    for number in numbers or cluster.disks:
        cluster.disks[number].unix_ms = unix_ms


def put_ending(cluster: RingCluster, key: bytes, value: bytes = b"value") -> PutDone:
    done = cluster.answer(cluster.put(0, key, value, expires_at=END))
    assert isinstance(done, PutDone)
    cluster.run(1.0)
    return done


def is_gone(cluster: RingCluster, at: int, key: bytes) -> bool:
    return cluster.values(at, key) == [None]


def test_value_is_read_until_its_end_and_never_from_then_on() -> None:
    cluster = RingCluster(5)
    put_ending(cluster, b"key")
    at_clock(cluster, END - 1)
    assert cluster.values(1, b"key") == [b"value"]
    at_clock(cluster, END)
    assert all(is_gone(cluster, number, b"key") for number in range(5))


def test_owners_turn_what_has_ended_into_a_tombstone_of_the_same_dot() -> None:
    cluster = RingCluster(3)
    put_ending(cluster, b"key")
    before = [disk.copy_of(b"key") for disk in cluster.disks.values()]
    at_clock(cluster, END)
    cluster.run(LONG_S)
    at_clock(cluster, 0)
    after = [disk.copy_of(b"key") for disk in cluster.disks.values()]
    assert [copy.seen for copy in after if copy] == [copy.seen for copy in before if copy]
    assert [[each.value for each in copy.siblings] for copy in after if copy] == [[None]] * 3
    assert not any(row.startswith(b"e/") for disk in cluster.disks.values() for row in disk.rows)


def test_value_that_has_ended_does_not_come_back_by_repair_from_an_owner_whose_clock_is_late() -> None:
    cluster = RingCluster(3)
    put_ending(cluster, b"key")
    at_clock(cluster, END, 0, 1)
    at_clock(cluster, END - HOUR, 2)
    cluster.run(LONG_S)
    assert all(is_gone(cluster, number, b"key") for _ in range(2) for number in range(3))
    cluster.run(1.0)
    at_clock(cluster, END - HOUR)
    assert all(is_gone(cluster, number, b"key") for number in range(3))


def test_value_that_has_ended_does_not_come_back_by_a_hint() -> None:
    cluster = RingCluster(4)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    put_ending(cluster, key)
    at_clock(cluster, END)
    cluster.run(LONG_S)
    cluster.restart(2)
    assert cluster.run(60.0, lambda: all(not cluster.disks[number].hints(2) for number in (0, 1, 3)))
    at_clock(cluster, 0, 2)
    assert cluster.live_values(2, key) in ([], [None])
    assert is_gone(cluster, 0, key)


def test_value_that_has_ended_does_not_come_back_from_an_old_copy_after_its_row_was_reaped() -> None:
    cluster = RingCluster(3)
    put_ending(cluster, b"key")
    at_clock(cluster, END + HOUR)
    for number in (0, 1):
        for row in [row for row in cluster.disks[number].rows if row.endswith(b"key")]:
            del cluster.disks[number].rows[row]
    assert is_gone(cluster, 0, b"key")
    cluster.run(1.0)
    assert all(cluster.live_values(number, b"key") in ([], [None]) for number in range(3))


def test_put_over_a_value_that_ends_is_not_ended_with_it() -> None:
    cluster = RingCluster(3)
    context = put_ending(cluster, b"key").context
    cluster.must_put(0, b"key", b"for ever", context)
    at_clock(cluster, END)
    cluster.run(LONG_S)
    assert cluster.values(0, b"key") == [b"for ever"]


def test_value_that_has_ended_on_arrival_is_never_there() -> None:
    cluster = RingCluster(3)
    at_clock(cluster, END + 1)
    put_ending(cluster, b"key")
    assert is_gone(cluster, 1, b"key")


def test_listing_leaves_out_what_has_ended() -> None:
    cluster = RingCluster(3)
    put_ending(cluster, b"a")
    cluster.must_put(0, b"b", b"value")
    at_clock(cluster, END)
    answer = cluster.answer(cluster.keys(0, b""))
    assert getattr(answer, "keys", None) == (b"b",)


def test_many_ends_at_once_are_set_down_page_by_page() -> None:
    cluster = RingCluster(1)
    for number in range(600):
        cluster.put(0, b"key%d" % number, b"value", expires_at=END)
    cluster.run(2.0)
    at_clock(cluster, END)
    cluster.run(5.1)
    pages = [operation for _, _, operation in cluster.operated if isinstance(operation, ExpireVersions)]
    assert len(pages) >= 3
    assert not any(row.startswith(b"e/") for row in cluster.disks[0].rows)


def test_corrupt_copy_hides_its_end_until_it_is_mended_and_stops_no_other() -> None:
    cluster = RingCluster(1)
    for key in (b"bad", b"good"):
        put_ending(cluster, key)
    disk = cluster.disks[0]
    disk.bad_keys.add(b"bad")
    disk.unix_ms = END
    assert disk.carry_out(ExpireVersions(limit=10)) == VersionsExpired(expired=1, more=False)


# --- the algebra ---

ENDS = st.sampled_from([0, 5, 10])


@st.composite
def copies(draw: st.DrawFn) -> list[Versions]:
    """Draw copies of one key at several owners: each has seen some of one history, by a clock of its own."""
    history = [EMPTY]
    for number in range(draw(st.integers(1, 5))):
        base = history[draw(st.integers(0, number))]
        context = context_of(base) if draw(st.booleans()) else {}
        history.append(mint(base, context, b"%d" % number, f"actor{number}", draw(ENDS)))
    return [expired(copy, draw(st.integers(0, 12))) for copy in history]


@given(copies())
def test_joining_copies_of_different_clocks_is_the_same_in_any_order(held: list[Versions]) -> None:
    for a, b in pairwise(held):
        assert join(a, b) == join(b, a)
        assert join(a, a) == a
        for c in held:
            assert join(join(a, b), c) == join(a, join(b, c))


@given(copies(), copies())
def test_what_one_copy_says_has_ended_no_join_brings_back(held: list[Versions], others: list[Versions]) -> None:
    for a in held:
        ended = {each.dot for each in a.siblings if each.value is None}
        for b in held:
            assert not any(each.dot in ended and each.value is not None for each in join(a, b).siblings)


@given(copies())
def test_copy_that_covers_another_would_not_change_by_merging_it(held: list[Versions]) -> None:
    for a in held:
        for b in held:
            assert not covers(a, b) or join(a, b) == a


@given(copies(), st.integers(0, 12))
def test_expiring_late_or_early_only_shifts_the_end(held: list[Versions], unix_ms: int) -> None:
    for copy in held:
        ended = expired(copy, unix_ms)
        assert ended.seen == copy.seen
        assert all(end > unix_ms for end in endings(ended))
        assert expired(ended, 0) == ended


@pytest.mark.parametrize("value", [b"", b"x"])
def test_tombstone_of_an_end_is_stronger_than_its_value(value: bytes) -> None:
    dot = Dot(actor="A", counter=1)
    there = canonical({}, [Sibling(dot=dot, value=value, expires_at=5)])
    gone = canonical({}, [Sibling(dot=dot, value=None, expires_at=5)])
    assert join(there, gone) == gone
    assert covers(gone, there)
    assert not covers(there, gone)


def test_store_message_carries_the_end() -> None:
    cluster = RingCluster(3)
    put_ending(cluster, b"key")
    stores = [message for _, _, _, message in cluster.sent if isinstance(message, StoreVersions)]
    assert {sibling.expires_at for message in stores for sibling in message.versions.siblings} == {END}
