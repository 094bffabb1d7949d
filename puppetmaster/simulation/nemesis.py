"""Draw the faults of a schedule from its seed: at most so many at once that the promise must still hold."""

import random
from dataclasses import dataclass

from ..faults import Crash, Cut, Fault, Freeze, Heal, Restart, Thaw, Weather


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and its instant, in seconds of virtual time."""

    at: float
    fault: Fault


def draw(rng: random.Random, peers: list[str], begin_s: float, end_s: float, down_for_good: int) -> list[Planned]:
    """Plan a few minutes of trouble, all of which but `down_for_good` crashes is over at `end_s`."""
    plan = [Planned(begin_s, _weather(rng))]
    victims = rng.sample(peers, min(len(peers), 3))
    for number, victim in enumerate(victims):
        begin = rng.uniform(begin_s, end_s)
        if number < down_for_good:
            plan.append(Planned(begin, Crash(peer=victim)))
        else:
            plan.extend(_passing(rng, victim, peers, begin, end_s))
    plan.append(Planned(end_s, Heal()))
    plan.append(Planned(end_s, Weather(loss=0.0, duplication=0.0, delay_mean_s=0.002)))
    return sorted(plan, key=lambda planned: planned.at)


def _weather(rng: random.Random) -> Weather:
    return Weather(
        loss=rng.choice([0.0, 0.02, 0.1, 0.2]),
        duplication=rng.choice([0.0, 0.05]),
        delay_mean_s=rng.choice([0.001, 0.005, 0.05]),
    )


def _passing(rng: random.Random, victim: str, peers: list[str], begin: float, end_s: float) -> list[Planned]:
    over = min(end_s, begin + rng.uniform(0.5, 15.0))
    others = frozenset(peers) - {victim}
    mine = frozenset({victim})
    kind = rng.choice(["restart", "freeze", "cut", "deaf", "mute"])
    if kind == "restart":
        return [Planned(begin, Crash(peer=victim)), Planned(over, Restart(peer=victim))]
    if kind == "freeze":
        return [Planned(begin, Freeze(peer=victim)), Planned(over, Thaw(peer=victim))]
    cuts = {
        "cut": [Cut(senders=mine, receivers=others), Cut(senders=others, receivers=mine)],
        "deaf": [Cut(senders=others, receivers=mine)],
        "mute": [Cut(senders=mine, receivers=others)],
    }[kind]
    return [*(Planned(begin, cut) for cut in cuts), Planned(over, Heal())]
