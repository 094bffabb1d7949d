"""A machine's time never runs back, and no alarm rings before it."""

from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.steady import SteadyTime
from murmuration.ring.terms import Instant

TIMES = st.floats(-1e6, 1e6)


@given(st.lists(TIMES, min_size=2))
def test_time_of_any_clock_never_runs_back(told):
    steady = SteadyTime()
    read = [steady.read(Instant(each)) for each in told]
    assert read == sorted(read)


def test_clock_that_is_set_back_goes_on_from_where_it_was():
    steady = SteadyTime()
    assert steady.read(Instant(100.0)) == 100.0
    assert steady.read(Instant(40.0)) == 100.0
    assert steady.read(Instant(41.5)) == 101.5
    assert steady.on_clock(Instant(102.0)) == 42.0


def test_clock_that_is_set_forward_is_believed():
    steady = SteadyTime()
    steady.read(Instant(1.0))
    assert steady.read(Instant(3601.0)) == 3601.0


@given(TIMES, TIMES)
def test_alarm_that_has_rung_is_not_early(told, at):
    """Else it would be taken for a stale one, and never be set anew."""
    steady = SteadyTime()
    steady.rang(Instant(told), Instant(at))
    assert steady.read(Instant(told)) >= at
