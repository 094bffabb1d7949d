"""The parts of the stage on their own: disk, network, timeline, nemesis, words."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from murmuration.puppetmaster import simulation
from murmuration.puppetmaster.faults import (
    Crash,
    Cut,
    Delay,
    DiskState,
    Duplicate,
    Fault,
    Heal,
    Leave,
    Limit,
    Loss,
    Reorder,
    Restart,
    SetClock,
    SetDisk,
    SlowDisk,
    Spoil,
    Weather,
    title_of,
)
from murmuration.puppetmaster.simulation.disk import Disk
from murmuration.puppetmaster.simulation.nemesis import DISK_LOSSES, KINDS, draw
from murmuration.puppetmaster.simulation.network import Network, queue_s
from murmuration.puppetmaster.simulation.plan import plan_of
from murmuration.puppetmaster.simulation.rarities import RARITIES, Rarities
from murmuration.puppetmaster.simulation.timeline import Timeline
from murmuration.puppetmaster.simulation.troubles import Kind, Trouble
from murmuration.puppetmaster.simulation.weather import change
from murmuration.puppetmaster.simulation.wordcount import map_split, reduce_partition
from murmuration.ring.operations import MergeVersions, MintVersion, ReadVersions
from murmuration.ring.outcomes import StoreFailed, VersionsMerged, VersionsRead

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


def test_damaged_row_fails_a_read_is_listed_without_its_value_and_is_replaced_by_a_merge() -> None:
    disk = Disk()
    minted = disk.operate(MINT)
    assert isinstance(minted, VersionsMerged)
    disk.spoil(1.0, random.Random(0))
    assert isinstance(disk.operate(ReadVersions(key=b"k")), StoreFailed)
    assert isinstance(disk.operate(MINT), StoreFailed)
    assert disk.scan(b"v/", b"", 10) == [(b"v/k", None)]
    disk.operate(MergeVersions(key=b"k", versions=minted.versions))
    assert isinstance(disk.operate(ReadVersions(key=b"k")), VersionsRead)


def test_damaged_files_are_not_served_until_they_are_written_again() -> None:
    disk = Disk(chunks={b"c": b"chunk"}, runs={"runs/j/0": ({},)}, parts={"parts/j/0": b"part"})
    disk.spoil(1.0, random.Random(0))
    assert (disk.chunk(b"c"), disk.run("runs/j/0"), disk.part("parts/j/0")) == (None, None, None)
    disk.keep_chunk(b"c", b"chunk")
    assert disk.chunk(b"c") == b"chunk"


def test_copy_of_a_disk_does_not_change_with_it() -> None:
    disk = Disk()
    twin = disk.copy()
    disk.operate(MINT)
    disk.keep_chunk(b"c", b"chunk")
    assert not twin.rows
    assert not twin.order
    assert not twin.chunks


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
        Duplicate(sender="A", receiver="B", share=1.0),
        Reorder(sender="A", receiver="B", jitter_s=5.0),
        Limit(sender="A", receiver="B", bytes_per_s=1),
    ):
        change(network, fault)
    change(network, Heal())
    assert network.calm
    assert network.delays("A", "B")[0] < 1.0
    assert len(network.delays("A", "B")) == 1
    assert network.bound("A", "B") is None


def test_network_doubles_and_reorders_one_link_and_one_way_only(network: Network) -> None:
    change(network, Duplicate(sender="A", receiver="B", share=1.0))
    change(network, Reorder(sender="A", receiver="B", jitter_s=1.0))
    delays = [network.delays("A", "B") for _ in range(100)]
    assert all(len(copies) == 2 for copies in delays)
    firsts = [copies[0] for copies in delays]
    assert max(firsts) > 0.5
    assert firsts != sorted(firsts)
    assert all(len(network.delays("B", "A")) == 1 for _ in range(100))
    assert network.calm


def test_narrow_link_lets_bytes_pass_one_after_the_other(network: Network) -> None:
    change(network, Limit(sender="A", receiver="B", bytes_per_s=100))
    link = network.bound("A", "B")
    assert link is not None
    assert queue_s(link, 10.0, 50) == pytest.approx(0.5)
    assert queue_s(link, 10.0, 50) == pytest.approx(1.0)
    assert queue_s(link, 20.0, 50) == pytest.approx(0.5)
    change(network, Limit(sender="A", receiver="B", bytes_per_s=0))
    assert network.bound("A", "B") is None
    assert not network.links


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
            case Crash(peer=peer) | Leave(peer=peer):
                down.add(peer)
            case Restart(peer=peer):
                down.discard(peer)
    assert len(down) <= 2
    assert all(planned.at <= 21.0 for planned in plan)


@pytest.mark.parametrize("seed", range(50))
def test_nemesis_costs_one_disk_at_most_and_none_where_peers_stay_down(seed: int) -> None:
    for down_for_good in (0, 2):
        plan = draw(random.Random(seed), list("ABCDE"), 0.5, 20.0, down_for_good)
        hurt = {planned.fault.peer for planned in plan if _costs_disk(planned.fault)}  # type: ignore[union-attr]
        assert len(hurt) <= (0 if down_for_good else 1)


def _costs_disk(fault: Fault) -> bool:
    return isinstance(fault, Spoil) or (isinstance(fault, Restart) and (fault.empty or fault.old))


_AS_USUAL = (
    SetClock(peer="A", offset_s=0.0),
    SetDisk(peer="A", state=DiskState.OK),
    SlowDisk(peer="A", delay_s=0.0),
)


@pytest.mark.parametrize("kind", dict.fromkeys((*KINDS, *DISK_LOSSES)), ids=lambda kind: kind.__name__)
def test_trouble_of_every_kind_is_undone_by_its_end(kind: Kind) -> None:
    """What it does to links, a heal at the end would undo anyway; all else nobody undoes but itself."""
    trouble = Trouble("A", frozenset("BCDE"), 1.0, 9.0)
    for seed in range(20):
        last: dict[str, Fault] = {}
        for at, fault in sorted(kind(random.Random(seed), trouble), key=lambda moment: moment[0]):
            assert 1.0 <= at <= 10.0
            assert title_of(fault)
            last[type(fault).__name__] = fault
        assert "Crash" not in last or "Restart" in last
        assert "Freeze" not in last or "Thaw" in last
        assert "FreezeTracker" not in last or "ThawTracker" in last
        for ended in (
            SetClock(peer="A", offset_s=0.0),
            SetDisk(peer="A", state=DiskState.OK),
            SlowDisk(peer="A", delay_s=0.0),
        ):
            assert last.get(type(ended).__name__, ended) == ended


def test_plan_is_the_same_for_the_same_seed() -> None:
    assert plan_of(5) == plan_of(5)
    assert plan_of(5) != plan_of(6)


def test_words_are_the_same_cut_and_whole() -> None:
    text = b"a b a\nb c\n"
    whole = reduce_partition([map_split(text, 1)], 0)
    cut = reduce_partition([map_split(b"a b a\n", 1), map_split(b"b c\n", 1)], 0)
    assert whole == cut == b"a\t2\nb\t2\nc\t1\n"


def test_rare_states_are_many_and_each_is_one_that_something_notes() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(simulation.__file__).parent.glob("*.py"))
    assert len(RARITIES) >= 45
    assert [name for name in RARITIES if sources.count(f'"{name}"') < 2] == []


def test_rarities_name_what_was_never_reached() -> None:
    rarities = Rarities()
    rarities.add(["takeover", "takeover"])
    assert rarities.reached["takeover"] == 1
    assert "takeover" not in rarities.missing
    assert len(rarities.missing) == len(RARITIES) - 1
