"""Transfer of keys when ownership changes: newcomers get theirs, page by page, and nothing is missed."""

from collections import Counter
from dataclasses import replace

from member_net import peer
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.copies.versions import EMPTY, mint
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.events import LeaveRequested
from murmuration.ring.messages import StoreVersions, VersionsStored
from murmuration.ring.operations import ListVersions, MergeVersions

QUIET = replace(SETTINGS, entropy=EntropySettings(exchange_s=1e6, hurry_s=1e6))
"""Without anti-entropy, which would mend what a transfer has missed."""


def filled(size: int, keys: int) -> RingCluster:
    cluster = RingCluster(size, settings=QUIET)
    for number in range(keys):
        cluster.put(number % size, b"key%d" % number, b"value%d" % number)
        cluster.run(0.01)
    cluster.run(3.0)
    return cluster


def missing(cluster: RingCluster, keys: int) -> list[tuple[int, int]]:
    """List the primaries that lack a key."""
    return [
        (number, home)
        for number in range(keys)
        for home in cluster.order(b"key%d" % number)[:3]
        if cluster.live_values(home, b"key%d" % number) != [b"value%d" % number]
    ]


def sent_to(cluster: RingCluster, number: int) -> Counter[bytes]:
    return Counter(m.key for _, _, to, m in cluster.sent if to == number and isinstance(m, StoreVersions))


def test_newcomer_receives_its_keys_hardly_any_twice() -> None:
    cluster = filled(4, 200)
    cluster.sent.clear()
    cluster.start(4)
    cluster.run(20.0)
    assert missing(cluster, 200) == []
    mine = [b"key%d" % number for number in range(200) if 4 in cluster.order(b"key%d" % number)[:3]]
    assert len(mine) > 50
    sent = sent_to(cluster, 4)
    assert set(sent) == set(mine)
    assert sent.total() < 1.2 * len(mine), "of all the homes that offer a key at once, hardly two send it"


def test_peer_that_stood_alone_shares_its_keys_with_those_who_join() -> None:
    cluster = filled(1, 100)
    for number in (1, 2, 3):
        cluster.start(number)
    cluster.run(30.0)
    assert missing(cluster, 100) == []


def test_keys_of_a_peer_that_left_get_a_new_third_home() -> None:
    cluster = filled(5, 100)
    cluster.happen(2, LeaveRequested())
    assert cluster.run(20.0, lambda: 2 in cluster.parted)
    cluster.run(2.0)
    assert 2 not in cluster.order(b"key1")
    assert missing(cluster, 100) == []


def test_death_moves_nothing_for_ownership_follows_membership() -> None:
    cluster = filled(5, 50)
    cluster.sent.clear()
    cluster.crash(2)
    cluster.run(60.0)
    assert [message for _, _, _, message in cluster.sent if isinstance(message, StoreVersions)] == []


def test_restarted_peer_sends_nothing_where_nothing_has_changed() -> None:
    cluster = filled(5, 50)
    cluster.crash(2)
    cluster.run(10.0)
    cluster.sent.clear()
    cluster.restart(2)
    cluster.run(30.0)
    assert [message for _, _, _, message in cluster.sent if isinstance(message, StoreVersions)] == []


def test_page_is_acknowledged_before_the_next_is_listed() -> None:
    cluster = filled(1, 200)
    cluster.operated.clear()
    cluster.is_lost = lambda source, to, message: isinstance(message, VersionsStored)
    cluster.start(1)
    cluster.run(4.0)
    listed = [operation for _, at, operation in cluster.operated if at == 0 and isinstance(operation, ListVersions)]
    assert {operation.after for operation in listed} == {b""}
    assert len(sent_to(cluster, 1)) == 64


def test_lost_copies_are_sent_again_until_all_is_there() -> None:
    cluster = filled(3, 100)
    cluster.loss = 0.2
    cluster.start(3)
    cluster.run(60.0)
    cluster.loss = 0.0
    cluster.run(30.0)
    assert missing(cluster, 100) == []


def test_newcomer_that_dies_during_the_transfer_gets_the_rest_when_it_is_back() -> None:
    cluster = filled(3, 100)
    cluster.start(3)
    assert cluster.run(5.0, lambda: len(cluster.disks[3].rows) >= 5)
    cluster.crash(3)
    cluster.run(40.0)
    assert peer(3) not in {home.id for home in cluster.rings[0].placement.homes}
    cluster.restart(3)
    cluster.run(40.0)
    assert peer(3) in {home.id for home in cluster.rings[0].placement.homes}
    assert missing(cluster, 100) == []


