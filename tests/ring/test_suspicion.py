"""A suspicion lasts as Lifeguard's formula says, and only independent confirmations shorten it."""

import pytest
from member_net import peer

from murmuration.ring.membership.settings import MembershipSettings
from murmuration.ring.membership.suspicion import Suspicions, confirmations_wanted, suspicion_least_s, suspicion_s
from murmuration.ring.terms import Instant


@pytest.mark.parametrize(("members", "least_s"), [(1, 4.0), (5, 4.0), (10, 4.0), (100, 8.0), (1000, 12.0)])
def test_suspicion_least_time_grows_with_the_logarithm_of_the_members(members: int, least_s: float) -> None:
    assert suspicion_least_s(members, 4, 1.0) == pytest.approx(least_s)


@pytest.mark.parametrize(("members", "wanted"), [(1, 0), (2, 0), (3, 0), (4, 2), (5, 2), (100, 2)])
def test_confirmations_in_a_tiny_cluster_are_not_waited_for(members: int, wanted: int) -> None:
    assert confirmations_wanted(members, 4) == wanted


@pytest.mark.parametrize(
    ("confirmations", "wanted", "expected_s"),
    [(0, 0, 4.0), (0, 2, 24.0), (1, 2, 11.38), (2, 2, 4.0), (3, 2, 4.0), (0, 3, 24.0), (1, 3, 14.0), (2, 3, 8.15)],
)
def test_suspicion_time_falls_from_most_to_least_with_confirmations(
    confirmations: int, wanted: int, expected_s: float
) -> None:
    assert suspicion_s(confirmations, wanted, 4.0, 24.0) == pytest.approx(expected_s, abs=0.01)


def test_suspicion_confirmed_twice_by_one_accuser_is_shortened_once() -> None:
    suspicions = Suspicions(MembershipSettings())
    assert suspicions.begin(Instant(10.0), peer(9), 7, peer(1), members=5) == 34.0
    assert suspicions.confirm(peer(9), peer(1)) is None
    assert suspicions.confirm(peer(9), peer(2)) == pytest.approx(21.38, abs=0.01)
    assert suspicions.confirm(peer(9), peer(2)) is None
    assert suspicions.confirm(peer(9), peer(3)) == 14.0
    assert suspicions.confirm(peer(9), peer(4)) is None


def test_suspicion_of_another_incarnation_does_not_ripen() -> None:
    suspicions = Suspicions(MembershipSettings())
    suspicions.begin(Instant(0.0), peer(9), 7, peer(1), members=2)
    assert not suspicions.ripe(Instant(3.9), peer(9), 7)
    assert not suspicions.ripe(Instant(4.0), peer(9), 6)
    assert suspicions.ripe(Instant(4.0), peer(9), 7)
