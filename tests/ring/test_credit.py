"""Hints come home fast to a peer that answers soon, slowly to a busy one, and never with much in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.handoff.credit import Credit, size_of
from murmuration.ring.handoff.settings import HandoffSettings
from murmuration.ring.outcomes import Hint

SETTINGS = HandoffSettings(in_flight=4, in_flight_max=32, soon_s=0.25, page=8, page_max=100, page_bytes_max=100_000)


def hint(size: int = 100) -> Hint:
    versions = Versions(seen={"a": 1}, siblings=(Sibling(dot=Dot(actor="a", counter=1), value=bytes(size)),))
    return Hint(key=b"key", versions=versions, chunk_size=0)


def window(credit: Credit) -> int:
    return next(count for count in range(1000) if not credit.has_room(count))


def land(credit: Credit, waited_s: float, times: int) -> None:
    for _ in range(times):
        credit.launched(hint())
        credit.landed(hint(), waited_s)


def test_window_grows_with_soon_answers_up_to_its_limit_and_shrinks_with_late_ones_to_where_it_began() -> None:
    credit = Credit(SETTINGS)
    assert window(credit) == 4
    land(credit, 0.1, 10)
    assert window(credit) == 14
    land(credit, 0.1, 100)
    assert window(credit) == 32
    land(credit, 0.3, 10)
    assert window(credit) == 22
    land(credit, 0.3, 100)
    assert window(credit) == 4


def test_large_hints_under_way_are_bounded_by_their_bytes() -> None:
    credit = Credit(HandoffSettings(bytes_in_flight_max=1000))
    credit.launched(hint(2000))
    assert not credit.has_room(1)
    credit.landed(hint(2000), 0.0)
    assert credit.has_room(0)


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=50))
def test_page_of_hints_like_those_before_fits_into_its_bytes_unless_it_is_the_least(sizes: list[int]) -> None:
    credit = Credit(SETTINGS)
    page = [hint(size) for size in sizes]
    credit.listed(page)
    assert SETTINGS.page <= credit.page <= SETTINGS.page_max
    mean = sum(map(size_of, page)) / len(page)
    assert credit.page == SETTINGS.page or credit.page * mean <= SETTINGS.page_bytes_max


def test_limits_below_the_beginning_are_refused() -> None:
    with pytest.raises(ValueError, match="limits"):
        HandoffSettings(in_flight=20, in_flight_max=10)
