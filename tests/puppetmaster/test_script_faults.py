"""Each fault has one word, which means the same in a script and in what is told of faults."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.puppetmaster import faults
from murmuration.puppetmaster.faults import Damage, DiskState, title_of
from murmuration.puppetmaster.language.commands import (
    Bandwidth,
    Clock,
    Disk,
    Duplicate,
    Links,
    Remove,
    Reorder,
    Restart,
    Snapshot,
    Swap,
)
from murmuration.puppetmaster.language.commands import Spoil as SpoilCommand
from murmuration.puppetmaster.language.fields import TRACKER
from murmuration.puppetmaster.language.grammar import parse_command
from murmuration.puppetmaster.language.script import Problem, parse_line
from murmuration.puppetmaster.simulation.translation import Translator

ONE_TWO = Links(senders=("1",), receivers=("2",), both_ways=False)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("CLOCK 2 -1h", Clock(id="2", offset_s=-3600.0)),
        ("clock @TRACKER +30s", Clock(id=TRACKER, offset_s=30.0)),
        ("CLOCK 2 0", Clock(id="2", offset_s=0.0)),
        ("DUPLICATE 1>2 25%", Duplicate(links=ONE_TWO, share=0.25)),
        ("REORDER 1 > 2 50ms", Reorder(links=ONE_TWO, jitter_s=0.05)),
        ("BANDWIDTH 1>2 200KB", Bandwidth(links=ONE_TWO, bytes_per_s=200_000)),
        ("BANDWIDTH 1>2 1MiB/s", Bandwidth(links=ONE_TWO, bytes_per_s=1 << 20)),
        ("BANDWIDTH 1>2 0", Bandwidth(links=ONE_TWO, bytes_per_s=0)),
        ("SNAPSHOT 3", Snapshot(id="3")),
        ("RESTART 3 OLD", Restart(id="3", old=True)),
        ("SPOIL 3 flipped", SpoilCommand(id="3", damage=Damage.FLIPPED)),
        ("SPOIL 3 Missing 12.5%", SpoilCommand(id="3", damage=Damage.MISSING, share=0.125)),
        ("SWAP 1 2", Swap(id="1", other="2")),
        ("remove 3", Remove(id="3")),
        ("DISK 1 broken", Disk(id="1", state=DiskState.BROKEN)),
    ],
)
def test_fault_is_read_as_it_is_written(text, command):
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("CLOCK 2", "write CLOCK ID OFFSET"),
        ("CLOCK 2 soon", "write it as -1h, +30s or 0"),
        ("CLOCK 2 +-3s", "write it as -1h, +30s or 0"),
        ("CLOCK 2 8d", "of a week at most"),
        ("DUPLICATE 1>2 200%", "write it as 25%"),
        ("REORDER 1>2", "write REORDER A>B TIME"),
        ("REORDER 1 2 50ms", "write A|B for both ways or A>B"),
        ("BANDWIDTH 1>2 fast", "write it as 200KB, 1MiB or 0"),
        ("BANDWIDTH 1>2 2000GB", "more than a terabyte"),
        ("SPOIL 3", "write SPOIL ID flipped|short|torn|missing [PERCENT]"),
        ("SPOIL 3 burnt", "write flipped, short, torn or missing"),
        ("SWAP 1", "write SWAP A B"),
        ("SWAP 1 1", "cannot be swapped with itself"),
        ("RESTART 3 young", "RESTART ID empty or RESTART ID old"),
        ("DISK 3 wet", "write full, readonly, broken, ok or slow TIME"),
        ("BANDWIDTHS 1>2 1MB", "did you mean BANDWIDTH?"),
        ("SNAPSHOTS 3", "did you mean SNAPSHOT?"),
    ],
)
def test_fault_that_cannot_be_read_is_answered_with_the_right_spelling(text, way_out):
    problem = parse_line(text)
    assert isinstance(problem, Problem)
    assert way_out in problem.reason


# --- what is told of a fault is the command that makes it ---

NAMES = ("A", "B", "w-2.c", "17")
names = st.sampled_from(NAMES)
seconds = st.integers(0, 600_000).map(lambda milliseconds: milliseconds / 1000)
offsets = st.integers(-600_000, 600_000).map(lambda milliseconds: milliseconds / 1000)
shares = st.integers(0, 100).map(lambda percent: percent / 100)
sides = st.permutations(NAMES).flatmap(
    lambda order: st.tuples(st.integers(1, 2), st.integers(1, 2)).map(
        lambda sizes: (frozenset(order[: sizes[0]]), frozenset(order[2 : 2 + sizes[1]]))
    )
)
pairs = st.permutations(NAMES).map(lambda order: {"sender": order[0], "receiver": order[1]})


def of_peer(kind, **fields):
    return st.builds(kind, peer=names, **fields)


def of_link(kind, **fields):
    return st.tuples(pairs, st.fixed_dictionaries(fields)).map(lambda parts: kind(**parts[0], **parts[1]))


_PLAIN = (faults.Crash, faults.Leave, faults.Snapshot, faults.Freeze, faults.Thaw, faults.Remove)
_YES = st.just(value=True)
SPELLED = {
    **{kind: of_peer(kind) for kind in (*_PLAIN, faults.FreezeTracker, faults.ThawTracker)},
    faults.Restart: of_peer(faults.Restart) | of_peer(faults.Restart, empty=_YES) | of_peer(faults.Restart, old=_YES),
    faults.Spoil: of_peer(faults.Spoil, damage=st.sampled_from(Damage), share=shares),
    faults.Swap: pairs.map(lambda two: faults.Swap(peer=two["sender"], other=two["receiver"])),
    faults.SetClock: of_peer(faults.SetClock, offset_s=offsets),
    faults.Slow: of_peer(faults.Slow, pause_s=seconds),
    faults.SetDisk: of_peer(faults.SetDisk, state=st.sampled_from(DiskState)),
    faults.SlowDisk: of_peer(faults.SlowDisk, delay_s=seconds),
    faults.Cut: sides.map(lambda both: faults.Cut(senders=both[0], receivers=both[1])),
    faults.Heal: st.just(faults.Heal()),
    faults.Delay: of_link(faults.Delay, delay_s=seconds),
    faults.Loss: of_link(faults.Loss, share=shares),
    faults.Duplicate: of_link(faults.Duplicate, share=shares),
    faults.Reorder: of_link(faults.Reorder, jitter_s=seconds),
    faults.Limit: of_link(faults.Limit, bytes_per_s=st.integers(0, 10**12)),
}


@given(st.sampled_from([*SPELLED]).flatmap(SPELLED.__getitem__))
def test_title_of_a_fault_is_the_command_that_makes_it(fault):
    translator = Translator(lambda name: name, NAMES)
    made = translator.faults(parse_command(title_of(fault)))
    assert title_of(fault) in [title_of(each) for each in made if type(each) is type(fault)]


def test_weather_alone_has_no_word_for_it_is_drawn_and_not_ordered():
    assert set(get_args(faults.Fault)) - set(SPELLED) == {faults.Weather}
