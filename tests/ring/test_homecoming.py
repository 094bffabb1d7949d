"""A peer that was killed while its standing changed comes back as what the others know it to be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_net import member, peer
from msgspec.structs import replace as changed
from ring_cluster import SETTINGS, Disk, RingCluster

from murmuration.ring.effects import PutDone
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.membership.correcting import news_in
from murmuration.ring.membership.homecoming import standing_to_resume
from murmuration.ring.messages import RecallStart, RingMessage
from murmuration.ring.operations import NoteMember, Operation

QUIET = replace(SETTINGS, entropy=EntropySettings(exchange_s=1e6, hurry_s=1e6))
NOTED = Update(member=member(1), liveness=Liveness.ALIVE, incarnation=1, standing=Standing.VALID, epoch=4)
KEYS = [b"key%d" % number for number in range(40)]

rows = st.builds(changed, st.just(NOTED), standing=st.sampled_from(Standing), epoch=st.integers(0, 5))
words = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(Standing)), max_size=6)


# --- the rule ---


@pytest.mark.parametrize(
    ("noted", "known", "resumed"),
    [
        ((1, Standing.JOINING), (1, Standing.VALID), (1, Standing.VALID)),
        ((1, Standing.VALID), (1, Standing.JOINING), (1, Standing.JOINING)),
        ((1, Standing.VALID), (2, Standing.LEAVING), (2, Standing.LEAVING)),
        ((2, Standing.JOINING), (1, Standing.VALID), (2, Standing.JOINING)),
    ],
)
def test_standing_is_resumed_as_most_others_know_it_unless_that_is_older(noted, known, resumed) -> None:
    row = changed(NOTED, epoch=noted[0], standing=noted[1])
    taken_up = standing_to_resume(row, [known, known, (9, Standing.VALID)])
    assert (taken_up.epoch, taken_up.standing) == resumed


@given(rows, words)
def test_standing_that_is_resumed_is_the_noted_one_or_that_of_a_majority_and_never_older(noted, known) -> None:
    resumed = standing_to_resume(noted, known)
    told = known.count((resumed.epoch, resumed.standing))
    assert resumed == noted or 2 * told > len(known)
    assert resumed.epoch >= noted.epoch
    assert noted.standing is not Standing.REMOVED or resumed == noted


def test_peer_without_a_row_of_its_own_has_no_standing_to_resume() -> None:
    assert standing_to_resume(None, [(1, Standing.VALID)]) is None


# --- the kill between two steps ---


def filled() -> RingCluster:
    cluster = RingCluster(4, settings=QUIET)
    cluster.recalls_starts = True
    for key in KEYS:
        assert isinstance(cluster.answer(cluster.put(0, key, b"before")), PutDone)
    return cluster


def newcomer(cluster: RingCluster) -> set[tuple[int, Standing] | None]:
    """Tell what all believe of the newcomer, itself included if it runs."""
    beliefs = (ring.members.get(peer(4)) for ring in cluster.rings.values())
    return {None if held is None else (held.epoch, held.standing) for held in beliefs}


def overwrite(cluster: RingCluster) -> None:
    for key in KEYS:
        context = cluster.must_get(0, key).context
        assert isinstance(cluster.answer(cluster.put(0, key, b"meanwhile", context)), PutDone)
    cluster.run(8.0)


def says_valid(update: Update) -> bool:
    return update.member.id == peer(4) and update.standing is Standing.VALID


def notes_valid(operation: Operation) -> bool:
    return isinstance(operation, NoteMember) and says_valid(operation.update)


def tells_valid(source: int, to: int, message: RingMessage) -> bool:
    return source == 4 and any(says_valid(update) for update in news_in(message))


def all_homes_hold(cluster: RingCluster, value: bytes) -> bool:
    return all(cluster.live_values(home, key) == [value] for key in KEYS for home in cluster.order(key)[:3])


def killed_before_it_set_down_that_it_is_valid() -> RingCluster:
    cluster = filled()
    cluster.disks[4] = Disk()
    cluster.disks[4].refuses = notes_valid
    cluster.start(4)
    assert cluster.run(10.0, lambda: newcomer(cluster) == {(1, Standing.VALID)})
    cluster.crash(4)
    return cluster


def test_peer_killed_after_it_told_that_it_is_valid_and_before_it_set_that_down_stays_a_home() -> None:
    cluster = killed_before_it_set_down_that_it_is_valid()
    overwrite(cluster)
    cluster.restart(4)
    before = cluster.rings[0].placement.homes
    assert not cluster.run(1.0, lambda: cluster.rings[0].placement.homes != before)
    cluster.run(4.0)
    assert newcomer(cluster) == {(1, Standing.VALID)}
    assert all_homes_hold(cluster, b"meanwhile")


def test_peer_killed_after_it_set_down_that_it_is_valid_and_before_it_told_anybody_joins_anew() -> None:
    cluster = filled()
    cluster.is_lost = tells_valid
    cluster.start(4)
    assert cluster.run(10.0, lambda: any(notes_valid(operation) for _, at, operation in cluster.operated if at == 4))
    cluster.run(0.1)
    cluster.crash(4)
    assert newcomer(cluster) == {(1, Standing.JOINING)}
    cluster.heal()
    overwrite(cluster)
    cluster.restart(4)
    assert cluster.run(10.0, lambda: newcomer(cluster) == {(2, Standing.VALID)})
    assert all_homes_hold(cluster, b"meanwhile")


def test_peer_that_hears_from_too_few_goes_by_its_own_row() -> None:
    cluster = killed_before_it_set_down_that_it_is_valid()
    cluster.is_lost = lambda source, to, message: isinstance(message, RecallStart) and to != 0
    cluster.restart(4)
    assert cluster.run(10.0, lambda: newcomer(cluster) == {(2, Standing.JOINING)})