def test_newcomer_that_stays_dead_costs_nothing_and_others_are_not_served_twice() -> None:
    cluster = filled(3, 100)
    cluster.start(3)
    cluster.start(4)
    cluster.run(0.5)
    cluster.crash(3)
    cluster.run(20.0)
    assert {int(home.id, 16) for home in cluster.rings[0].placement.homes} == {0, 1, 2, 4}
    assert missing(cluster, 100) == []
    cluster.sent.clear()
    cluster.operated.clear()
    cluster.run(100.0)
    assert [message for _, _, _, message in cluster.sent if isinstance(message, StoreVersions)] == []
    assert [operation for _, _, operation in cluster.operated if isinstance(operation, ListVersions)] == []
    cluster.restart(3)
    cluster.run(40.0)
    assert missing(cluster, 100) == []
    assert sent_to(cluster, 4) == Counter()


def test_second_newcomer_during_the_transfer_to_the_first_is_served_as_well() -> None:
    cluster = filled(3, 200)
    cluster.is_lost = lambda source, to, message: source == 3 and isinstance(message, VersionsStored)
    cluster.start(3)
    cluster.run(1.1)
    cluster.start(4)
    cluster.run(2.5)
    cluster.heal()
    cluster.run(5.0)
    assert missing(cluster, 200) == []


def test_transfer_never_undoes_a_newer_write_or_a_delete_at_the_newcomer() -> None:
    cluster = filled(3, 20)
    cluster.is_lost = lambda source, to, message: to == 3 and isinstance(message, StoreVersions)
    cluster.start(3)
    cluster.run(3.0)
    keys = [b"key%d" % number for number in range(20)]
    for key in keys:
        cluster.put(0, key, None, cluster.must_get(0, key).context, patience_s=0.3)
    cluster.run(1.0)
    cluster.heal()
    cluster.run(40.0)
    keys = [key for key in keys if 3 in cluster.order(key)[:3]]
    assert keys
    assert all(cluster.values(0, key) == [None] for key in keys)


def test_old_primary_that_is_dead_is_stood_in_for_by_the_next() -> None:
    cluster = filled(4, 100)
    cluster.crash(1)
    assert cluster.run(30.0, lambda: cluster.knows_dead(1))
    cluster.start(4)
    cluster.run(30.0)
    assert [home for _, home in missing(cluster, 100)] == []


def stray(cluster: RingCluster) -> tuple[int, bytes]:
    """Let a key lie at a peer that is no home of it, as after the death of a coordinator with a wrong view."""
    key = b"stray"
    *homes, holder = cluster.order(key)
    versions = mint(EMPTY, {}, b"value", f"{holder}")
    cluster.disks[holder].carry_out(MergeVersions(key=key, versions=versions))
    assert all(cluster.live_values(home, key) == [] for home in homes)
    return holder, key


def test_key_at_a_peer_that_is_no_home_of_it_reaches_all_its_homes_after_a_start() -> None:
    cluster = RingCluster(5, settings=QUIET)
    holder, key = stray(cluster)
    cluster.crash(holder)
    cluster.run(10.0)
    cluster.restart(holder)
    cluster.run(10.0)
    assert [cluster.live_values(home, key) for home in cluster.order(key)[:3]] == [[b"value"]] * 3


def test_stray_key_waits_for_the_homes_that_are_away() -> None:
    cluster = RingCluster(5, settings=QUIET)
    holder, key = stray(cluster)
    first, second, third = cluster.order(key)[:3]
    for number in (second, holder):
        cluster.crash(number)
    cluster.run(10.0)
    cluster.start(holder, seeds=(first,))
    cluster.run(20.0)
    assert [cluster.live_values(home, key) for home in (first, second, third)] == [[b"value"], [], [b"value"]]
    cluster.sent.clear()
    cluster.start(second, seeds=(first,))
    cluster.run(30.0)
    assert cluster.live_values(second, key) == [b"value"]
    assert {to for _, source, to, m in cluster.sent if source == holder and isinstance(m, StoreVersions)} == {second}


def test_stray_key_reaches_its_homes_when_members_change() -> None:
    cluster = RingCluster(5)
    _, key = stray(cluster)
    cluster.start(5)
    cluster.run(10.0)
    copies = [cluster.live_values(home, key) for home in cluster.order(key)[:3]]
    assert copies.count([b"value"]) == 3


def test_peer_that_forgot_its_members_shares_its_strays_once_it_has_joined_again() -> None:
    """Transfer takes it for a joiner, which has nothing to share: but what it holds may be nowhere else."""
    cluster = RingCluster(5, settings=QUIET)
    holder, key = stray(cluster)
    cluster.crash(holder)
    cluster.run(10.0)
    disk = cluster.disks[holder]
    disk.rows = {row: value for row, value in disk.rows.items() if not row.startswith(b"m/")}
    cluster.cut(holder)
    cluster.restart(holder)
    cluster.run(3.0)
    cluster.heal()
    cluster.run(10.0)
    assert [cluster.live_values(home, key) for home in cluster.order(key)[:3]] == [[b"value"]] * 3
