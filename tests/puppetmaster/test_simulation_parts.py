"""The parts of the stage on their own: disk, network, timeline, nemesis, words."""

import random
from collections.abc import Iterator

import pytest

from murmuration.puppetmaster.faults import Crash, Cut, Delay, DiskState, Heal, Loss, Restart, Weather
from murmuration.puppetmaster.simulation.disk import Disk
from murmuration.puppetmaster.simulation.nemesis import draw
from murmuration.puppetmaster.simulation.network import Network
from murmuration.puppetmaster.simulation.plan import plan_of
from murmuration.puppetmaster.simulation.rarities import RARITIES, Rarities
from murmuration.puppetmaster.simulation.timeline import Timeline
from murmuration.puppetmaster.simulation.weather import change
from murmuration.puppetmaster.simulation.wordcount import map_split, reduce_partition
from murmuration.ring.operations import MintVersion, ReadVersions, StoreFailed, VersionsRead

MINT = MintVersion(key=b"k", value=b"v", context={}, actor="a")


def test_disk_that_is_full_refuses_writes_and_goes_on_reading() -> None:
    disk = Disk()
    disk.operate(MINT)
    disk.state = DiskState.FULL
    assert isinstance(disk.operate(MINT), StoreFailed)
    outcome = disk.operate(ReadVersions(key=b"k"))
    assert isinstance(outcome, VersionsRead)
    assert outcome.versions is not None
    assert outcome.versions.seen == {"a": 1}


def test_disk_scan_gives_rows_after_a_key_in_order() -> None:
    disk = Disk()
    for key in (b"b", b"a", b"c"):
        disk.operate(MintVersion(key=key, value=b"v", context={}, actor="a"))
    assert [key for key, _ in disk.scan(b"v/", b"v/a", 10)] == [b"v/b", b"v/c"]
    assert [key for key, _ in disk.scan(b"v/", b"", 2)] == [b"v/a", b"v/b"]


@pytest.fixture
def network() -> Iterator[Network]:
    yield Network(random.Random(0))


def test_network_cut_one_way_lets_the_other_way_pass(network: Network) -> None:
    change(network, Cut(senders=frozenset("A"), receivers=frozenset("B")))
    assert network.delays("A", "B") == []
    assert len(network.delays("B", "A")) == 1
    assert not network.calm


def test_network_heal_undoes_cuts_delays_and_losses(network: Network) -> None:
    for fault in (
        Cut(senders=frozenset("A"), receivers=frozenset("B")),
        Delay(sender="A", receiver="B", delay_s=5.0),
        Loss(sender="A", receiver="B", share=1.0),
    ):
        change(network, fault)
    change(network, Heal())
    assert network.calm
    assert network.delays("A", "B")[0] < 1.0


def test_network_in_bad_weather_loses_and_doubles(network: Network) -> None:
    change(network, Weather(loss=0.2, duplication=0.2, delay_mean_s=0.001))
    copies = [len(network.delays("A", "B")) for _ in range(1000)]
    assert 150 < copies.count(0) < 250
    assert 110 < copies.count(2) < 210


def test_timeline_keeps_the_order_of_equal_instants() -> None:
    timeline: Timeline[str] = Timeline()
    for due in "abc":
        timeline.after(1.0, due)
    assert [timeline.next() for _ in range(3)] == ["a", "b", "c"]
    assert timeline.now == 1.0


@pytest.mark.parametrize("seed", range(50))
def test_nemesis_leaves_a_majority_and_ends_in_time(seed: int) -> None:
    plan = draw(random.Random(seed), list("ABCDE"), 0.5, 20.0, down_for_good=2)
    down: set[str] = set()
    for planned in plan:
        match planned.fault:
            case Crash(peer=peer):
                down.add(peer)
            case Restart(peer=peer):
                down.discard(peer)
    assert len(down) <= 2
    assert all(planned.at <= 20.0 for planned in plan)


def test_plan_is_the_same_for_the_same_seed() -> None:
    assert plan_of(5) == plan_of(5)
    assert plan_of(5) != plan_of(6)


def test_words_are_the_same_cut_and_whole() -> None:
    text = b"a b a\nb c\n"
    whole = reduce_partition([map_split(text, 1)], 0)
    cut = reduce_partition([map_split(b"a b a\n", 1), map_split(b"b c\n", 1)], 0)
    assert whole == cut == b"a\t2\nb\t2\nc\t1\n"


def test_rarities_name_what_was_never_reached() -> None:
    rarities = Rarities()
    rarities.add(["takeover", "takeover"])
    assert rarities.reached["takeover"] == 1
    assert "takeover" not in rarities.missing
    assert len(rarities.missing) == len(RARITIES) - 1
