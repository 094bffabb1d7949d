"""Listings: who may hold a key is waited for, and where too many are silent the answer says so."""

import pytest
from member_net import peer
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.effects import Failed, KeysDone
from murmuration.ring.events import KeysRequested, StopRequested
from murmuration.ring.terms import RECORD_QUORUM

KEYS = tuple(b"key%02d" % number for number in range(40))


def filled(size: int) -> RingCluster:
    cluster = RingCluster(size)
    for key in KEYS:
        cluster.must_put(0, key, b"value")
    cluster.run(2.0)
    return cluster


def records(cluster: RingCluster, at: int) -> str:
    asked = KeysRequested(request="records", prefix=b"", after=b"", limit=100, patience_s=5.0, quorum=RECORD_QUORUM)
    cluster.happen(at, asked)
    return asked.request


def test_listing_at_a_peer_that_has_just_been_restarted_is_complete() -> None:
    cluster = filled(5)
    cluster.crash(4)
    cluster.run(5.0)
    cluster.restart(4)
    assert cluster.answer(cluster.keys(4, b"")) == KeysDone(keys=KEYS, more=False)


def test_listings_at_peers_that_were_all_restarted_at_once_are_complete() -> None:
    cluster = filled(5)
    for number in range(5):
        cluster.crash(number)
    for number in range(5):
        cluster.start(number, seeds=tuple(range(5)))
    asked = [cluster.keys(number, b"") for number in range(5)]
    assert [cluster.answer(request) for request in asked] == [KeysDone(keys=KEYS, more=False)] * 5


def test_listing_fails_where_silent_homes_may_hide_keys_and_names_them_and_the_way_out() -> None:
    cluster = filled(5)
    for number in (2, 3, 4):
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (2, 3, 4))))
    answer = cluster.answer(cluster.keys(0, b""))
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("cannot tell which keys there are: 3 peers")
    assert all(peer(number)[:8] in answer.reason for number in (2, 3, 4))
    assert "murmur remove" in answer.reason


def test_listing_goes_on_without_one_silent_home_be_it_suspected_or_dead() -> None:
    cluster = filled(5)
    cluster.crash(4)
    assert cluster.run(20.0, lambda: not cluster.rings[0].alive(peer(4)))
    begun = cluster.now
    assert cluster.answer(cluster.keys(0, b"")) == KeysDone(keys=KEYS, more=False)
    assert cluster.now - begun < 3 * SETTINGS.quorum.replica_patience_s
    assert cluster.run(60.0, lambda: cluster.knows_dead(4))
    assert cluster.answer(cluster.keys(0, b"")) == KeysDone(keys=KEYS, more=False)


def test_listing_of_records_goes_on_without_any_two_of_five() -> None:
    cluster = filled(5)
    for number in (3, 4):
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (3, 4))))
    assert isinstance(cluster.answer(records(cluster, 0)), KeysDone)
    assert isinstance(cluster.answer(cluster.keys(0, b"")), Failed)


@pytest.mark.parametrize("stopped", [(1, 2, 3)])
def test_listing_waits_a_little_for_homes_that_had_stopped_and_come_back(stopped: tuple[int, ...]) -> None:
    cluster = filled(5)
    for number in stopped:
        cluster.happen(number, StopRequested())
        cluster.crash(number)
    cluster.run(1.0)
    request = cluster.keys(0, b"")
    for number in stopped:
        cluster.restart(number)
    assert cluster.answer(request) == KeysDone(keys=KEYS, more=False)
