"""Equal keys go to one partition, on every machine and for ever."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_keys import KEYS

from murmuration.scheduling.partitioners import canonical, partition_of, partitions_of


@given(KEYS, KEYS)
def test_canonical_encodings_are_equal_exactly_when_keys_are(left, right):
    assert (canonical(left) == canonical(right)) == (left == right)


@given(st.lists(KEYS), st.integers(1, 9))
def test_partitions_of_many_keys_agree_with_partition_of_each(keys, partitions):
    assert partitions_of(keys, partitions) == [partition_of(key, partitions) for key in keys]


def test_partition_of_known_keys_never_changes():
    keys = ["word", "", "naïve", b"word", 1, True, 1.0, -1, 2.5, None, ("a", 1)]
    assert partitions_of(keys, 1000) == [668, 619, 757, 273, 245, 245, 245, 16, 865, 290, 754]


def test_partitions_of_many_words_are_balanced():
    counts = Counter(partitions_of([f"word{n}" for n in range(10_000)], 10))
    assert min(counts.values()) > 850


@pytest.mark.parametrize("key", [[1], {"a": 1}, frozenset(), object(), ("a", [1])])
def test_canonical_of_unsupported_type_raises_type_error_that_says_what_to_use(key):
    with pytest.raises(TypeError, match="use None, a number, a string, bytes or a tuple"):
        canonical(key)


def test_canonical_of_nan_raises_value_error():
    with pytest.raises(ValueError, match="NaN"):
        canonical(math.nan)


def test_canonical_of_huge_integer_has_no_limit_on_digits():
    assert len(canonical(10**10_000)) > 4000
    assert canonical(1e300) == canonical(int(1e300))
