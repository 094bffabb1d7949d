"""Who has missed a refutation is told so by whomever it tells, and catches up with what else it has missed."""

from random import Random

import pytest
from member_net import VNODES, member, peer, update

from murmuration.ring.effects import RingEffect, Send, WakeAt
from murmuration.ring.events import ExchangeDue, MessageReceived, Started
from murmuration.ring.facts import Liveness
from murmuration.ring.membership.correcting import corrections
from murmuration.ring.membership.swim import Membership, MembershipSettings
from murmuration.ring.messages import Gossip, PushPull, RingMessage
from murmuration.ring.terms import REFUTATION_BITS, Instant

NOW = Instant(100.0)
ALIVE, SUSPECT, DEAD, LEFT = Liveness.ALIVE, Liveness.SUSPECT, Liveness.DEAD, Liveness.LEFT


def membership(others: int) -> Membership:
    machine = Membership(member(0), 1 << REFUTATION_BITS, VNODES, MembershipSettings(), Random(1))
    machine.handle(NOW, Started(seeds=()))
    hear(machine, Gossip(news=tuple(update(number) for number in range(1, others + 1))))
    return machine


def hear(machine: Membership, message: RingMessage, now: float = NOW) -> list[RingEffect]:
    return machine.handle(Instant(now), MessageReceived(sender=peer(1), message=message))


@pytest.mark.parametrize("liveness", [SUSPECT, DEAD, LEFT])
def test_outdated_accusation_is_answered_with_the_refutation(liveness: Liveness) -> None:
    machine = membership(5)
    hear(machine, Gossip(news=(update(3, refuted=2), update(4))))
    effects = hear(machine, Gossip(news=(update(3, liveness, refuted=1), update(4))))
    assert Send(to=peer(1), message=Gossip(news=(update(3, refuted=2),))) in effects


@pytest.mark.parametrize(
    "news",
    [update(3), update(3, refuted=2), update(3, SUSPECT, refuted=2), update(3, DEAD, refuted=3), update(9, DEAD)],
    ids=["older, but no accusation", "the same", "as new", "newer", "of nobody known"],
)
def test_nothing_else_is_answered(news: object) -> None:
    held = {peer(3): update(3, refuted=2)}
    assert corrections(held, Gossip(news=(news,))) == []  # type: ignore[arg-type]


def test_table_is_answered_by_a_table_alone() -> None:
    held = {peer(3): update(3, refuted=2)}
    assert corrections(held, PushPull(vnodes=VNODES, members=(update(3, DEAD),), reply_wanted=True)) == []


def test_peer_that_was_taken_for_dead_exchanges_tables_as_often_as_after_a_start() -> None:
    machine = membership(5)
    now = 100.0
    while now < 300.0:  # its start is long over
        now = exchange(machine, now)
    told = now - 2.0
    (hurried,) = alarms(hear(machine, Gossip(news=(update(0, DEAD),)), told))
    times = [float(hurried.at)]
    while len(times) < 5:
        times.append(exchange(machine, times[-1]))
    assert times[-1] - told < 3.0


def alarms(effects: list[RingEffect]) -> list[WakeAt]:
    return [effect for effect in effects if isinstance(effect, WakeAt) and isinstance(effect.event, ExchangeDue)]


def exchange(machine: Membership, now: float) -> float:
    """Let the next exchange come, and tell when the one after it is due."""
    for second in range(1000):
        at = now + second * 0.05
        if wakes := alarms(machine.handle(Instant(at), ExchangeDue())):
            return float(wakes[0].at)
    raise AssertionError("no exchange has come")
