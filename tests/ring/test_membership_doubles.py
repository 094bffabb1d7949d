"""Two processes with one identity, as from a copied directory: the older is told, and ends; nobody else is misled."""

from random import Random

import pytest
from member_net import VNODES, MemberNet, member, peer, update

from murmuration.ring.effects import RingEffect, Send, SendTo, Usurped
from murmuration.ring.events import ExchangeDue, MessageReceived, ProbeDue, Started
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.swim import Membership, MembershipSettings
from murmuration.ring.messages import Gossip, Ping, PushPull, RingMessage
from murmuration.ring.terms import REFUTATION_BITS, Instant, PeerId

START = 1 << REFUTATION_BITS
NOW = Instant(100.0)
ELSEWHERE = "tcp://elsewhere:1"


def claimed(number: int, start: int = 1, liveness: Liveness = Liveness.ALIVE) -> Update:
    """Say of a peer that it is at another address."""
    return Update(member=member(number, url=ELSEWHERE), liveness=liveness, incarnation=start * START)


def membership(*known: Update, start: int = 2) -> Membership:
    machine = Membership(member(0), start * START, VNODES, MembershipSettings(), Random(1))
    machine.handle(NOW, Started(seeds=()))
    hear(machine, peer(99), Gossip(news=known))
    return machine


def hear(machine: Membership, sender: PeerId, message: RingMessage) -> list[RingEffect]:
    effects = machine.handle(NOW, MessageReceived(sender=sender, message=message))
    machine.check()
    return effects


def joins(update_: Update) -> PushPull:
    return PushPull(vnodes=VNODES, members=(update_,), reply_wanted=True)


def words(effects: list[RingEffect]) -> list[SendTo]:
    return [effect for effect in effects if isinstance(effect, SendTo)]


@pytest.mark.parametrize("start", [1, 2])
def test_push_pull_from_a_copy_that_is_not_later_is_answered_only_with_who_has_its_place(start: int) -> None:
    held = update(1, start=2)
    machine = membership(held)
    effects = hear(machine, peer(1), joins(claimed(1, start)))
    assert words(effects) == [SendTo(url=ELSEWHERE, message=Gossip(news=(held,)))]
    assert not [effect for effect in effects if isinstance(effect, Send)]
    assert machine.members[peer(1)] == held


def test_push_pull_from_a_later_start_elsewhere_is_told_at_once_to_the_address_that_it_takes_the_place_of() -> None:
    machine = membership(update(1))
    effects = hear(machine, peer(1), joins(claimed(1, 2)))
    assert words(effects) == [SendTo(url=member(1).url, message=Gossip(news=(claimed(1, 2),)))]
    assert [effect.to for effect in effects if isinstance(effect, Send)] == [peer(1)]


def test_peer_that_restarts_elsewhere_after_it_was_dead_is_told_to_nobody_at_its_old_address() -> None:
    machine = membership(update(1, Liveness.DEAD))
    assert words(hear(machine, peer(1), joins(claimed(1, 2)))) == []


@pytest.mark.parametrize("start", [2, 3])
def test_peer_that_hears_of_a_living_start_of_itself_elsewhere_ends_with_one_line_and_says_nothing_more(
    start: int,
) -> None:
    machine = membership(update(1))
    (usurped,) = hear(machine, peer(1), Gossip(news=(claimed(0, start),)))
    assert isinstance(usurped, Usurped)
    assert ELSEWHERE in usurped.reason
    assert "\n" not in usurped.reason
    assert hear(machine, peer(1), Ping(sequence=1, target=peer(0))) == []
    assert machine.handle(Instant(200.0), ProbeDue()) == []
    assert machine.handle(Instant(200.0), ExchangeDue()) == []


def test_peer_that_hears_of_an_earlier_start_of_itself_elsewhere_goes_on() -> None:
    machine = membership(update(1))
    assert hear(machine, peer(1), Gossip(news=(claimed(0, 1),))) == []


def test_peer_that_only_hears_of_a_suspected_double_waits_until_that_lives_or_is_dead() -> None:
    machine = membership(update(1))
    assert hear(machine, peer(1), Gossip(news=(claimed(0, 3, Liveness.SUSPECT),))) == []
    assert machine.incarnation == 2 * START


@pytest.mark.parametrize("liveness", [Liveness.DEAD, Liveness.LEFT])
@pytest.mark.parametrize("start", [2, 3])
def test_peer_whose_disk_was_put_back_rises_above_its_later_start_that_has_died_elsewhere(
    liveness: Liveness, start: int
) -> None:
    machine = membership(update(1))
    hear(machine, peer(1), Gossip(news=(claimed(0, start, liveness),)))
    assert machine.incarnation == (start + 1) * START


def test_original_that_a_later_copy_speaks_to_ends_and_an_equal_copy_is_told_so() -> None:
    later = membership(update(1))
    assert any(isinstance(effect, Usurped) for effect in hear(later, peer(0), joins(claimed(0, 3))))
    equal = membership(update(1))
    (word,) = words(hear(equal, peer(0), joins(claimed(0, 2))))
    assert word == SendTo(url=ELSEWHERE, message=Gossip(news=(update(0, start=2),)))


def test_peer_that_hears_its_own_words_at_its_own_address_does_nothing() -> None:
    machine = membership(update(1))
    assert hear(machine, peer(0), joins(update(0, start=2))) == []


@pytest.mark.parametrize("size", [2, 5, 20])
def test_older_of_two_processes_with_one_identity_ends_at_any_number_of_peers(size: int) -> None:
    net = MemberNet(1)
    for number in range(size):
        net.start(number)
    assert net.run(60.0, lambda: net.all_see(Liveness.ALIVE, *range(size)))
    original = net.peers[peer(1)]
    net.start_double(1, url=ELSEWHERE, start=2)
    assert net.run(2.0, lambda: original in net.usurped)
    net.run(30.0)
    assert net.usurped == [original]
    for at, machine in net.peers.items():
        assert machine.members[peer(1)].member.url == ELSEWHERE, at
    assert net.all_see(Liveness.ALIVE, *range(size))


def test_older_that_missed_the_word_is_told_at_its_next_exchange() -> None:
    net = MemberNet(2)
    for number in range(5):
        net.start(number)
    assert net.run(60.0, lambda: net.all_see(Liveness.ALIVE, *range(5)))
    original = net.peers[peer(1)]
    net.deaf.add(member(1).url)
    net.start_double(1, url=ELSEWHERE, start=2)
    net.run(5.0)
    assert net.usurped == []
    net.deaf.clear()
    assert net.run(6.0, lambda: original in net.usurped)


def test_address_that_another_peer_uses_again_keeps_the_two_apart() -> None:
    net = MemberNet(3)
    for number in range(5):
        net.start(number)
    assert net.run(60.0, lambda: net.all_see(Liveness.ALIVE, *range(5)))
    net.crash(1)
    net.start_double(9, url=member(1).url, start=1)
    assert net.run(30.0, lambda: net.all_see(Liveness.DEAD, 1) and net.all_see(Liveness.ALIVE, 0, 2, 3, 4, 9))
    net.run(30.0)
    assert net.all_see(Liveness.DEAD, 1)
    assert net.usurped == []
