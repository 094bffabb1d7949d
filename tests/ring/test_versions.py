"""Version sets promise that no concurrent write is lost and that nothing overwritten returns."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.copies.versions import (
    ACTORS_MAX,
    COUNTER_MAX,
    EMPTY,
    SIBLINGS_MAX,
    canonical,
    context_of,
    covers,
    join,
    live_values,
    mint,
    stripped,
)
from murmuration.ring.errors import CallerError
from murmuration.ring.facts import Dot, Sibling, Versions

REPLICAS = 3


@dataclass
class History:
    """Replicas of one key beside an oracle that knows each write's whole past as a set, without any counter."""

    copies: list[Versions] = field(default_factory=lambda: [EMPTY] * REPLICAS)
    known: list[frozenset[int]] = field(default_factory=lambda: [frozenset()] * REPLICAS)
    past: dict[int, frozenset[int]] = field(default_factory=dict)
    reads: list[tuple[dict[str, int], frozenset[int]]] = field(default_factory=lambda: [({}, frozenset())])

    def read(self, replica: int) -> None:
        self.reads.append((context_of(self.copies[replica]), self.known[replica]))

    def put(self, replica: int, read: int) -> None:
        context, seen = self.reads[read % len(self.reads)]
        number = len(self.past)
        self.past[number] = seen
        self.known[replica] |= seen | {number}
        self.copies[replica] = mint(self.copies[replica], context, b"%d" % number, f"actor {replica}")

    def merge(self, into: int, other: int) -> None:
        self.known[into] |= self.known[other]
        self.copies[into] = join(self.copies[into], self.copies[other])

    def current(self, replica: int) -> set[int]:
        overwritten = frozenset().union(*(self.past[number] for number in self.known[replica]))
        return set(self.known[replica] - overwritten)


replicas = st.integers(0, REPLICAS - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), replicas),
        st.tuples(st.just("put"), replicas, st.integers(0, 20)),
        st.tuples(st.just("merge"), replicas, replicas),
    ),
    max_size=30,
)


def play(script: list[tuple]) -> History:
    history = History()
    for name, *arguments in script:
        getattr(history, name)(*arguments)
    return history


histories = steps.map(play)


@given(histories)
def test_replica_after_any_history_holds_exactly_the_writes_that_no_known_write_has_read(history):
    for replica in range(REPLICAS):
        assert {int(value) for value in live_values(history.copies[replica])} == history.current(replica)


@given(histories)
def test_join_is_commutative_associative_and_idempotent_to_the_byte(history):
    a, b, c = history.copies
    encode = msgspec.msgpack.encode
    assert encode(join(a, b)) == encode(join(b, a))
    assert encode(join(join(a, b), c)) == encode(join(a, join(b, c)))
    assert encode(join(a, a)) == encode(a)
    assert encode(join(a, EMPTY)) == encode(a)


@given(histories)
def test_covers_tells_exactly_when_a_join_brings_nothing_even_without_values(history):
    for a in history.copies:
        for b in history.copies:
            assert covers(a, b) == (join(a, b) == a)
            assert covers(stripped(a), b) == covers(a, stripped(b)) == covers(a, b)
            assert covers(join(a, b), a)


@given(histories, replicas)
def test_put_with_the_full_context_leaves_one_value(history, replica):
    copy = history.copies[replica]
    assert live_values(mint(copy, context_of(copy), b"only", "actor 0")) == (b"only",)


@given(histories, replicas)
def test_put_without_context_keeps_every_value_beside_its_own(history, replica):
    copy = history.copies[replica]
    assert sorted(live_values(mint(copy, {}, b"more", "actor 9"))) == sorted([*live_values(copy), b"more"])


@given(histories)
def test_set_that_went_over_the_wire_is_the_same_set(history):
    for copy in history.copies:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(copy), type=Versions) == copy


def test_older_write_that_arrives_late_never_overwrites_a_newer_one():
    """Pynamo, defect 3: a put with the clock {A:1} replaced a stored {A:5}."""
    old = mint(EMPTY, {}, b"old", "A")
    new = mint(old, context_of(old), b"new", "A")
    assert join(new, old) == join(old, new) == new


