"""Spell the troubles of one peer: its process, its clock, its tracker role and its disk."""

import random

from ..faults import (
    Crash,
    Damage,
    DiskState,
    Freeze,
    FreezeTracker,
    Leave,
    Remove,
    Restart,
    SetClock,
    SetDisk,
    Slow,
    SlowDisk,
    Snapshot,
    Spoil,
    Swap,
    Thaw,
    ThawTracker,
)
from .troubles import Moment, Trouble

CLOCK_OFF_MAX_S = 3600.0
DRIFT_STEPS = 6
"""A clock that drifts is one that is set off a little, so many times."""
DRIFT_MAX = 0.05
"""Seconds that a clock drifts in a second; a bad crystal is off by a thousandth of that."""
FLAPS_MAX = 4
LEARNS_WITHIN_S = 5.0
"""A start keeps silent for three seconds where nobody answers it, and learns of its removal then."""


def restart(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Kill the peer and start it again."""
    return [(trouble.begin, Crash(peer=trouble.victim)), (trouble.over, Restart(peer=trouble.victim))]


def flapping_peer(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Kill the peer and start it again several times, and once let it leave in good order instead."""
    ends = [trouble.begin + (trouble.over - trouble.begin) * share / FLAPS_MAX for share in range(1, FLAPS_MAX + 1)]
    leaves = rng.randrange(FLAPS_MAX)
    moments: list[Moment] = []
    begin = trouble.begin
    for number, end in enumerate(ends):
        stop = Leave(peer=trouble.victim) if number == leaves else Crash(peer=trouble.victim)
        moments += [(rng.uniform(begin, (begin + end) / 2), stop), (end, Restart(peer=trouble.victim))]
        begin = end
    # Who leaves takes a moment to go, and cannot be started again before.
    return [*moments, (trouble.over + 1.0, Restart(peer=trouble.victim))]


def leave(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Stop the peer in good order, and start it again."""
    return [(trouble.begin, Leave(peer=trouble.victim)), (trouble.over + 1.0, Restart(peer=trouble.victim))]


def freeze(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Let the process stand still for a while."""
    return [(trouble.begin, Freeze(peer=trouble.victim)), (trouble.over, Thaw(peer=trouble.victim))]


def silence(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Silence the tracker role, should the peer have it or come to it."""
    return [(trouble.begin, FreezeTracker(peer=trouble.victim)), (trouble.over, ThawTracker(peer=trouble.victim))]


def clock(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Set the clock off by up to an hour either way, and right again."""
    offset_s = rng.choice([-1.0, 1.0]) * rng.choice([0.5, 5.0, 60.0, CLOCK_OFF_MAX_S]) * rng.random()
    return [
        (trouble.begin, SetClock(peer=trouble.victim, offset_s=offset_s)),
        (trouble.over, SetClock(peer=trouble.victim, offset_s=0.0)),
    ]


def drift(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let the clock run too fast or too slow, by steps, and set it right at last."""
    pace, step_s = rng.uniform(-DRIFT_MAX, DRIFT_MAX), (trouble.over - trouble.begin) / DRIFT_STEPS
    steps = [
        (trouble.begin + step * step_s, SetClock(peer=trouble.victim, offset_s=step * step_s * pace))
        for step in range(1, DRIFT_STEPS)
    ]
    return [*steps, (trouble.over, SetClock(peer=trouble.victim, offset_s=0.0))]


def slow(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Slow down user code and the disk."""
    pause = Slow(peer=trouble.victim, pause_s=rng.uniform(1.0, 10.0))
    disk = SlowDisk(peer=trouble.victim, delay_s=rng.choice([0.005, 0.05, 0.5]))
    return [(trouble.begin, pause), (trouble.begin, disk), (trouble.over, SlowDisk(peer=trouble.victim, delay_s=0.0))]


def disk(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let the disk refuse writes, or everything."""
    state = rng.choice([DiskState.FULL, DiskState.READONLY, DiskState.BROKEN])
    return [
        (trouble.begin, SetDisk(peer=trouble.victim, state=state)),
        (trouble.over, SetDisk(peer=trouble.victim, state=DiskState.OK)),
    ]


def emptied(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Kill the peer, and start it on an empty disk; only one disk of a cluster may be lost so."""
    back = trouble.begin + rng.uniform(0.5, 5.0)
    return [(trouble.begin, Crash(peer=trouble.victim)), (back, Restart(peer=trouble.victim, empty=True))]


def spoiled(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Kill the peer, damage what it keeps, and start it; for durability its disk counts as lost."""
    back = trouble.begin + rng.uniform(0.5, 5.0)
    damage, share = rng.choice(list(Damage)), rng.choice([0.1, 0.5, 1.0])
    return [
        (trouble.begin, Crash(peer=trouble.victim)),
        (back, Spoil(peer=trouble.victim, damage=damage, share=share)),
        (back, Restart(peer=trouble.victim)),
    ]


def restored(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Put an old copy of the disk back, as somebody who restores a backup does."""
    middle = (trouble.begin + trouble.over) / 2
    return [
        (trouble.begin, Crash(peer=trouble.victim)),
        (trouble.begin, Snapshot(peer=trouble.victim)),
        (trouble.begin + 0.5, Restart(peer=trouble.victim)),
        (middle, Crash(peer=trouble.victim)),
        (trouble.over, Restart(peer=trouble.victim, old=True)),
    ]


def removed(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Kill the peer and take it out, perhaps start it, which then learns of that, and put a new one in its place."""
    out = trouble.begin + rng.uniform(0.2, 5.0)
    moments: list[Moment] = [(trouble.begin, Crash(peer=trouble.victim)), (out, Remove(peer=trouble.victim))]
    if trouble.over - out > LEARNS_WITHIN_S:
        moments.append((out + 0.5, Restart(peer=trouble.victim)))
    return [*moments, (max(trouble.over, out + 0.5), Restart(peer=trouble.victim, empty=True))]


def swapped(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Exchange the disk of the peer with another one's by mistake: neither starts, until that is put right."""
    other, step_s = rng.choice(sorted(trouble.others)), (trouble.over - trouble.begin) / 4
    swap = Swap(peer=trouble.victim, other=other)
    both = (trouble.victim, other)
    return [
        *((trouble.begin, Crash(peer=peer)) for peer in both),
        (trouble.begin + step_s, swap),
        *((trouble.begin + 2 * step_s, Restart(peer=peer)) for peer in both),
        (trouble.begin + 3 * step_s, swap),
        *((trouble.over, Restart(peer=peer)) for peer in both),
    ]
