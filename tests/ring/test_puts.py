"""Writes: who coordinates, what W means, what becomes of those that fail, and that one request is one dot."""

from dataclasses import replace

import pytest
from ring_cluster import ALL, SETTINGS, RingCluster

from murmuration.ring.effects import Failed, PutDone
from murmuration.ring.messages import CoordinatePut, PutCoordinated, StoreVersions, VersionsStored
from murmuration.ring.operations import MintVersion
from murmuration.ring.requests.quorum import QuorumSettings
from murmuration.ring.terms import Quorum


def mints(cluster: RingCluster, key: bytes) -> list[int]:
    return [at for _, at, operation in cluster.operated if isinstance(operation, MintVersion) and operation.key == key]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_write_is_read_at_every_peer_in_clusters_of_any_size(size: int) -> None:
    cluster = RingCluster(size)
    for number in range(size):
        key = b"key%d" % number
        done = cluster.must_put(number, key, b"value")
        assert done.replicas == min(3, size)
        assert [cluster.values(reader, key) for reader in range(size)] == [[b"value"]] * size


def test_only_a_primary_mints_the_dot_whoever_is_asked() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    for number in range(5):
        cluster.must_put(number, key, b"value", cluster.must_get(number, key).context)
    assert mints(cluster, key) == [1, 1, 2, 3, 1]


def test_all_primaries_get_their_copy_though_the_answer_comes_at_w() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(0, key, b"value", None)
    cluster.run(1.0)
    assert [cluster.live_values(number, key) for number in range(5)] == [[], [b"value"], [b"value"], [b"value"], []]


def test_more_replicas_than_usual_are_kept_when_asked_for() -> None:
    cluster = RingCluster(5)
    done = cluster.answer(cluster.put(0, b"key", b"value", quorum=Quorum(replicas=5, writes_required=5)))
    assert isinstance(done, PutDone)
    assert (done.replicas, done.primaries, done.fallbacks) == (5, 5, 0)


def test_replicas_and_w_are_capped_by_the_number_of_members_and_the_answer_says_so() -> None:
    cluster = RingCluster(2)
    done = cluster.answer(cluster.put(0, b"key", b"value", quorum=Quorum(replicas=5, writes_required=5)))
    assert isinstance(done, PutDone)
    assert (done.replicas, done.primaries, done.fallbacks) == (2, 2, 0)


def test_fallback_stands_in_for_a_dead_primary_one_to_one_and_the_answer_says_so() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    first, second, _ = cluster.order(key)[3:]
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    done = cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    assert isinstance(done, PutDone)
    assert (done.replicas, done.primaries, done.fallbacks) == (3, 2, 1)
    assert cluster.disks[first].hints(2) == [key]
    assert cluster.disks[second].hints(2) == []


def test_two_dead_primaries_are_stood_in_for_by_two_fallbacks_each_with_one_hint() -> None:
    """Pynamo's defect: every stand-in was hinted for every failed node."""
    cluster = RingCluster(7)
    key = cluster.key_with(1, 2, 3)
    first, second = cluster.order(key)[3:5]
    cluster.crash(2)
    cluster.crash(3)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (2, 3))))
    done = cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    assert isinstance(done, PutDone)
    assert (done.primaries, done.fallbacks) == (1, 2)
    hinted = [(at, target) for at in (first, second) for target in (2, 3) if cluster.disks[at].hints(target)]
    assert sorted(hinted) == sorted([(first, 2), (second, 3)])


def test_write_that_discovers_the_failure_is_hinted_too() -> None:
    """Pynamo's defect: its retry copied a request without a hint, so the primary never got the key."""
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    fallback = cluster.order(key)[3]
    cluster.crash(2)
    done = cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    assert isinstance(done, PutDone)
    assert (done.primaries, done.fallbacks) == (2, 1)
    assert cluster.disks[fallback].hints(2) == [key]


def test_primary_that_turns_suspect_while_waited_for_is_replaced_at_once() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    asked_at = cluster.now
    cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    assert cluster.now - asked_at < 0.1


def test_coordinator_keeps_the_hint_itself_where_no_fallback_is_left() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2)
    cluster.crash(2)
    cluster.must_put(1, key, b"value")
    cluster.run(2.0)
    assert cluster.disks[1].hints(2) == [key]


def test_dead_coordinator_is_replaced_by_the_next_primary_within_the_request() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(1)
    done = cluster.must_put(0, key, b"value")
    assert mints(cluster, key) == [2]
    assert done.primaries + done.fallbacks >= 2


