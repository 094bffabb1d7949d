"""What scripts do to links becomes rules at the gates: complete, at the right end, and gone when it is healed."""

from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.gate.orders import Direction
from murmuration.puppetmaster.commands import EVERYBODY_ELSE, Links
from murmuration.puppetmaster.link_table import LinkFault, LinkTable, pairs_of

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


def test_delay_and_loss_happen_once_at_the_sender() -> None:
    delay = LinkFault(links=links("1", "2"), delay_s=0.2)
    loss = LinkFault(links=links("1", "2"), loss=0.5)
    rules = rules_of(delay, loss)
    assert rules["2"] == {}
    assert (rules["1"]["2", Direction.TO].delay_s, rules["1"]["2", Direction.TO].loss) == (0.2, 0.5)


def test_zero_undoes_a_delay_and_leaves_no_rule() -> None:
    rules = rules_of(LinkFault(links=links("1", "2"), delay_s=0.2), LinkFault(links=links("1", "2"), delay_s=0.0))
    assert rules["1"] == {}


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
