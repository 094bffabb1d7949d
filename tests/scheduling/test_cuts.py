"""Cuts part the order of keys: what is dealt by them and sorted one by one is sorted end to end."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_keys import KEYS

from murmuration.scheduling.cuts import CUTS_BYTES_MAX, chosen_cuts, original, ranges_of
from murmuration.scheduling.ordering import order_key
from murmuration.scheduling.partitioners import canonical


def dealt(keys, cuts, partitions):
    shares = [[] for _ in range(partitions)]
    for key, number in zip(keys, ranges_of(keys, [original(cut) for cut in cuts]), strict=True):
        shares[number].append(key)
    return shares


@given(KEYS)
def test_encoded_key_is_taken_apart_to_an_equal_one(key):
    assert original(canonical(key)) == key


@given(st.lists(KEYS), st.lists(KEYS), st.integers(1, 7))
def test_partitions_sorted_one_by_one_are_sorted_end_to_end(sample, keys, partitions):
    cuts = chosen_cuts(map(canonical, sample), partitions)
    shares = dealt(keys, cuts, partitions)
    joined = [key for share in shares for key in sorted(share, key=order_key)]
    assert joined == sorted(keys, key=order_key)
    assert all(len({order_key(key) for key in share}) == len(set(map(canonical, share))) for share in shares)


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)), st.integers(2, 5))
def test_keys_of_one_kind_are_dealt_as_among_others(sample, keys, partitions):
    cuts = [original(cut) for cut in chosen_cuts(map(canonical, sample), partitions)]
    assert ranges_of([*keys, None], cuts) == [*ranges_of(keys, cuts), 0]


def test_shares_of_a_large_sample_are_equal():
    keys = [f"word{number * 7919 % 10_000:05}" for number in range(10_000)]
    cuts = chosen_cuts(map(canonical, keys), 8)
    assert [len(share) for share in dealt(keys, cuts, 8)] == [1250] * 8


def test_key_that_is_half_of_all_lies_in_one_partition_and_leaves_none_empty():
    keys = ["b"] * 500 + [f"c{number:03}" for number in range(400)] + ["a"] * 100
    shares = dealt(keys, chosen_cuts(map(canonical, keys), 3), 3)
    assert Counter(shares[1])["b"] == 500
    assert all(shares)


def test_sample_of_nothing_has_no_cuts_and_all_goes_to_the_first_partition():
    assert chosen_cuts([], 4) == ()
    assert dealt([3, 1, 2], (), 4) == [[3, 1, 2], [], [], []]


def test_cuts_of_long_keys_are_short_and_part_them_all_the_same():
    keys = [f"{number:04}" + "x" * 100_000 for number in range(200)]
    cuts = chosen_cuts(map(canonical, keys), 100)
    assert sum(map(len, cuts)) < CUTS_BYTES_MAX
    assert max(len(share) for share in dealt(keys, cuts, 100)) == 2


@pytest.mark.parametrize("encoded", [b"", b"x", b"f12", b"t\0\0\0\5a", b"t\0\0"])
def test_bytes_that_are_no_encoded_key_are_refused(encoded):
    with pytest.raises(ValueError, match=r"encoded"):
        original(encoded)


def test_nan_has_no_partition():
    with pytest.raises(ValueError, match="NaN"):
        ranges_of([1.0, math.nan], [0])


def test_key_without_a_place_in_the_order_has_no_partition():
    with pytest.raises(TypeError, match="use None, a number"):
        ranges_of([[1]], [0])
