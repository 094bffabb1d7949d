"""What scripts do to links becomes rules at the gates: complete, at the right end, and gone when it is healed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.gate.orders import Direction
from murmuration.puppetmaster.language.commands import EVERYBODY_ELSE, Links
from murmuration.puppetmaster.live.link_table import LinkFault, LinkTable, pairs_of

URLS = {name: f"tcp://127.0.0.1:3000{name}" for name in "1234"}


def links(senders: str, receivers: str, *, both_ways: bool = False) -> Links:
    return Links(senders=tuple(senders), receivers=tuple(receivers), both_ways=both_ways)


def rules_of(*faults: LinkFault, urls: dict[str, str] = URLS) -> dict:
    table = LinkTable()
    for fault in faults:
        table.add(fault)
    return {name: {(rule.url[-1], rule.direction): rule for rule in rules} for name, rules in table.rules(urls).items()}


def test_cut_one_way_stands_at_both_ends_in_that_direction_only() -> None:
    rules = rules_of(LinkFault(links=links("1", "2"), cut=True))
    assert set(rules["1"]) == {("2", Direction.TO)}
    assert set(rules["2"]) == {("1", Direction.FROM)}
    assert rules["3"] == rules["4"] == {}


def test_cut_both_ways_stands_at_both_ends_in_both_directions() -> None:
    rules = rules_of(LinkFault(links=links("1", "23", both_ways=True), cut=True))
    assert set(rules["1"]) == {(peer, way) for peer in "23" for way in Direction}
    assert set(rules["3"]) == {("1", way) for way in Direction}


AMOUNTS = {"delay_s": 0.2, "loss": 0.5, "duplication": 0.1, "jitter_s": 0.05, "bytes_per_s": 1000}


def test_what_becomes_of_messages_happens_once_at_the_sender() -> None:
    rules = rules_of(*(LinkFault(links=links("1", "2"), **{name: amount}) for name, amount in AMOUNTS.items()))
    (rule,) = rules["1"].values()
    assert {name: getattr(rule, name) for name in AMOUNTS} == AMOUNTS
    assert not rule.bulk_only
    assert all(rule.bulk_only for rule in rules["2"].values())


def test_delay_and_bandwidth_stand_at_the_receiver_for_bulk_alone_and_chance_does_not() -> None:
    rules = rules_of(*(LinkFault(links=links("1", "2"), **{name: amount}) for name, amount in AMOUNTS.items()))
    mirrored = rules["2"]["1", Direction.FROM]
    assert (mirrored.delay_s, mirrored.bytes_per_s, mirrored.bulk_only) == (0.2, 1000, True)
    assert (mirrored.loss, mirrored.duplication, mirrored.jitter_s) == (0, 0, 0)
    assert rules_of(LinkFault(links=links("1", "2"), loss=0.5))["2"] == {}


def test_cut_of_a_slow_link_stops_messages_at_the_receiver_too() -> None:
    rules = rules_of(LinkFault(links=links("1", "2"), bytes_per_s=1000), LinkFault(links=links("1", "2"), cut=True))
    rule = rules["2"]["1", Direction.FROM]
    assert rule.cut
    assert not rule.bulk_only


@pytest.mark.parametrize("name", AMOUNTS)
def test_zero_undoes_what_was_said_and_leaves_no_rule(name: str) -> None:
    said = (LinkFault(links=links("1", "2"), **{name: amount}) for amount in (AMOUNTS[name], 0))
    assert not any(rules_of(*said).values())


def test_everybody_else_means_those_who_are_there_when_the_rules_are_spelt() -> None:
    fault = LinkFault(links=Links(senders=("1",), receivers=(EVERYBODY_ELSE,), both_ways=False), cut=True)
    assert {peer for peer, _ in rules_of(fault)["1"]} == {"2", "3", "4"}
    assert {peer for peer, _ in rules_of(fault, urls={**URLS, "5": "tcp://127.0.0.1:30005"})["1"]} == set("2345")


def test_heal_leaves_no_rule() -> None:
    table = LinkTable()
    table.add(LinkFault(links=links("1", "2"), cut=True))
    table.clear()
    assert set(table.rules(URLS).values()) == {()}


sides = st.sets(st.sampled_from("123456"), min_size=1).map(lambda names: "".join(sorted(names)))


@given(sides, sides, st.booleans())
def test_no_peer_has_a_link_to_itself_and_both_ways_is_symmetric(senders: str, receivers: str, both_ways: bool) -> None:  # noqa: FBT001
    pairs = set(pairs_of(links(senders, receivers, both_ways=both_ways), tuple("123456")))
    assert not any(sender == receiver for sender, receiver in pairs)
    if both_ways:
        assert pairs == {(receiver, sender) for sender, receiver in pairs}
