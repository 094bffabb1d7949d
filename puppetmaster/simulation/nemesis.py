"""Draw the faults of a schedule from its seed: at most so many at once that the promise must still hold."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from ..faults import (
    Crash,
    Cut,
    Delay,
    DiskState,
    Fault,
    Freeze,
    Heal,
    Loss,
    Restart,
    SetDisk,
    Slow,
    SlowDisk,
    Thaw,
    Weather,
)
from .network import CLEAR


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and its instant in seconds of virtual time; one `group` belongs together, as a cut and its heal."""

    at: float
    fault: Fault
    group: int = 0


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One victim's trouble: from `begin` to `over`."""

    victim: str
    others: frozenset[str]
    begin: float
    over: float


def draw(rng: random.Random, peers: list[str], begin_s: float, end_s: float, down_for_good: int) -> list[Planned]:
    """Plan some trouble, all of which but `down_for_good` crashes is over at `end_s`."""
    plan = [Planned(begin_s, _weather(rng))]
    may_lose_disk = down_for_good == 0 and rng.random() < 0.15
    victims = rng.sample(peers, min(len(peers), 3))
    for number, victim in enumerate(victims, start=1):
        begin = rng.uniform(begin_s, end_s)
        if number <= down_for_good:
            plan.append(Planned(begin, Crash(peer=victim), number))
        elif number == len(victims) and may_lose_disk:
            back = Restart(peer=victim, empty=True)
            plan += [Planned(begin, Crash(peer=victim), number), Planned(begin + rng.uniform(0.5, 5.0), back, number)]
        else:
            over = min(end_s, begin + rng.uniform(0.5, 15.0))
            trouble = _Trouble(victim, frozenset(peers) - {victim}, begin, over)
            plan.extend(Planned(at, fault, number) for at, fault in _passing(rng, trouble))
    if not may_lose_disk and rng.random() < 0.05:
        plan.extend(_blackout(rng, peers, victims[:down_for_good], rng.uniform(begin_s, end_s - 5.0)))
    if rng.random() < 0.1:
        plan.extend(_halves(rng, peers, rng.uniform(begin_s, end_s - 5.0)))
    plan += [Planned(end_s, Heal()), Planned(end_s, CLEAR)]
    return sorted(plan, key=lambda planned: planned.at)


def _weather(rng: random.Random) -> Weather:
    return Weather(
        loss=rng.choice([0.0, 0.02, 0.1, 0.2]),
        duplication=rng.choice([0.0, 0.05]),
        delay_mean_s=rng.choice([0.001, 0.005, 0.05]),
    )


def _blackout(rng: random.Random, peers: list[str], spared: list[str], at: float) -> list[Planned]:
    """Kill everybody at once, and start all but those who are down for good in any order."""
    crashes = [Planned(at, Crash(peer=peer), 8) for peer in peers]
    back = [peer for peer in peers if peer not in spared]
    return crashes + [Planned(at + rng.uniform(0.5, 5.0), Restart(peer=peer), 8) for peer in back]


def _halves(rng: random.Random, peers: list[str], at: float) -> list[Planned]:
    """Cut the cluster in two, both ways."""
    some = frozenset(rng.sample(peers, len(peers) // 2))
    rest = frozenset(peers) - some
    cuts = [Cut(senders=some, receivers=rest), Cut(senders=rest, receivers=some)]
    return [*(Planned(at, cut, 9) for cut in cuts), Planned(at + rng.uniform(1.0, 5.0), Heal(), 9)]


def _passing(rng: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    return rng.choice(_KINDS)(rng, trouble)


def _restart(_: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    return [(trouble.begin, Crash(peer=trouble.victim)), (trouble.over, Restart(peer=trouble.victim))]


def _freeze(_: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    return [(trouble.begin, Freeze(peer=trouble.victim)), (trouble.over, Thaw(peer=trouble.victim))]


def _cut(_: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    return [*_deaf(_, trouble), *_mute(_, trouble)[:1]]


def _deaf(_: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    cut = Cut(senders=trouble.others, receivers=frozenset({trouble.victim}))
    return [(trouble.begin, cut), (trouble.over, Heal())]


def _mute(_: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    cut = Cut(senders=frozenset({trouble.victim}), receivers=trouble.others)
    return [(trouble.begin, cut), (trouble.over, Heal())]


def _slow(rng: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    pause = Slow(peer=trouble.victim, pause_s=rng.uniform(1.0, 10.0))
    disk = SlowDisk(peer=trouble.victim, delay_s=rng.choice([0.005, 0.05, 0.5]))
    return [(trouble.begin, pause), (trouble.begin, disk), (trouble.over, SlowDisk(peer=trouble.victim, delay_s=0.0))]


def _disk(rng: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    state = rng.choice([DiskState.FULL, DiskState.READONLY])
    return [
        (trouble.begin, SetDisk(peer=trouble.victim, state=state)),
        (trouble.over, SetDisk(peer=trouble.victim, state=DiskState.OK)),
    ]


def _link(rng: random.Random, trouble: _Trouble) -> list[tuple[float, Fault]]:
    other = rng.choice(sorted(trouble.others))
    pair = {"sender": trouble.victim, "receiver": other}
    if rng.random() < 0.5:
        begins, ends = Delay(**pair, delay_s=rng.uniform(0.1, 2.0)), Delay(**pair, delay_s=0.0)
        return [(trouble.begin, begins), (trouble.over, ends)]
    return [(trouble.begin, Loss(**pair, share=rng.uniform(0.3, 1.0))), (trouble.over, Loss(**pair, share=0.0))]


_Kind = Callable[[random.Random, _Trouble], list[tuple[float, Fault]]]
_KINDS: tuple[_Kind, ...] = (_restart, _restart, _freeze, _cut, _deaf, _mute, _slow, _disk, _link)