def test_results_that_a_third_dominates_are_dropped():
    """Pynamo, defect 5: {X:1}, {Y:1} and {X:1, Y:1} left two values instead of one."""
    x, y = mint(EMPTY, {}, b"x", "X"), mint(EMPTY, {}, b"y", "Y")
    both = mint(join(x, y), context_of(join(x, y)), b"both", "X")
    assert live_values(join(join(x, y), both)) == (b"both",)
    assert live_values(join(both, join(y, x))) == (b"both",)


def test_delete_is_not_undone_by_a_copy_that_joins_late():
    stale = mint(EMPTY, {}, b"value", "A")
    deleted = mint(stale, context_of(stale), None, "B")
    merged = join(deleted, stale)
    assert merged == deleted
    assert live_values(merged) == ()


def test_write_concurrent_with_a_delete_survives_it():
    base = mint(EMPTY, {}, b"base", "A")
    deleted, changed = mint(base, context_of(base), None, "A"), mint(base, context_of(base), b"changed", "B")
    assert live_values(join(deleted, changed)) == (b"changed",)


def test_context_that_names_actors_unknown_here_overwrites_what_they_wrote_before_it_arrives():
    elsewhere = mint(EMPTY, {}, b"elsewhere", "X")
    here = mint(EMPTY, context_of(elsewhere), b"here", "A")
    assert live_values(join(here, elsewhere)) == (b"here",)


def test_dot_follows_a_context_that_knows_more_of_the_actor_than_the_copy_here():
    minted = mint(EMPTY, {"A": 7}, b"value", "A")
    assert minted.siblings[0].dot == Dot(actor="A", counter=8)


def test_stripped_set_tells_tombstones_from_values():
    versions = mint(mint(EMPTY, {}, b"value", "A"), {}, None, "B")
    assert [sibling.value for sibling in stripped(versions).siblings] == [b"", None]


def test_canonical_form_is_sorted_knows_its_own_dots_and_names_no_idle_actor():
    siblings = [Sibling(dot=Dot(actor="B", counter=2), value=b"b"), Sibling(dot=Dot(actor="A", counter=3), value=b"a")]
    versions = canonical({"Z": 0, "C": 1, "A": 1}, siblings)
    assert list(versions.seen.items()) == [("A", 3), ("B", 2), ("C", 1)]
    assert [sibling.value for sibling in versions.siblings] == [b"a", b"b"]


def test_dot_used_twice_for_different_values_still_merges_alike_everywhere():
    one, two, gone = (canonical({}, [Sibling(dot=Dot(actor="A", counter=1), value=v)]) for v in (b"1", b"2", None))
    assert join(one, two) == join(two, one) == join(join(gone, one), two) == two


def test_context_of_a_set_can_be_changed_without_changing_the_set():
    versions = mint(EMPTY, {}, b"value", "A")
    context_of(versions)["A"] = 99
    assert versions.seen == {"A": 1}


def test_hundred_and_first_concurrent_value_is_refused_with_the_way_out():
    versions = EMPTY
    for number in range(SIBLINGS_MAX):
        versions = mint(versions, {}, b"%d" % number, "A")
    with pytest.raises(CallerError, match="read the key, then put"):
        mint(versions, {}, b"too much", "A")
    assert live_values(mint(versions, context_of(versions), b"resolved", "A")) == (b"resolved",)


def test_write_in_the_name_of_one_actor_too_many_is_refused():
    crowd = canonical({f"actor {number}": 1 for number in range(ACTORS_MAX)}, [])
    assert len(mint(crowd, {}, b"value", "actor 0").seen) == ACTORS_MAX
    with pytest.raises(CallerError, match="actors"):
        mint(crowd, {}, b"value", "one more")


def test_context_at_the_end_of_the_counter_is_refused():
    with pytest.raises(CallerError, match="claims more writes"):
        mint(EMPTY, {"A": COUNTER_MAX}, b"value", "A")
