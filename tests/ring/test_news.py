"""News is sent often enough to reach all, newest first, and never in a message without bounds."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_net import member, update

from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.news import NewsQueue, size_of, transmissions_max
from murmuration.ring.membership.settings import MembershipSettings
from murmuration.ring.messages import Gossip
from murmuration.ring.terms import Member


@pytest.mark.parametrize(("members", "times"), [(1, 4), (5, 4), (9, 4), (10, 8), (99, 8), (100, 12)])
def test_transmissions_grow_with_the_logarithm_of_the_members(members: int, times: int) -> None:
    assert transmissions_max(members, 4) == times


def test_news_about_a_member_replaces_what_was_queued_about_it() -> None:
    queue = NewsQueue(MembershipSettings())
    queue.put(update(1, Liveness.SUSPECT))
    queue.put(update(1, Liveness.ALIVE, refuted=1))
    assert queue.take(5) == (update(1, Liveness.ALIVE, refuted=1),)


def test_news_sent_as_often_as_allowed_is_dropped() -> None:
    queue = NewsQueue(MembershipSettings())
    queue.put(update(1))
    assert [len(queue.take(5)) for _ in range(5)] == [1, 1, 1, 1, 0]
    assert not queue


def test_news_least_often_sent_goes_first_and_among_equals_the_newest() -> None:
    queue = NewsQueue(MembershipSettings(news_entries_max=2))
    for number in (1, 2, 3):
        queue.put(update(number))
    assert queue.take(5) == (update(3), update(2))
    assert queue.take(5) == (update(1), update(3))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 4000)), max_size=150))
def test_news_in_one_message_stays_within_entries_and_bytes(pieces: list[tuple[int, int]]) -> None:
    settings = MembershipSettings()
    queue = NewsQueue(settings)
    for number, length in pieces:
        long = msgspec.structs.replace(member(number), directory="/" * length)
        queue.put(Update(member=long, liveness=Liveness.ALIVE, incarnation=1))
    while queue:
        news = queue.take(5)
        assert 0 < len(news) <= settings.news_entries_max
        assert len(msgspec.msgpack.encode(Gossip(news=news))) <= settings.news_bytes_max


def test_news_too_large_for_its_share_travels_alone_and_bars_nobodys_way() -> None:
    wide = "\N{SNOWMAN}"
    largest = Member(
        id="f" * 32,
        name="n" * 128,
        url=wide * 256,
        bulk_url=wide * 256,
        host=wide * 128,
        directory=wide * 4096,
        zone=wide * 128,
    )
    news = Update(member=largest, liveness=Liveness.SUSPECT, incarnation=(1 << 63) - 1, accuser="e" * 32)
    assert len(msgspec.msgpack.encode(news)) <= size_of(news)
    queue = NewsQueue(MembershipSettings(news_bytes_max=8192))
    queue.put(update(1))
    queue.put(news)
    assert queue.take(5) == (news,)
    assert queue.take(5) == (update(1),)
