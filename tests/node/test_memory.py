"""What attempts hold is estimated well enough to keep a budget, alike at each try, and seldom enough to cost little."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.executor.shuffle.memory import Gauge, weight_of_groups

MAKERS = {
    "words counted": lambda: {f"word{n}": n * 1000 for n in range(20_000)},
    "lists of text": lambda: {f"key{n}": [f"value {n} {m}" for m in range(10)] for n in range(3_000)},
    "one key": lambda: {"k": [f"value {m}" for m in range(50_000)]},
    "one key of many": lambda: {**{n: [n] for n in range(3_000)}, "k": [b"x%d" % m * 20 for m in range(20_000)]},
    "tuples": lambda: {(n, f"{n}"): [(n * 1000, f"file-{n}", 0.5)] for n in range(10_000)},
    "sets": lambda: {n: {f"{n}-{m}": None for m in range(50)} for n in range(1_000)},
    "documents": lambda: {n: [{"id": n * 500, "words": [f"w{n}{i}" for i in range(20)]}] for n in range(1_000)},
    "unicode": lambda: {f"ключ{n}": ["значение" * 5 + str(n)] for n in range(5_000)},
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_weight_is_near_to_what_the_interpreter_takes(maker):
    tracemalloc.start()
    try:
        groups = maker()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.75 * taken < weight_of_groups(groups) < 2 * taken


def test_weight_of_what_nests_without_end_has_an_end():
    loop = []
    loop.append(loop)
    assert 0 < weight_of_groups({"k": [loop]}) < 10_000


@given(st.dictionaries(st.integers(), st.lists(st.text(max_size=4), min_size=1), max_size=300))
def test_weight_depends_on_content_alone(groups):
    copy = {int(str(key)): ["".join(list(value)) for value in values] for key, values in groups.items()}
    assert weight_of_groups(copy) == weight_of_groups(groups)


@given(per_unit=st.integers(1, 10_000), limit=st.integers(10_000, 1 << 24), faster=st.integers(1, 3))
def test_gauge_tells_of_too_much_in_time_and_weighs_seldom(per_unit, limit, faster):
    gauge = Gauge(2 * limit, 10)
    weight = weighings = 0
    while True:
        rate = per_unit * (faster if weight > limit / 2 else 1)
        taken = gauge.left
        weight += taken * rate
        assert gauge.advance(taken)
        weighings += 1
        if gauge.weighed(weight):
            break
    assert weight <= 1.5 * limit + 11 * 3 * per_unit
    assert weighings < 40