def test_fallback_coordinates_when_no_primary_is_alive_and_the_primaries_get_it_later() -> None:
    cluster = RingCluster(6)
    key = cluster.key_with(1, 2, 3)
    fallbacks = cluster.order(key)[3:]
    for number in (1, 2, 3):
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (1, 2, 3))))
    done = cluster.must_put(0, key, b"value")
    cluster.run(3.0)
    assert (done.primaries, mints(cluster, key)) == (0, fallbacks[:1])
    assert sorted(target for at in fallbacks for target in (1, 2, 3) if cluster.disks[at].hints(target)) == [1, 2, 3]


def test_strict_write_fails_without_its_primaries_and_never_uses_fallbacks() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    cluster.crash(3)
    answer = cluster.answer(cluster.put(0, key, b"value", quorum=Quorum(strict=True)))
    assert isinstance(answer, Failed)
    assert "1 of 2" in answer.reason
    assert "unknown whether it took effect" in answer.reason
    assert [cluster.live_values(number, key) for number in cluster.order(key)[3:]] == [[], []]


def test_missed_w_is_an_error_and_not_a_silent_success() -> None:
    cluster = RingCluster(3)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    answer = cluster.answer(cluster.put(0, b"key", b"value", patience_s=2.0))
    assert isinstance(answer, Failed)
    assert "1 of 2" in answer.reason


def test_disk_that_refuses_hands_the_write_to_the_next_primary() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.disks[1].bad_keys.add(key)
    cluster.must_put(1, key, b"value")
    assert mints(cluster, key) == [1, 2]


def test_write_that_nobody_can_take_fails_at_once_and_says_that_nothing_was_written() -> None:
    cluster = RingCluster(3)
    for disk in cluster.disks.values():
        disk.refuses = lambda operation: isinstance(operation, MintVersion)
    answer = cluster.answer(cluster.put(0, b"key", b"value"), within_s=0.5)
    assert answer == Failed(reason="nothing was written: disk full")


def test_write_whose_silent_coordinator_may_have_taken_it_is_unknown_and_not_failed() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.is_lost = lambda source, to, message: isinstance(message, PutCoordinated)
    answer = cluster.answer(cluster.put(0, key, b"value", patience_s=1.0))
    assert answer == Failed(reason="no coordinator has answered: unknown whether it took effect", is_unknown=True)
    cluster.heal()
    assert cluster.values(0, key) == [b"value"]


def test_write_that_one_coordinator_may_have_taken_is_unknown_though_all_the_others_refuse() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    for number in range(2, 5):
        cluster.disks[number].refuses = lambda operation: isinstance(operation, MintVersion)
    cluster.disks[0].refuses = cluster.disks[2].refuses
    cluster.is_lost = lambda source, to, message: isinstance(message, PutCoordinated) and source == 1
    answer = cluster.answer(cluster.put(0, key, b"value", patience_s=4.0))
    assert isinstance(answer, Failed)
    assert answer.is_unknown


def test_retry_of_a_request_mints_one_dot() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.is_lost = lambda source, to, message: isinstance(message, PutCoordinated) and source == 1
    cluster.answer(cluster.put(1, key, b"value", request="again"))
    cluster.run(3.0)
    cluster.sent.clear()
    cluster.put(1, key, b"value", request="again")
    cluster.run(1.0)
    first, second = cluster.answers["again"]
    assert first == second
    assert not any(isinstance(message, StoreVersions) for _, _, _, message in cluster.sent)
    assert mints(cluster, key) == [1]
    assert cluster.values(0, key) == [b"value"]


def test_retry_of_a_write_that_missed_w_spreads_the_same_dot_anew() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    assert isinstance(cluster.answer(cluster.put(1, key, b"value", request="again", patience_s=1.0)), Failed)
    cluster.run(10.0)
    cluster.heal()
    cluster.put(1, key, b"value", request="again")
    cluster.run(1.0)
    assert isinstance(cluster.answers["again"][1], PutDone)
    assert mints(cluster, key) == [1]


def test_doubled_order_under_way_mints_one_dot_and_is_answered() -> None:
    cluster = RingCluster(5)
    cluster.doubling = 1.0
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(0, key, b"value")
    cluster.run(2.0)
    assert mints(cluster, key) == [1]


def test_two_requests_that_share_an_id_by_accident_are_both_written() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.put(0, key, b"zero", request="same")
    cluster.put(4, key, b"four", request="same")
    cluster.run(2.0)
    assert cluster.values(0, key) == [b"four", b"zero"]


def test_concurrent_puts_become_siblings_and_a_put_with_their_context_resolves_them() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.put(1, key, b"one")
    cluster.put(2, key, b"two")
    cluster.run(2.0)
    assert cluster.values(0, key) == [b"one", b"two"]
    cluster.must_put(0, key, b"three", cluster.must_get(0, key).context)
    assert cluster.values(4, key) == [b"three"]


def test_context_of_a_put_covers_that_put() -> None:
    cluster = RingCluster(3)
    context = cluster.must_put(0, b"key", b"first").context
    cluster.must_put(1, b"key", b"second", context)
    assert cluster.values(2, b"key") == [b"second"]


