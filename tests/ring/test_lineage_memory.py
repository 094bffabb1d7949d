"""A member that is only remembered, one incarnation too low, does not make anybody take a sound disk for an old one."""

from collections.abc import Iterator
from itertools import count

from member_net import member

from murmuration.ring.effects import SendTo
from murmuration.ring.events import MessageReceived
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.lineage import Lineage
from murmuration.ring.messages import RecallStart, StartRecalled
from murmuration.ring.terms import REFUTATION_BITS, Incarnation, Instant, PeerId

NOW = Instant(1.0)


def ids() -> Iterator[str]:
    return map(str, count())


def update(incarnation: int, liveness: Liveness) -> Update:
    return Update(member=member(1), liveness=liveness, incarnation=Incarnation(incarnation))


def recalled(*incarnations: int, asked_from: int) -> int:
    lineage = Lineage(member(0), Incarnation(1 << REFUTATION_BITS), 1, ids())
    for incarnation in incarnations:
        lineage.learn(update(incarnation, Liveness.SUSPECT))
    question = RecallStart(member=member(1), start=asked_from)
    (answer,) = lineage.handle(NOW, MessageReceived(sender=PeerId(member(1).id), message=question), {})
    assert isinstance(answer, SendTo)
    assert isinstance(answer.message, StartRecalled)
    return answer.message.known


def test_start_that_is_remembered_too_low_is_no_start_before_it() -> None:
    start = 1997 << REFUTATION_BITS
    assert recalled(start - 1, start, asked_from=1997) == 0


def test_start_before_the_one_that_asks_is_recalled() -> None:
    assert recalled(5 << REFUTATION_BITS, 7 << REFUTATION_BITS, asked_from=7) == 5
    assert recalled((5 << REFUTATION_BITS) - 1, asked_from=7) == 5
