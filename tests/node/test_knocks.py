"""A silent peer is knocked at until it answers, and what its machine says tells frozen, gone and unreachable apart."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from murmuration.node.effects import Knock, Wake
from murmuration.node.events import KnockDue, Knocked
from murmuration.node.knocks import KNOCK_INTERVAL_S, Knocks
from murmuration.node.transport.knocking import knock
from murmuration.ring.errors import InvariantBroken
from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.terms import Instant, Member, PeerId
from murmuration.scheduling.status import Condition

NOW = Instant(10.0)


def update_of(number: int, liveness: Liveness, url: str = "tcp://127.0.0.1:1", **changes) -> Update:
    identity, bulk_url = f"{number:032x}", "tcp://127.0.0.1:2"
    member = Member(id=identity, name=f"p{number}", url=url, bulk_url=bulk_url, host="h", directory="/d")
    return Update(member=member, liveness=liveness, incarnation=1, **changes)


def table_of(*updates: Update) -> dict[PeerId, Update]:
    return {PeerId(update.member.id): update for update in updates}


SUSPECT = update_of(1, Liveness.SUSPECT)
PEER = PeerId(SUSPECT.member.id)


def knocked(condition: Condition) -> Knocks:
    """Give the knocks of a peer that has found another to be so."""
    knocks = Knocks()
    knocks.seen(SUSPECT)
    knocks.knocked(NOW, Knocked(peer=PEER, condition=condition))
    return knocks


def test_peer_that_falls_silent_is_knocked_at_again_and_again() -> None:
    knocks = Knocks()
    assert knocks.seen(SUSPECT) == [Knock(peer=PEER, url=SUSPECT.member.url)]
    assert knocks.seen(update_of(1, Liveness.DEAD)) == []
    again = KnockDue(peer=PEER)
    planned = knocks.knocked(NOW, Knocked(peer=PEER, condition=Condition.GONE))
    assert planned == [Wake(at=Instant(NOW + KNOCK_INTERVAL_S), event=again)]
    assert knocks.due(again, table_of(SUSPECT)) == [Knock(peer=PEER, url=SUSPECT.member.url)]


REMOVED = update_of(1, Liveness.DEAD, standing=Standing.REMOVED)


@pytest.mark.parametrize("back", [update_of(1, Liveness.ALIVE), update_of(1, Liveness.LEFT), REMOVED])
def test_peer_that_is_back_or_gone_for_good_is_knocked_at_no_more(back: Update) -> None:
    knocks = knocked(Condition.FROZEN)
    assert knocks.seen(back) == []
    assert knocks.due(KnockDue(peer=PEER), table_of(back)) == []
    assert knocks.knocked(NOW, Knocked(peer=PEER, condition=Condition.GONE)) == []
    assert knocks.condition(back, table_of(back)) is Condition.WELL
    knocks.check(table_of(back))


def test_peer_that_answers_and_is_still_knocked_at_breaks_an_invariant() -> None:
    with pytest.raises(InvariantBroken, match="answer"):
        knocked(Condition.FROZEN).check(table_of(update_of(1, Liveness.ALIVE)))


@pytest.mark.parametrize("condition", [Condition.FROZEN, Condition.GONE, Condition.UNREACHABLE])
def test_what_a_knock_shows_is_told(condition: Condition) -> None:
    assert knocked(condition).condition(SUSPECT, table_of(SUSPECT)) is condition


def test_connection_that_another_living_peer_takes_at_the_address_does_not_make_the_old_one_frozen() -> None:
    heir = update_of(2, Liveness.ALIVE)
    assert knocked(Condition.FROZEN).condition(SUSPECT, table_of(SUSPECT, heir)) is Condition.WELL
    assert knocked(Condition.GONE).condition(SUSPECT, table_of(SUSPECT, heir)) is Condition.GONE


def address_of(ready: Callable[[socket.socket], object]) -> tuple[str, socket.socket]:
    made = socket.create_server(("127.0.0.1", 0))
    url = f"tcp://127.0.0.1:{made.getsockname()[1]}"
    ready(made)
    return url, made


def test_machine_answers_for_a_process_that_stands_still_and_refuses_for_one_that_has_ended() -> None:
    still, held = address_of(lambda _: None)
    gone, _ = address_of(socket.socket.close)
    assert asyncio.run(knock(still)) is Condition.FROZEN
    assert asyncio.run(knock(gone)) is Condition.GONE
    assert asyncio.run(knock("nonsense")) is Condition.UNREACHABLE
    held.close()
