"""Sizes and times are read as people spell them, and spelt back within their precision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.client.units import SIZES, format_count, format_size, format_time, parse_size, parse_time
from murmuration.ring.errors import CallerError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("16MiB", 16 << 20),
        ("64MB", 64_000_000),
        ("1.5KiB", 1536),
        ("10 kb", 10_000),
        ("0", 0),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_size_with_unit_is_read_as_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("10s", 10.0), ("2.5", 2.5), ("5min", 300.0), ("1h", 3600.0)]
)
def test_time_with_unit_is_read_as_seconds(text, seconds):
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "MiB", "-4MB", "12 apples", "1e6", "nan", "10s", "1.2.3MB", "\u0664KB"])
def test_size_that_is_none_is_refused_in_one_line_that_shows_the_way(text):
    with pytest.raises(CallerError, match="16MiB") as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "10MiB", "inf"])
def test_time_that_is_none_is_refused_in_one_line_that_shows_the_way(text):
    with pytest.raises(CallerError, match="250ms"):
        parse_time(text)


@given(st.integers(min_value=0, max_value=1 << 50), st.sampled_from(sorted(SIZES)))
def test_whole_size_in_any_unit_is_exact(count, unit):
    assert parse_size(f"{count}{unit}") == count * SIZES[unit]


@given(st.integers(min_value=0, max_value=1 << 49))
def test_size_spelt_and_read_again_differs_by_less_than_its_precision(count):
    assert parse_size(format_size(count)) == pytest.approx(count, rel=0.006)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250 ms"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (119.6, "2 min 00 s"),
        (125, "2 min 05 s"),
        (11_220, "3 h 07 min"),
    ],
)
def test_time_is_spelt_with_two_units_at_most(seconds, text):
    assert format_time(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (999, "999"), (999.6, "1.00 k"), (1_234_567, "1.23 M")])
def test_count_is_spelt_with_three_figures(count, text):
    assert format_count(count) == text


def test_size_is_spelt_with_a_binary_unit():
    assert [format_size(n) for n in (0, 1023, 1024, 1536 << 20, 40 << 40)] == [
        "0 B",
        "1023 B",
        "1.00 KiB",
        "1.50 GiB",
        "40.0 TiB",
    ]
