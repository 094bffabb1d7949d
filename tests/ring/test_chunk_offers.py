"""Chunks: they are pulled by their homes, answered for at W, and neither a dead home nor a bad source stops them."""

from member_net import peer
from ring_cluster import SOURCE, RingCluster, homes

from murmuration.ring.effects import ChunkPlaced, Failed, PullChunk
from murmuration.ring.events import MessageReceived
from murmuration.ring.messages import StoreChunk
from murmuration.ring.terms import Instant, Quorum

EVERY = Quorum(writes_required=3)


def digest_with(cluster: RingCluster, *first: int) -> bytes:
    return cluster.key_with(*first, prefix=b"chunk/" + b"d" * 16)[6:]


def holders(cluster: RingCluster, digest: bytes) -> list[int]:
    return [number for number in cluster.rings if digest in cluster.disks[number].chunks]


def test_chunk_is_placed_at_its_homes_whoever_is_asked() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    for at in (0, 1):
        assert cluster.answer(cluster.offer(at, digest, quorum=EVERY)) == ChunkPlaced(holders=tuple(homes(1, 2, 3)))
    assert holders(cluster, digest) == [1, 2, 3]


def test_chunk_is_answered_for_at_w_and_the_last_copy_follows() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    placed = cluster.answer(cluster.offer(0, digest))
    assert isinstance(placed, ChunkPlaced)
    assert len(placed.holders) == 2
    cluster.run(1.0)
    assert holders(cluster, digest) == [1, 2, 3]


def test_single_peer_places_its_chunk_at_itself() -> None:
    cluster = RingCluster(1)
    assert cluster.answer(cluster.offer(0, b"d" * 16)) == ChunkPlaced(holders=tuple(homes(0)))


def test_dead_home_is_stood_in_for_with_a_hint() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    fallback = cluster.order(b"chunk/" + digest)[3]
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    placed = cluster.answer(cluster.offer(0, digest, quorum=EVERY))
    assert placed == ChunkPlaced(holders=tuple(homes(1, fallback, 3)))
    assert cluster.disks[fallback].hints(2) == [digest]


def test_home_found_dead_is_stood_in_for_with_a_hint() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    fallback = cluster.order(b"chunk/" + digest)[3]
    cluster.crash(2)
    placed = cluster.answer(cluster.offer(0, digest, quorum=EVERY))
    assert placed == ChunkPlaced(holders=tuple(homes(1, fallback, 3)))
    assert cluster.disks[fallback].hints(2) == [digest]


def test_home_that_cannot_pull_is_stood_in_for_at_once() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    fallback = cluster.order(b"chunk/" + digest)[3]
    cluster.can_pull = lambda at, sources: at != 2
    asked_at = cluster.now
    placed = cluster.answer(cluster.offer(0, digest, quorum=EVERY))
    assert placed == ChunkPlaced(holders=tuple(homes(1, fallback, 3)))
    assert cluster.now - asked_at < 0.5


def test_holder_keeps_the_hint_where_no_fallback_is_left() -> None:
    cluster = RingCluster(3)
    digest = digest_with(cluster, 1, 2, 0)
    cluster.crash(2)
    assert cluster.run(30.0, lambda: cluster.knows_dead(2))
    assert isinstance(cluster.answer(cluster.offer(0, digest)), ChunkPlaced)
    cluster.run(30.0)
    assert [at for at in (0, 1) if cluster.disks[at].hints(2) == [digest]] != []


def test_chunk_that_nobody_can_pull_fails_and_says_why_without_a_storm() -> None:
    cluster = RingCluster(3)
    cluster.can_pull = lambda at, sources: False
    answer = cluster.answer(cluster.offer(0, b"d" * 16, patience_s=5.0))
    assert isinstance(answer, Failed)
    assert "0 of 2" in answer.reason
    assert "no source" in answer.reason
    assert sum(isinstance(message, StoreChunk) for _, _, _, message in cluster.sent) < 12


def test_offer_fails_at_once_when_every_live_home_has_refused() -> None:
    cluster = RingCluster(4)
    cluster.can_pull = lambda at, sources: False
    cluster.crash(3)
    assert cluster.run(30.0, lambda: cluster.knows_dead(3))
    asked_at = cluster.now
    answer = cluster.answer(cluster.offer(0, b"d" * 16, patience_s=60.0))
    assert isinstance(answer, Failed)
    assert cluster.now - asked_at < 0.5


def test_offer_waits_for_the_one_home_that_has_not_answered() -> None:
    cluster = RingCluster(4)
    digest = digest_with(cluster, 1, 2, 3)
    cluster.can_pull = lambda at, sources: at == 2
    cluster.is_lost = lambda source, to, message: to == 2 and isinstance(message, StoreChunk)
    request = cluster.offer(0, digest, quorum=Quorum(writes_required=1), patience_s=60.0)
    cluster.run(1.0)
    assert request not in cluster.answers
    cluster.heal()
    assert cluster.answer(request) == ChunkPlaced(holders=tuple(homes(2)))


def test_large_chunk_is_waited_for_as_long_as_its_size_takes() -> None:
    cluster = RingCluster(5)
    digest = digest_with(cluster, 1, 2, 3)
    cluster.is_lost = lambda source, to, message: to == 2 and isinstance(message, StoreChunk)
    cluster.offer(0, digest, size=64 << 20, patience_s=60.0)
    cluster.run(5.9)
    assert holders(cluster, digest) == [1, 3]
    cluster.run(1.0)
    assert len(holders(cluster, digest)) == 3


def test_chunk_that_two_ask_for_at_once_is_pulled_once_and_both_are_answered() -> None:
    cluster = RingCluster(3)
    message = StoreChunk(request="a", digest=b"d" * 16, size=1, source=SOURCE)
    other = StoreChunk(request="b", digest=b"d" * 16, size=1, source=SOURCE)
    ring = cluster.rings[0]
    first = ring.handle(Instant(cluster.now), MessageReceived(sender=peer(1), message=message))
    second = ring.handle(Instant(cluster.now), MessageReceived(sender=peer(2), message=other))
    assert [type(effect) for effect in first] == [PullChunk]
    assert second == []
