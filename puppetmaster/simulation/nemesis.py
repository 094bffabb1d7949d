"""Draw the faults of a schedule from its seed: at most so many at once that the promise must still hold.

At least one peer has trouble and at most four have, beside the weather and what befalls the whole cluster; then comes
a quiet tail. One disk may be lost, but only where nobody stays down: two copies of everything are then left.
"""

import random
from dataclasses import dataclass

from ..faults import Crash, Cut, Fault, Heal, Restart, Weather
from . import link_troubles as links
from . import peer_troubles as peers_
from .network import CLEAR
from .troubles import Kind, Trouble

KINDS: tuple[Kind, ...] = (
    peers_.restart,
    peers_.restart,
    peers_.flapping_peer,
    peers_.leave,
    peers_.freeze,
    peers_.freeze,
    peers_.silence,
    peers_.silence,
    peers_.clock,
    peers_.drift,
    peers_.slow,
    peers_.disk,
    links.cut,
    links.deaf,
    links.mute,
    links.flapping_link,
    links.swizzle,
    links.delay,
    links.loss,
    links.duplicates,
    links.reorder,
    links.limit,
)
"""What can befall a peer and pass."""

DISK_LOSSES: tuple[Kind, ...] = (
    peers_.emptied,
    peers_.spoiled,
    peers_.spoiled,
    peers_.restored,
    peers_.removed,
    peers_.swapped,
)
"""What costs a disk, or may: at most one such trouble in a schedule."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and its instant in seconds of virtual time; one `group` belongs together, as a cut and its heal."""

    at: float
    fault: Fault
    group: int = 0


def draw(rng: random.Random, peers: list[str], begin_s: float, end_s: float, down_for_good: int) -> list[Planned]:
    """Plan some trouble, all of which but `down_for_good` crashes is over at `end_s`."""
    plan = [Planned(begin_s, _weather(rng))]
    may_lose_disk = down_for_good == 0 and rng.random() < 0.4
    victims = rng.sample(peers, min(len(peers), max(down_for_good, rng.choice([1, 2, 3, 3, 4]))))
    for number, victim in enumerate(victims, start=1):
        begin = rng.uniform(begin_s, end_s)
        if number <= down_for_good:
            plan.append(Planned(begin, Crash(peer=victim), number))
            continue
        is_lost = may_lose_disk and number == len(victims)
        over = min(end_s, begin + rng.uniform(0.5, 15.0))
        kind = rng.choice(DISK_LOSSES if is_lost else KINDS)
        trouble = Trouble(victim, frozenset(peers) - {victim}, begin, over)
        plan.extend(Planned(at, fault, number) for at, fault in kind(rng, trouble))
    if not may_lose_disk and rng.random() < 0.05:
        plan.extend(_blackout(rng, peers, victims[:down_for_good], rng.uniform(begin_s, end_s - 5.0)))
    if rng.random() < 0.1:
        plan.extend(_halves(rng, peers, rng.uniform(begin_s, end_s - 5.0)))
    plan += [Planned(end_s, Heal()), Planned(end_s, CLEAR)]
    return sorted(plan, key=lambda planned: planned.at)


def _weather(rng: random.Random) -> Weather:
    return Weather(
        loss=rng.choice([0.0, 0.0, 0.02, 0.1, 0.2]),
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
