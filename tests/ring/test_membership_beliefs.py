"""News overrides beliefs by SWIM's order (section 4.2), whoever hears it and in whatever order."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_net import member, peer, update

from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.beliefs import AT_ONE_INCARNATION, Beliefs, Verdict, judge, subject
from murmuration.ring.terms import REFUTATION_BITS

EVERY_PAIR = list(product(Liveness, Liveness))


def test_override_table_has_a_row_for_every_pair() -> None:
    assert {(held, heard) for held, row in AT_ONE_INCARNATION.items() for heard in row} == set(EVERY_PAIR)


@pytest.mark.parametrize(("held", "heard"), EVERY_PAIR)
def test_news_at_one_incarnation_overrides_only_better_beliefs(held: Liveness, heard: Liveness) -> None:
    verdict = judge(update(1, held), update(1, heard))
    if heard > held:
        assert verdict == Verdict.TAKE
    elif heard == held == Liveness.SUSPECT:
        assert verdict == Verdict.CONFIRM
    else:
        assert verdict == Verdict.KEEP


@pytest.mark.parametrize(("held", "heard"), EVERY_PAIR)
def test_news_at_a_higher_incarnation_always_overrides_and_at_a_lower_never(held: Liveness, heard: Liveness) -> None:
    assert judge(update(1, held), update(1, heard, refuted=1)) == Verdict.TAKE
    assert judge(update(1, held, refuted=1), update(1, heard)) == Verdict.KEEP
    assert judge(update(1, held), update(1, heard, start=2)) == Verdict.TAKE


def test_process_with_the_same_id_and_start_elsewhere_is_ignored_and_a_later_start_replaces() -> None:
    first = update(1)
    copy = Update(member=member(1, url="tcp://other:1"), liveness=Liveness.ALIVE, incarnation=first.incarnation + 5)
    moved = Update(member=copy.member, liveness=Liveness.ALIVE, incarnation=2 << REFUTATION_BITS)
    assert judge(first, copy) == Verdict.KEEP
    assert judge(first, moved) == Verdict.TAKE


news_of_one_member = st.builds(
    lambda liveness, start, refuted: update(1, liveness, start, refuted),
    st.sampled_from(Liveness),
    st.integers(1, 3),
    st.integers(0, 3),
)


@given(st.lists(news_of_one_member, min_size=1, max_size=4))
def test_beliefs_after_the_same_news_are_equal_in_every_order(heard: list[Update]) -> None:
    results = set()
    for order in permutations(heard):
        held: Update | None = None
        for news in order:
            if judge(held, news) == Verdict.TAKE:
                held = news
        assert held is not None
        results.add((held.incarnation, held.liveness))
    assert len(results) == 1


def test_full_table_makes_room_by_the_longest_gone_then_the_longest_dead_then_refuses() -> None:
    beliefs = Beliefs(update(0), members_max=4)
    for news in (update(1, Liveness.DEAD), update(2), update(3, Liveness.LEFT)):
        assert beliefs.take(news)
    assert beliefs.take(update(4))
    assert peer(3) not in beliefs.all
    assert beliefs.take(update(5))
    assert peer(1) not in beliefs.all
    assert not beliefs.take(update(6))
    assert beliefs.take(update(5, Liveness.SUSPECT))
    assert [subject(held) for held in beliefs.all.values()] == [peer(0), peer(2), peer(4), peer(5)]
