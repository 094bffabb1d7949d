"""Pynamo's defects, reproduced there by running its last stage, must not come back here; each has its test."""

from ring_cluster import ALL, RingCluster

from murmuration.ring.copies.versions import EMPTY, join, mint
from murmuration.ring.effects import PutDone
from murmuration.ring.facts import Versions
from murmuration.ring.messages import StoreVersions, VersionsStored
from murmuration.ring.operations import MergeVersions


def test_pynamo_defect_1_the_write_that_discovers_a_failure_is_hinted_too() -> None:
    """Its retry copied the first request, which carried no hint: the recovered node never got the key."""
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    done = cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    assert isinstance(done, PutDone)
    assert (done.primaries, done.fallbacks) == (2, 1)
    assert cluster.disks[cluster.order(key)[3]].hints(2) == [key]
    cluster.restart(2)
    assert cluster.run(60.0, lambda: cluster.live_values(2, key) == [b"value"])


def test_pynamo_defect_2_a_hint_is_deleted_only_when_it_is_acknowledged() -> None:
    """It deleted the hint when it was sent: the target answered one ping, died again, and the key was lost to it."""
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    keeper = cluster.order(key)[3]
    cluster.crash(2)
    cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    sent: list[object] = []

    def is_lost(source: int, to: int, message: object) -> bool:
        is_delivery = isinstance(message, StoreVersions) and source == keeper and to == 2
        sent.extend([message] if is_delivery else [])
        return is_delivery or (isinstance(message, VersionsStored) and source == 2)

    cluster.is_lost = is_lost
    cluster.restart(2)
    assert cluster.run(60.0, lambda: bool(sent))
    cluster.run(5.0)
    assert cluster.disks[keeper].hints(2) == [key]
    cluster.heal()
    assert cluster.run(60.0, lambda: cluster.disks[keeper].hints(2) == [])
    assert cluster.live_values(2, key) == [b"value"]


def test_pynamo_defect_3_an_older_version_never_overwrites_a_newer_one() -> None:
    """A put with the clock {A:1} replaced a stored {A:5}: any late handoff undid newer data."""
    cluster = RingCluster(3)
    old: Versions | None = None
    context: dict[str, int] = {}
    for number in range(5):
        context = cluster.must_put(0, b"key", b"%d" % number, context).context
        cluster.run(0.5)
        old = old or cluster.disks[1].copy_of(b"key")
    assert old is not None
    for disk in cluster.disks.values():
        disk.carry_out(MergeVersions(key=b"key", versions=old))
    assert [cluster.values(number, b"key") for number in range(3)] == [[b"4"]] * 3


def test_pynamo_defect_4_every_stand_in_is_hinted_for_one_failed_peer_and_no_two_for_the_same() -> None:
    """Each stand-in was hinted for every failed node."""
    cluster = RingCluster(7)
    key = cluster.key_with(1, 2, 3)
    for number in (2, 3):
        cluster.crash(number)
    cluster.answer(cluster.put(0, key, b"value", quorum=ALL))
    hinted = [(at, target) for at, disk in cluster.disks.items() for target in (2, 3) if disk.hints(target)]
    assert sorted(target for _, target in hinted) == [2, 3]
    assert len({at for at, _ in hinted}) == 2


def test_pynamo_defect_5_dominated_versions_are_dropped_by_a_merge() -> None:
    """{X:1}, {Y:1} and {X:1, Y:1} left two values in place of one."""
    x, y = mint(EMPTY, {}, b"x", "X"), mint(EMPTY, {}, b"y", "Y")
    both = join(x, y)
    resolved = mint(both, both.seen, b"both", "X")
    for first, second, third in ((x, y, resolved), (resolved, x, y), (y, resolved, x)):
        assert [sibling.value for sibling in join(join(first, second), third).siblings] == [b"both"]
