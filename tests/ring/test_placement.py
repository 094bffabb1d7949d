"""Placement promises balance, little movement, distinct peers and zones, and one answer for one member set."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.ring.errors import CallerError
from murmuration.ring.placement.rendezvous import CAP, Home, Placement, place, vnode_of
from murmuration.ring.terms import PeerId


def peers(count: int, seed: int = 1) -> list[PeerId]:
    chance = random.Random(seed)
    return [PeerId(f"{chance.getrandbits(128):032x}") for _ in range(count)]


def even(ids: list[PeerId]) -> frozenset[Home]:
    return frozenset(Home(peer) for peer in ids)


def moved(before: Placement, after: Placement) -> float:
    """Tell the share of copies whose peer did not have the vnode before."""
    gained = [set(after.primaries(v)) - set(before.primaries(v)) for v in range(after.vnodes)]
    return sum(map(len, gained)) / (after.vnodes * after.replicas)


def balance(placement: Placement) -> float:
    """Tell mean load over greatest load."""
    counts = placement.copies().values()
    return sum(counts) / len(counts) / max(counts)


homes_of_any_kind = st.lists(
    st.builds(
        Home,
        id=st.integers(0, (1 << 128) - 1).map(lambda number: PeerId(f"{number:032x}")),
        weight=st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0]),
        zone=st.sampled_from(["", "a", "a", "b", "c", "d"]),
    ),
    max_size=12,
    unique_by=lambda home: home.id,
)


@settings(max_examples=80, deadline=None)
@given(homes=homes_of_any_kind, bits=st.integers(0, 6), replicas=st.integers(1, 5))
def test_every_vnode_of_any_member_set_has_distinct_peers_in_as_many_zones_as_there_are(homes, bits, replicas):
    placement = place(frozenset(homes), 1 << bits, replicas)
    zones = {home.id: home.zone or home.id for home in homes}
    copies = min(replicas, len(homes))
    for vnode in range(placement.vnodes):
        primaries = placement.primaries(vnode)
        assert len(primaries) == len(set(primaries)) == copies
        distinct = min(copies, len(set(zones.values())))
        assert len({zones[peer] for peer in primaries[:distinct]}) == distinct
        assert placement.order(vnode)[:copies] == primaries
        assert sorted(placement.order(vnode)) == sorted(zones)
    assert sum(placement.copies().values()) == copies * placement.vnodes


@settings(max_examples=30, deadline=None)
@given(homes=homes_of_any_kind, chance=st.randoms(use_true_random=False))
def test_placement_of_one_member_set_is_the_same_whatever_the_order_of_its_members(homes, chance):
    shuffled = list(homes)
    chance.shuffle(shuffled)
    once = place.__wrapped__(frozenset(homes), 32, 3)
    again = place.__wrapped__(frozenset(shuffled), 32, 3)
    assert [once.order(vnode) for vnode in range(32)] == [again.order(vnode) for vnode in range(32)]


def test_placement_of_known_peers_never_changes_between_releases_or_machines():
    placement = place(even([PeerId(f"{number:032x}") for number in range(5)]), 16, 3)
    short = ["".join(peer[-1] for peer in placement.order(vnode)) for vnode in range(16)]
    assert short == [
        *("34210", "10423", "24310", "03214", "03412", "41230", "34102", "42103"),
        *("13420", "23410", "13420", "41023", "01342", "32104", "10324", "20134"),
    ]


@pytest.mark.parametrize(("count", "vnodes", "moved_most"), [(5, 256, 0.175), (10, 256, 0.105), (30, 1024, 0.039)])
def test_join_moves_little_more_than_the_least_possible_and_leaves_the_ring_balanced(count, vnodes, moved_most):
    ids = peers(count + 1)
    before, after = place(even(ids[:-1]), vnodes, 3), place(even(ids), vnodes, 3)
    assert moved(before, after) <= moved_most
    assert balance(before) >= 0.94
    assert balance(after) >= 0.94


def test_leave_moves_little_more_than_what_the_leaver_held():
    ids = peers(31)
    before, after = place(even(ids), 1024, 3), place(even(ids[:-1]), 1024, 3)
    assert moved(before, after) <= 1 / 31 + 0.01


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 30])
def test_no_peer_of_even_weight_is_given_more_than_its_cap(count):
    copies = min(3, count)
    placement = place(even(peers(count, seed=count)), 256, 3)
    assert max(placement.copies().values()) <= -(-CAP * 256 * copies // count)


def test_load_follows_weight_within_the_cap():
    ids = peers(12)
    weights = {peer: 1.0 + index % 3 for index, peer in enumerate(ids)}
    counts = place(frozenset(Home(peer, weights[peer]) for peer in ids), 1024, 3).copies()
    for peer in ids:
        fair = 1024 * 3 * weights[peer] / sum(weights.values())
        assert 0.8 * fair <= counts[peer] <= CAP * fair + 1


def test_peer_of_more_weight_than_it_can_use_holds_each_vnode_once_and_the_rest_share_evenly():
    giant, *others = peers(5)
    counts = place(frozenset([Home(giant, 100.0), *map(Home, others)]), 256, 3).copies()
    assert counts[giant] == 256
    assert all(counts[peer] <= CAP * 256 * 2 / 4 + 1 for peer in others)


def test_lonely_peer_of_a_zone_holds_a_copy_of_everything():
    lonely, *others = peers(9)
    homes = [Home(lonely, zone="z"), *(Home(peer, zone="ab"[index % 2]) for index, peer in enumerate(others))]
    assert place(frozenset(homes), 128, 3).copies()[lonely] == 128


def test_zone_of_a_single_named_peer_among_peers_without_zone_costs_it_nothing():
    named, *others = peers(10)
    counts = place(frozenset([Home(named, zone="z"), *map(Home, others)]), 256, 3).copies()
    assert counts[named] <= CAP * 256 * 3 / 10 + 1


def test_vnode_that_caps_and_zones_leave_short_is_completed_a_single_copy_above_a_cap():
    kinds = [(1.0, "a"), (1.0, "c"), (40.0, "a"), (2.0, "a"), (0.01, "d"), (1.0, "a"), (1.0, "c")]
    homes = [Home(PeerId(str(number)), weight, zone) for number, (weight, zone) in enumerate(kinds)]
    placement = place(frozenset(homes), 32, 5)
    assert all(len(set(placement.primaries(vnode))) == 5 for vnode in range(32))
    assert placement.copies()[PeerId("1")] == 18


def test_peer_of_hardly_any_weight_is_a_member_like_any_other():
    homes = [Home(peer, 1e-12 if index == 0 else 1.0) for index, peer in enumerate(peers(4))]
    assert sum(place(frozenset(homes), 64, 3).copies().values()) == 64 * 3


def test_first_places_are_spread_so_that_no_peer_coordinates_everything():
    ids = peers(10)
    placement = place(even(ids), 1024, 3)
    firsts = Counter(placement.primaries(vnode)[0] for vnode in range(1024))
    assert min(firsts.values()) > 0.5 * 1024 / 10
    assert max(firsts.values()) < 1.5 * 1024 / 10


def test_ring_without_members_prefers_nobody():
    placement = place(frozenset(), 64, 3)
    assert placement.preference(b"key") == ()
    assert placement.primaries(0) == ()
    assert placement.copies() == {}


def test_count_of_primaries_reaches_into_the_fallbacks_when_a_request_wants_more():
    placement = place(even(peers(6)), 64, 3)
    assert placement.primaries(5, 5) == placement.order(5)[:5]
    assert placement.primaries(5, 2) == placement.primaries(5)[:2]
    assert placement.primaries(5, 99) == placement.order(5)


def test_preference_of_a_key_is_that_of_its_vnode():
    placement = place(even(peers(6)), 64, 3)
    assert placement.preference(b"key") == placement.order(vnode_of(b"key", 64))


@given(key=st.binary(min_size=1, max_size=64), bits=st.integers(0, 15))
def test_vnode_of_a_key_keeps_its_place_when_every_arc_is_halved(key, bits):
    assert vnode_of(key, 1 << (bits + 1)) // 2 == vnode_of(key, 1 << bits)


def test_keys_spread_evenly_over_vnodes():
    counts = Counter(vnode_of(b"key %d" % number, 16) for number in range(16_000))
    assert set(counts) == set(range(16))
    assert max(counts.values()) < 1_200


def test_same_member_set_is_placed_once_for_all_peers_that_ask():
    ids = peers(3)
    assert place(even(ids), 64, 3) is place(even(ids[::-1]), 64, 3)


@pytest.mark.parametrize(
    ("homes", "vnodes", "replicas"),
    [
        ([], 0, 3),
        ([], 100, 3),
        ([], 1 << 17, 3),
        ([], 64, 0),
        ([Home(PeerId("a"), 0.0)], 64, 3),
        ([Home(PeerId("a"), float("nan"))], 64, 3),
        ([Home(PeerId("a")), Home(PeerId("a"), 2.0)], 64, 3),
    ],
)
def test_impossible_ring_is_refused(homes, vnodes, replicas):
    with pytest.raises(CallerError):
        place(frozenset(homes), vnodes, replicas)