def test_context_of_a_blind_put_never_covers_a_sibling_that_its_writer_has_not_seen() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1)
    cluster.must_put(1, key, b"of another")
    context = cluster.must_put(1, key, b"mine").context
    cluster.must_put(1, key, b"mine again", context)
    assert b"of another" in cluster.values(0, key)


def test_delete_is_a_version_that_hides_the_value() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"value")
    cluster.must_put(1, b"key", None, cluster.must_get(1, b"key").context)
    assert cluster.values(2, b"key") == [None]


def test_late_copy_counts_nothing_for_a_later_write() -> None:
    """The ids on the wire are told apart by start, so an old acknowledgement is not one of a new process."""
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2)
    cluster.is_lost = lambda source, to, message: isinstance(message, VersionsStored)
    cluster.put(1, key, b"value")
    cluster.run(0.2)
    old = [message.request for _, at, _, message in cluster.sent if isinstance(message, StoreVersions) and at == 1]
    cluster.crash(1)
    cluster.restart(1)
    cluster.run(1.0)
    cluster.put(1, key, b"value")
    cluster.run(0.2)
    new = [message.request for _, at, _, message in cluster.sent if isinstance(message, StoreVersions) and at == 1]
    assert set(old).isdisjoint(new[len(old) :])


def test_system_record_is_told_of_wherever_it_is_durable() -> None:
    cluster = RingCluster(4)
    key = cluster.key_with(1, 2, 3, prefix=b"job/")
    cluster.must_put(0, key, b"record")
    cluster.must_put(0, b"other", b"value")
    cluster.run(1.0)
    assert sorted((at, seen.key, seen.values) for at, seen in cluster.records) == [
        (at, key, (b"record",)) for at in (1, 2, 3)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_acknowledged_writes_survive_loss_doubling_and_a_crash(seed: int) -> None:
    cluster = RingCluster(5, seed=seed)
    cluster.loss, cluster.doubling = 0.05, 0.1
    requests = {}
    for number in range(30):
        at = cluster.rng.choice(sorted(cluster.rings))
        requests[b"key%d" % number] = cluster.put(at, b"key%d" % number, b"value")
        cluster.run(0.1)
        if number == 10:
            cluster.crash(4)
        if number == 20:
            cluster.restart(4)
    cluster.run(10.0)
    cluster.loss = cluster.doubling = 0.0
    acknowledged = [
        key
        for key, request in requests.items()
        if any(isinstance(a, PutDone) for a in cluster.answers.get(request, []))
    ]
    assert len(acknowledged) >= 25
    for key in acknowledged:
        assert set(cluster.values(0, key)) == {b"value"}


def test_forwarded_order_goes_to_one_coordinator_when_all_is_well() -> None:
    cluster = RingCluster(5)
    cluster.must_put(0, cluster.key_with(1, 2, 3), b"value")
    cluster.run(5.0)
    assert sum(isinstance(message, CoordinatePut) for _, _, _, message in cluster.sent) == 1


def test_peer_whose_disk_was_put_back_uses_no_dot_again() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(0)
    cluster.crash(0)
    rows, starts = dict(cluster.disks[0].rows), cluster.disks[0].starts
    cluster.restart(0)
    cluster.run(5.0)
    cluster.must_put(0, key, b"before")
    cluster.crash(0)
    cluster.disks[0].rows, cluster.disks[0].starts = rows, starts
    cluster.restart(0)
    cluster.run(5.0)
    cluster.must_put(0, key, b"after", {})
    assert mints(cluster, key) == [0, 0]
    assert sorted(cluster.values(1, key)) == [b"after", b"before"]


def test_coordinator_remembers_only_so_many_requests_and_the_newest_of_them() -> None:
    settings = replace(SETTINGS, quorum=QuorumSettings(remembered_max=2))
    cluster = RingCluster(1, settings=settings)
    for number in range(3):
        cluster.answer(cluster.put(0, b"key", b"%d" % number, request=f"of-{number}"))
    for number in (2, 1, 0):
        cluster.put(0, b"key", b"%d" % number, request=f"of-{number}")
        cluster.run(1.0)
    assert len(mints(cluster, b"key")) == 4
    assert cluster.values(0, b"key") == [b"0", b"0", b"1", b"2"]


def test_hint_for_an_absent_primary_is_set_down_with_the_write_where_nobody_can_stand_in() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2, 0)
    cluster.crash(0)
    cluster.run(60.0, until=lambda: cluster.knows_dead(0))
    cluster.operated.clear()
    cluster.must_put(1, key, b"value")
    cluster.run(1.0)
    mine = [operation for _, at, operation in cluster.operated if at == 1]
    assert [type(operation) for operation in mine] == [MintVersion]
    assert cluster.disks[1].hints(0) == [key]
