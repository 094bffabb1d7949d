"""Hinted handoff: hints come home, are dropped only when acknowledged, never undo newer data, and cause no storm."""

import pytest
from member_net import member, peer
from ring_cluster import RingCluster

from murmuration.ring.events import RemoveRequested
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.messages import ChunkStored, StoreChunk, StoreVersions, VersionsStored
from murmuration.ring.operations import DropHint, ListHints, MergeVersions
from murmuration.ring.terms import Instant, Source


def away(cluster: RingCluster, number: int) -> None:
    cluster.crash(number)
    assert cluster.run(30.0, lambda: cluster.knows_dead(number))


def back(cluster: RingCluster, number: int) -> None:
    cluster.restart(number)
    assert cluster.run(30.0, cluster.all_alive)


def hints(cluster: RingCluster, target: int) -> list[tuple[int, bytes]]:
    return [(at, key) for at in cluster.rings for key in cluster.disks[at].hints(target)]


def with_hint() -> tuple[RingCluster, bytes, int]:
    """Make a cluster whose peer 2 is away and has missed one write, and tell who keeps the hint."""
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    away(cluster, 2)
    cluster.must_put(1, key, b"value")
    cluster.run(3.0)
    ((keeper, hinted),) = hints(cluster, 2)
    assert hinted == key
    return cluster, key, keeper


def test_hint_comes_home_as_soon_as_its_primary_is_back() -> None:
    cluster, key, _ = with_hint()
    back(cluster, 2)
    cluster.run(1.0)
    assert cluster.live_values(2, key) == [b"value"]
    assert hints(cluster, 2) == []


def test_hint_is_dropped_only_after_the_acknowledgement() -> None:
    """Pynamo's defect: the hint was deleted when it was sent."""
    cluster, key, keeper = with_hint()
    cluster.is_lost = lambda source, to, message: source == 2 and isinstance(message, VersionsStored)
    back(cluster, 2)
    cluster.run(3.0)
    assert cluster.live_values(2, key) == [b"value"]
    assert hints(cluster, 2) == [(keeper, key)]
    cluster.heal()
    cluster.run(20.0)
    assert hints(cluster, 2) == []


def test_hint_survives_a_target_that_dies_again_before_it_arrives() -> None:
    cluster, key, keeper = with_hint()
    cluster.is_lost = lambda source, to, message: to == 2 and isinstance(message, StoreVersions)
    back(cluster, 2)
    cluster.run(1.0)
    away(cluster, 2)
    assert hints(cluster, 2) == [(keeper, key)]
    cluster.heal()
    back(cluster, 2)
    cluster.run(1.0)
    assert cluster.live_values(2, key) == [b"value"]


def test_scan_brings_home_what_the_return_of_the_primary_did_not() -> None:
    cluster, key, _ = with_hint()
    cluster.is_lost = lambda source, to, message: to == 2 and isinstance(message, StoreVersions)
    back(cluster, 2)
    cluster.run(1.0)
    cluster.heal()
    cluster.run(25.0)
    assert cluster.live_values(2, key) == [b"value"]
    assert hints(cluster, 2) == []


def test_hint_survives_the_restart_of_its_keeper() -> None:
    cluster, key, keeper = with_hint()
    cluster.crash(keeper)
    back(cluster, 2)
    assert cluster.live_values(2, key) == []
    cluster.restart(keeper)
    cluster.run(20.0)
    assert cluster.live_values(2, key) == [b"value"]
    assert hints(cluster, 2) == []


def test_late_handoff_never_undoes_newer_data() -> None:
    """Pynamo's defect: a put with an older clock replaced a newer value."""
    cluster, key, keeper = with_hint()
    context = cluster.must_get(1, key).context
    cluster.is_lost = lambda source, to, message: source == keeper and isinstance(message, StoreVersions)
    back(cluster, 2)
    cluster.must_put(1, key, b"newer", context)
    cluster.run(1.0)
    assert cluster.live_values(2, key) == [b"newer"]
    cluster.heal()
    cluster.run(25.0)
    assert hints(cluster, 2) == []
    assert [cluster.live_values(number, key) for number in (1, 2, 3)] == [[b"newer"]] * 3


def test_handoff_never_brings_a_deleted_value_back() -> None:
    cluster, key, keeper = with_hint()
    context = cluster.must_get(1, key).context
    cluster.is_lost = lambda source, to, message: source == keeper and isinstance(message, StoreVersions)
    back(cluster, 2)
    cluster.must_put(3, key, None, context)
    cluster.run(1.0)
    cluster.heal()
    cluster.run(25.0)
    assert hints(cluster, 2) == []
    assert [cluster.values(number, key) for number in range(5)] == [[None]] * 5


def test_hint_that_grew_while_it_was_delivered_is_kept_for_the_rest() -> None:
    cluster, key, keeper = with_hint()
    sent: list[StoreVersions] = []

    def is_lost(source: int, to: int, message: object) -> bool:
        if source == keeper and to == 2 and isinstance(message, StoreVersions) and not sent:
            sent.append(message)
            grow(cluster, keeper, key)
        return False

    cluster.is_lost = is_lost
    back(cluster, 2)
    cluster.run(1.0)
    assert sent
    assert hints(cluster, 2) == [(keeper, key)]
    cluster.run(25.0)
    assert hints(cluster, 2) == []
    assert cluster.live_values(2, key) == [b"value", b"grown"]


