"""Spell the troubles of the links between one peer and the others."""

import random

from ..faults import Cut, Delay, Duplicate, Heal, Limit, Loss, Reorder
from .troubles import Moment, Trouble

FLAPS = 5


def cut(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Cut the peer off, both ways."""
    return [(trouble.begin, _to(trouble)), (trouble.begin, _from(trouble)), (trouble.over, Heal())]


def deaf(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Let nothing reach the peer, while it still speaks."""
    return [(trouble.begin, _to(trouble)), (trouble.over, Heal())]


def mute(_: random.Random, trouble: Trouble) -> list[Moment]:
    """Let nothing of the peer reach the others, while it still hears."""
    return [(trouble.begin, _from(trouble)), (trouble.over, Heal())]


def flapping_link(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Cut the peer off and heal it again and again."""
    step_s = (trouble.over - trouble.begin) / FLAPS
    moments: list[Moment] = []
    for number in range(FLAPS):
        begin = trouble.begin + number * step_s
        cuts = rng.choice([[_to(trouble)], [_from(trouble)], [_to(trouble), _from(trouble)]])
        moments += [(begin, each) for each in cuts]
        moments.append((begin + step_s * rng.uniform(0.2, 0.9), Heal()))
    return [*moments, (trouble.over, Heal())]


def swizzle(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Clog the peer's links one by one, and open them in another order (FoundationDB's swizzle-clog)."""
    links = [(trouble.victim, other) for other in sorted(trouble.others)]
    links += [(other, trouble.victim) for other in sorted(trouble.others)]
    middle = (trouble.begin + trouble.over) / 2
    clogs = sorted(rng.uniform(trouble.begin, middle) for _ in links)
    opens = sorted(rng.uniform(middle, trouble.over) for _ in links)
    rng.shuffle(links)
    moments: list[Moment] = [
        (at, Loss(sender=sender, receiver=receiver, share=1.0))
        for at, (sender, receiver) in zip(clogs, links, strict=True)
    ]
    rng.shuffle(links)
    moments += [
        (at, Loss(sender=sender, receiver=receiver, share=0.0))
        for at, (sender, receiver) in zip(opens, links, strict=True)
    ]
    return moments


def delay(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let one link be slow."""
    sender, receiver = _link(rng, trouble)
    return [
        (trouble.begin, Delay(sender=sender, receiver=receiver, delay_s=rng.uniform(0.1, 2.0))),
        (trouble.over, Delay(sender=sender, receiver=receiver, delay_s=0.0)),
    ]


def loss(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let one link lose much."""
    sender, receiver = _link(rng, trouble)
    return [
        (trouble.begin, Loss(sender=sender, receiver=receiver, share=rng.uniform(0.3, 1.0))),
        (trouble.over, Loss(sender=sender, receiver=receiver, share=0.0)),
    ]


def duplicates(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let all links to the peer, or from it, say much twice."""
    share, links = rng.uniform(0.3, 1.0), _links(rng, trouble)
    begins: list[Moment] = [(trouble.begin, Duplicate(sender=a, receiver=b, share=share)) for a, b in links]
    return begins + [(trouble.over, Duplicate(sender=a, receiver=b, share=0.0)) for a, b in links]


def reorder(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let messages to the peer, or from it, overtake each other."""
    jitter_s, links = rng.choice([0.05, 0.3, 1.0]), _links(rng, trouble)
    begins: list[Moment] = [(trouble.begin, Reorder(sender=a, receiver=b, jitter_s=jitter_s)) for a, b in links]
    return begins + [(trouble.over, Reorder(sender=a, receiver=b, jitter_s=0.0)) for a, b in links]


def limit(rng: random.Random, trouble: Trouble) -> list[Moment]:
    """Let one link be narrow: a peer says some kilobytes a second to another."""
    sender, receiver = _link(rng, trouble)
    return [
        (trouble.begin, Limit(sender=sender, receiver=receiver, bytes_per_s=rng.choice([500, 2_000, 10_000]))),
        (trouble.over, Limit(sender=sender, receiver=receiver, bytes_per_s=0)),
    ]


def _to(trouble: Trouble) -> Cut:
    return Cut(senders=trouble.others, receivers=frozenset({trouble.victim}))


def _from(trouble: Trouble) -> Cut:
    return Cut(senders=frozenset({trouble.victim}), receivers=trouble.others)


def _link(rng: random.Random, trouble: Trouble) -> tuple[str, str]:
    other = rng.choice(sorted(trouble.others))
    return (trouble.victim, other) if rng.random() < 0.5 else (other, trouble.victim)


def _links(rng: random.Random, trouble: Trouble) -> list[tuple[str, str]]:
    others = sorted(trouble.others)
    if rng.random() < 0.5:
        return [(trouble.victim, other) for other in others]
    return [(other, trouble.victim) for other in others]
