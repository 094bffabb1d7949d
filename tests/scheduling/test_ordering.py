"""Keys of all types have one total order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.scheduling.ordering import order_key, sorted_by_key

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3), st.binary(max_size=3)
)
KEYS = st.recursive(PLAIN, lambda keys: st.lists(keys, max_size=3).map(tuple), max_leaves=4)


def sorted_keys(keys) -> list:
    return [key for key, _ in sorted_by_key((key, object()) for key in keys)]


@given(st.lists(KEYS))
def test_sorted_keys_are_in_the_order_of_order_key(keys):
    assert list(map(repr, sorted_keys(keys))) == list(map(repr, sorted(keys, key=order_key)))


@given(st.one_of(st.lists(st.text()), st.lists(st.binary()), st.lists(st.integers() | st.floats(allow_nan=False))))
def test_keys_of_one_kind_sort_in_their_natural_order(keys):
    assert sorted_keys(keys) == sorted(keys)


@given(KEYS, KEYS)
def test_order_keys_are_equal_exactly_when_keys_are(left, right):
    assert (order_key(left) == order_key(right)) == (left == right)


def test_kinds_come_in_the_documented_order():
    ladder = [None, -1, 0.5, True, 2, "", "a", b"", b"a", (), (None,), (1, "z"), ("a",), ("a", 1)]
    assert sorted_keys(reversed(ladder)) == ladder
    assert all(order_key(low) < order_key(high) for low, high in pairwise(ladder))


def test_equal_keys_keep_the_order_they_came_in():
    assert list(map(repr, sorted_keys(["x", True, 1.0, 1]))) == ["True", "1.0", "1", "'x'"]


def test_values_stay_with_their_keys_and_are_never_compared():
    assert sorted_by_key([("b", {}), ("a", []), ("b", None)]) == [("a", []), ("b", {}), ("b", None)]


def test_order_key_of_unsupported_type_raises_type_error():
    with pytest.raises(TypeError, match="list"):
        order_key([1])
