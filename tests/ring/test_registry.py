"""Joining, leaving and removal: when a peer owns keys, what it is told before, and that a removal is for ever."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_net import member, peer
from msgspec.structs import replace as changed
from ring_cluster import ALL, SETTINGS, RingCluster

from murmuration.ring.effects import Failed, GetDone, MoveBegun, MovePlanned, PutDone
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.events import LeaveRequested, PlanRequested, RemoveRequested, StopRequested, VotesOwed
from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.membership.beliefs import seniority, with_senior_standing
from murmuration.ring.messages import FetchVersions, OfferVersions, ServiceDone, StoreVersions, VersionsFetched
from murmuration.ring.placement.course import COMBINED_MAX, course_of
from murmuration.ring.placement.rendezvous import Home
from murmuration.ring.terms import Quorum
from murmuration.ring.transfer.transfer import TransferSettings

QUIET = replace(SETTINGS, entropy=EntropySettings(exchange_s=1e6, hurry_s=1e6))
STRICT = Quorum(strict=True)


def filled(size: int, keys: int = 60) -> RingCluster:
    cluster = RingCluster(size, settings=QUIET)
    for number in range(keys):
        assert isinstance(cluster.answer(cluster.put(0, b"key%d" % number, b"value", quorum=ALL)), PutDone)
    return cluster


def standing(cluster: RingCluster, at: int, of: int) -> Standing:
    return cluster.rings[at].members[peer(of)].standing


def is_valid_everywhere(cluster: RingCluster, number: int) -> bool:
    tables = [ring.members for ring in cluster.rings.values()]
    return all(peer(number) in table and table[peer(number)].standing is Standing.VALID for table in tables)


# --- the order of standings ---

updates = st.builds(
    Update,
    member=st.just(member(1)),
    liveness=st.sampled_from(Liveness),
    incarnation=st.integers(0, 3),
    standing=st.sampled_from(Standing),
    epoch=st.integers(0, 3),
)


@given(updates, updates)
def test_standing_of_two_beliefs_is_the_senior_one_whichever_was_heard_first(one: Update, other: Update) -> None:
    merged, reverse = with_senior_standing(one, other), with_senior_standing(other, one)
    assert seniority(merged) == seniority(reverse) == max(seniority(one), seniority(other))
    assert merged.incarnation == one.incarnation
    assert merged.standing is not Standing.REMOVED or merged.liveness is Liveness.LEFT


def test_removal_outlasts_any_later_epoch() -> None:
    removed = Update(member=member(1), liveness=Liveness.LEFT, incarnation=1, standing=Standing.REMOVED, epoch=1)
    assert (
        with_senior_standing(changed(removed, standing=Standing.VALID, epoch=99), removed).standing is Standing.REMOVED
    )


# --- the course ---


@given(st.integers(0, 4), st.integers(0, 4))
def test_course_begins_with_the_homes_of_now_and_ends_with_the_target(joining: int, leaving: int) -> None:
    homes = [Home(peer(number)) for number in range(3 + leaving + joining)]
    moves = {peer(3 + number): (Standing.LEAVING, 1) for number in range(leaving)}
    moves |= {peer(3 + leaving + number): (Standing.JOINING, 1) for number in range(joining)}
    current, target = frozenset(homes[: 3 + leaving]), frozenset(homes[:3] + homes[3 + leaving :])
    course = course_of(current, target, moves)
    assert (course[0], course[-1]) == (current, target)
    assert len(course) == len(set(course))
    if joining + leaving <= COMBINED_MAX:
        assert len(course) == 2 ** (joining + leaving)


# --- joining ---


def test_newcomer_owns_keys_only_when_all_homes_have_passed_them_on() -> None:
    cluster = filled(4)
    cluster.is_lost = lambda source, to, message: source == 2 and isinstance(message, ServiceDone)
    cluster.start(4)
    cluster.run(20.0)
    assert standing(cluster, 0, 4) is Standing.JOINING
    assert peer(4) not in cluster.rings[0].preference(b"key1")
    cluster.heal()
    assert cluster.run(5.0, lambda: is_valid_everywhere(cluster, 4))
    assert peer(4) in cluster.rings[0].preference(b"key1")


def test_empty_cluster_lets_newcomers_in_at_once() -> None:
    cluster = RingCluster(1, settings=QUIET)
    for number in (1, 2, 3):
        cluster.start(number)
    assert cluster.run(1.0, lambda: all(is_valid_everywhere(cluster, number) for number in range(4)))


def test_write_during_a_join_reaches_the_newcomer_and_does_not_count_it() -> None:
    cluster = filled(3)
    cluster.is_lost = lambda source, to, message: isinstance(message, ServiceDone)
    cluster.start(3)
    cluster.run(2.0)
    done = cluster.must_put(0, b"fresh", b"value")
    cluster.run(0.5)
    assert done.primaries <= done.replicas == 3
    pending = [
        to for _, _, to, message in cluster.sent if isinstance(message, StoreVersions) and message.key == b"fresh"
    ]
    coming = cluster.rings[0]._parts.roster.pending(b"fresh", 3)
    assert (3 in pending) is (peer(3) in coming)


@pytest.mark.parametrize("seed", range(6))
def test_strict_read_during_joins_and_a_leave_never_misses_an_acknowledged_write(seed: int) -> None:
    """One home of each key lacks it, and copies are lost on the way: still R of the next primaries hold it."""
    cluster = RingCluster(4, seed=seed, settings=QUIET)
    cluster.is_lost = lambda source, to, message: to == 1 and isinstance(message, StoreVersions)
    for number in range(20):
        cluster.answer(cluster.put(0, b"key%d" % number, b"0", quorum=STRICT))
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions) and cluster.rng.random() < 0.2
    cluster.start(4)
    cluster.start(5)
    cluster.happen(2, LeaveRequested())
    newest: dict[bytes, bytes | None] = {b"key%d" % number: b"0" for number in range(20)}
    for round_ in range(1, 15):
        for key in newest:
            got = cluster.answer(cluster.get(0, key, quorum=STRICT))
            assert isinstance(got, GetDone), got
            assert newest.get(key) in [None, *(sibling.value for sibling in got.siblings)], (key, round_)
            if cluster.rng.random() < 0.3:
                value = b"%d" % round_
                done = cluster.answer(cluster.put(0, key, value, got.context, quorum=STRICT))
                newest[key] = value if isinstance(done, PutDone) else None  # it may or may not be there
        cluster.run(0.1)
    assert cluster.run(30.0, lambda: is_valid_everywhere(cluster, 5) and 2 in cluster.parted)


def test_newcomer_that_starts_again_is_sent_only_what_it_lacks() -> None:
    cluster = filled(3)
    cluster.is_lost = lambda source, to, message: isinstance(message, ServiceDone)
    cluster.start(3)
    cluster.run(5.0)
    cluster.crash(3)
    cluster.heal()
    cluster.sent.clear()
    cluster.restart(3)
    assert cluster.run(10.0, lambda: is_valid_everywhere(cluster, 3))
    assert [message for _, _, to, message in cluster.sent if to == 3 and isinstance(message, OfferVersions)]
    assert [message for _, _, to, message in cluster.sent if to == 3 and isinstance(message, StoreVersions)] == []


def test_transfer_keeps_to_its_pace() -> None:
    pace = replace(QUIET, transfer=TransferSettings(bytes_per_s=10_000.0))
    cluster = RingCluster(1, settings=pace)
    for number in range(50):
        cluster.put(0, b"key%d" % number, bytes(1000))
    cluster.run(1.0)
    cluster.start(1)
    begun = cluster.now
    assert cluster.run(30.0, lambda: is_valid_everywhere(cluster, 1))
    assert cluster.now - begun > 4.0
    assert cluster.rings[0].progress.keys_sent == 50


# --- leaving ---


def test_peer_that_leaves_hands_over_and_ends_while_all_keys_stay_readable() -> None:
    cluster = filled(5)
    cluster.happen(2, LeaveRequested(request="leave"))
    assert cluster.answer("leave") == MoveBegun()
    assert cluster.run(20.0, lambda: 2 in cluster.parted)
    assert not cluster.parted[2].by_others
    cluster.run(1.0)
    for number in range(60):
        assert cluster.values(0, b"key%d" % number) == [b"value"]
        homes = cluster.order(b"key%d" % number)[:3]
        assert all(cluster.live_values(home, b"key%d" % number) == [b"value"] for home in homes)


def test_peer_on_whose_vote_open_jobs_count_leaves_when_they_have_ended() -> None:
    cluster = filled(4)
    cluster.happen(2, VotesOwed(jobs=1))
    cluster.happen(2, LeaveRequested())
    cluster.run(20.0)
    assert standing(cluster, 0, 2) is Standing.LEAVING
    cluster.happen(2, VotesOwed(jobs=0))
    assert cluster.run(2.0, lambda: 2 in cluster.parted)


def test_last_peer_refuses_to_leave() -> None:
    cluster = RingCluster(1)
    cluster.happen(0, LeaveRequested(request="leave"))
    assert isinstance(cluster.answer("leave"), Failed)
    assert standing(cluster, 0, 0) is Standing.VALID


def test_start_calls_an_unfinished_leave_off() -> None:
    cluster = filled(4)
    cluster.is_lost = lambda source, to, message: isinstance(message, ServiceDone)
    cluster.happen(2, LeaveRequested())
    cluster.run(3.0)
    cluster.crash(2)
    cluster.heal()
    cluster.run(3.0)
    assert standing(cluster, 0, 2) is Standing.LEAVING
    cluster.restart(2)
    assert cluster.run(10.0, lambda: is_valid_everywhere(cluster, 2))


def test_peer_that_stops_keeps_its_place_and_moves_nothing() -> None:
    cluster = filled(4)
    before = cluster.rings[0].placement.homes
    cluster.sent.clear()
    cluster.happen(2, StopRequested())
    cluster.run(0.2)
    cluster.crash(2)
    cluster.run(20.0)
    assert cluster.rings[0].members[peer(2)].liveness is Liveness.LEFT
    assert cluster.rings[0].placement.homes == before
    assert [message for _, _, _, message in cluster.sent if isinstance(message, StoreVersions)] == []
    cluster.restart(2)
    assert cluster.run(5.0, cluster.all_alive)


# --- removing ---


def test_removed_peer_hears_of_it_ends_and_never_comes_back_as_itself() -> None:
    cluster = filled(4)
    cluster.crash(2)
    cluster.run(40.0)
    cluster.happen(0, RemoveRequested(request="removal", peer=peer(2)))
    cluster.run(10.0)
    assert peer(2) not in cluster.rings[1].preference(b"key1")
    assert all(cluster.live_values(home, b"key1") == [b"value"] for home in cluster.order(b"key1")[:3])
    for _ in range(2):
        cluster.parted.clear()
        cluster.restart(2)
        assert cluster.run(5.0, lambda: 2 in cluster.parted)
        assert cluster.parted[2].by_others
    assert standing(cluster, 1, 2) is Standing.REMOVED


def test_messages_of_a_removed_peer_are_refused_with_the_removal() -> None:
    cluster = filled(4)
    cluster.happen(0, RemoveRequested(request="removal", peer=peer(2)))
    cluster.sent.clear()
    cluster._send(2, 0, FetchVersions(request="late", key=b"key1"))
    cluster.run(0.1)
    assert not [
        message for _, source, _, message in cluster.sent if source == 0 and isinstance(message, VersionsFetched)
    ]
    assert cluster.parted[2].by_others


def test_plan_of_a_leave_foretells_what_moves() -> None:
    cluster = filled(5)
    plans = []
    for number in range(5):
        cluster.happen(number, PlanRequested(request=f"plan{number}", gone=peer(2), by_removal=False))
        plans.append(cluster.answer(f"plan{number}"))
    assert all(isinstance(plan, MovePlanned) for plan in plans)
    foreseen = sum(plan.keys for plan in plans if isinstance(plan, MovePlanned))
    cluster.sent.clear()
    cluster.happen(2, LeaveRequested())
    assert cluster.run(20.0, lambda: 2 in cluster.parted)
    copies = {(to, message.key) for _, _, to, message in cluster.sent if isinstance(message, StoreVersions)}
    assert len(copies) == foreseen > 0
