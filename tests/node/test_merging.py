"""A merge of sorted inputs gives what a sort in memory gives, wherever blocks end and however many values a key has."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.executor.shuffle.merging import LargeValues, merged
from murmuration.scheduling.ordering import order_key, sorted_by_key

KEYS = st.sampled_from([None, 0, 1, True, 2.5, -3, "a", "b", "ab", b"a", b"", (1, "x"), (1.0, "x"), (None,), ()])
ROWS = st.lists(st.tuples(KEYS, st.lists(st.integers(), min_size=1, max_size=3)), max_size=12)
INPUTS = st.lists(ROWS, max_size=5)


def blocks_of(rows, sizes):
    """Cut sorted rows into blocks, of which those with single values alone hold them bare."""
    rows = sorted_by_key(rows)
    while rows:
        size = sizes.draw(st.integers(1, 4))
        keys, lists = [key for key, _ in rows[:size]], [list(values) for _, values in rows[:size]]
        bare = all(len(values) == 1 for values in lists)
        yield keys, tuple(value for (value,) in lists) if bare else lists
        rows = rows[size:]


@given(inputs=INPUTS, memory=st.sampled_from([0, 150, 1 << 20]), sizes=st.data())
def test_merge_gives_each_key_once_in_order_with_its_values_in_order_of_the_inputs(inputs, memory, sizes):
    groups = {}
    for key, values in chain.from_iterable(map(sorted_by_key, inputs)):
        groups.setdefault(key, []).extend(values)
    found = [(key, list(values)) for key, values in merged([blocks_of(rows, sizes) for rows in inputs], memory)]
    assert found == sorted(groups.items(), key=lambda item: order_key(item[0]))
    assert [type(key) for key, _ in found] == [type(key) for key, _ in sorted_by_key(groups.items())]


def inputs_of_one_large_key():
    return [iter([(["a", "k"], [[1], [2]]), (["k"], [[3, 4]]), (["k", "z"], [[5], [6]])]), iter([(["k"], (7,))])]


def test_key_of_more_values_than_fit_is_an_iterator_to_go_through_once():
    given_to_user = {key: values for key, values in merged(inputs_of_one_large_key(), 0) if key == "k"}
    assert isinstance(given_to_user["k"], LargeValues)
    values = dict.fromkeys(())
    for key, values in merged(inputs_of_one_large_key(), 0):
        if key == "k":
            assert bool(values)
            assert (next(values), sum(values), list(values)) == (2, 19, [])
            for wrong in (len, lambda them: them[0]):
                with pytest.raises(TypeError, match="go through them once"):
                    wrong(values)


def test_values_that_are_left_over_are_not_given_to_the_next_key():
    assert [(key, next(iter(values))) for key, values in merged(inputs_of_one_large_key(), 0)] == [
        ("a", 1),
        ("k", 2),
        ("z", 6),
    ]


def test_inputs_are_read_one_block_ahead_at_most():
    read = []

    def blocks(name):
        for number in range(100):
            read.append(name)
            yield [f"{number:03}{name}"], ([number],)

    groups = merged([blocks("x"), blocks("y")], 1 << 20)
    for _ in range(10):
        next(groups)
    assert len(read) <= 13