def grow(cluster: RingCluster, keeper: int, key: bytes) -> None:
    """Let one more write for peer 2 reach its keeper just now."""
    sibling = Sibling(dot=Dot(actor="z", counter=1), value=b"grown")
    versions = Versions(seen={"z": 1}, siblings=(sibling,))
    cluster.disks[keeper].carry_out(MergeVersions(key=key, versions=versions, hint_for=peer(2)))


def test_many_hints_come_home_page_by_page_with_few_in_flight() -> None:
    cluster = RingCluster(4)
    away(cluster, 2)
    for number in range(300):
        cluster.put(0, b"key%d" % number, b"value")
        cluster.run(0.02)
    cluster.run(5.0)
    kept = len(hints(cluster, 2))
    assert kept > 150
    cluster.sent.clear()
    in_flight: dict[int, int] = {}
    greatest = 0
    back(cluster, 2)
    cluster.run(5.0)
    for _, source, to, message in cluster.sent:
        if to == 2 and isinstance(message, StoreVersions):
            in_flight[source] = in_flight.get(source, 0) + 1
            greatest = max(greatest, in_flight[source])
        if source == 2 and isinstance(message, VersionsStored):
            in_flight[to] -= 1
    assert hints(cluster, 2) == []
    assert 16 < greatest <= 129


def test_flapping_target_causes_no_storm() -> None:
    cluster, _, keeper = with_hint()
    back(cluster, 2)
    cluster.run(2.0)
    cluster.operated.clear()
    ring = cluster.rings[keeper]
    for _ in range(20):
        for effect in ring._parts.handoff.member_changed(Instant(cluster.now), ring.members[peer(2)]):
            cluster._perform(keeper, ring, effect)
        cluster.run(0.05)
    listed = [at for _, at, operation in cluster.operated if isinstance(operation, ListHints) and at == keeper]
    assert len(listed) <= 3


def test_hints_for_a_peer_that_was_removed_go_to_the_primaries_of_now() -> None:
    cluster, key, _ = with_hint()
    cluster.is_lost = lambda source, to, message: to == 2 and isinstance(message, StoreVersions)
    back(cluster, 2)
    for number in (1, 3):
        cluster.crash(number)
        cluster.disks[number].rows.clear()
    cluster.crash(2)
    cluster.happen(0, RemoveRequested(request="removal", peer=peer(2)))
    for number in (1, 3):
        cluster.restart(number)
    cluster.run(30.0)
    assert hints(cluster, 2) == []
    assert all(cluster.live_values(number, key) == [b"value"] for number in cluster.order(key)[:3])


@pytest.mark.parametrize("seed", range(4))
def test_all_hints_come_home_after_crashes_loss_and_doubling(seed: int) -> None:
    cluster = RingCluster(5, seed=seed)
    cluster.loss, cluster.doubling = 0.05, 0.1
    for number in range(20):
        cluster.put(cluster.rng.choice(sorted(cluster.rings)), b"key%d" % (number % 10), b"%d" % number)
        cluster.run(0.2)
        if number % 6 == 2:
            cluster.crash(3)
        if number % 6 == 5 and 3 not in cluster.rings:
            cluster.restart(3)
    if 3 not in cluster.rings:
        cluster.restart(3)
    cluster.run(10.0)
    cluster.loss = cluster.doubling = 0.0
    cluster.run(40.0)
    assert [hints(cluster, number) for number in range(5)] == [[]] * 5
    for number in range(10):
        key = b"key%d" % number
        cluster.values(0, key)
        cluster.run(2.0)
        copies = [cluster.disks[home].copy_of(key) for home in cluster.order(key)[:3]]
        assert copies[0] == copies[1] == copies[2]


# --- chunks ---


def test_chunk_hint_is_delivered_by_offering_the_keeper_as_its_source() -> None:
    cluster = RingCluster(5)
    digest = cluster.key_with(1, 2, 3, prefix=b"chunk/" + b"d" * 16)[6:]
    away(cluster, 2)
    cluster.answer(cluster.offer(0, digest))
    cluster.run(30.0)
    ((keeper, hinted),) = hints(cluster, 2)
    assert hinted == digest
    back(cluster, 2)
    cluster.run(2.0)
    assert digest in cluster.disks[2].chunks
    assert hints(cluster, 2) == []
    (offered,) = [m for _, at, to, m in cluster.sent if isinstance(m, StoreChunk) and (at, to) == (keeper, 2)]
    me = member(keeper)
    assert offered.source == Source(url=me.bulk_url, ref=f"chunk/{digest.hex()}", host=me.host)


def test_chunk_hint_that_cannot_be_pulled_is_kept_for_the_next_scan() -> None:
    cluster = RingCluster(5)
    digest = cluster.key_with(1, 2, 3, prefix=b"chunk/" + b"d" * 16)[6:]
    away(cluster, 2)
    cluster.answer(cluster.offer(0, digest))
    cluster.run(30.0)
    cluster.can_pull = lambda at, sources: at != 2
    back(cluster, 2)
    cluster.run(2.0)
    assert any(isinstance(m, ChunkStored) and m.error for _, at, _, m in cluster.sent if at == 2)
    assert len(hints(cluster, 2)) == 1
    assert not any(isinstance(operation, DropHint) for _, _, operation in cluster.operated)
    cluster.can_pull = lambda at, sources: True
    cluster.run(25.0)
    assert digest in cluster.disks[2].chunks
    assert hints(cluster, 2) == []
