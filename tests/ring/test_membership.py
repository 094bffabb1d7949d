"""One membership, event by event: what it answers, whom it accuses, and how it defends itself."""

from random import Random

import pytest
from member_net import VNODES, member, peer, update

from murmuration.ring.effects import MemberChanged, RingEffect, Send, SendTo, WakeAt
from murmuration.ring.events import (
    ExchangeDue,
    GossipDue,
    LinkBroke,
    MessageReceived,
    ProbeDue,
    ProbeExpired,
    Started,
    StopRequested,
    SuspicionExpired,
)
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.swim import Membership, MembershipSettings
from murmuration.ring.messages import Ack, Gossip, Ping, PingRequest, PushPull, RingMessage
from murmuration.ring.terms import REFUTATION_BITS, Instant

START = 1 << REFUTATION_BITS
NOW = Instant(100.0)


def membership(*known: Update) -> Membership:
    machine = Membership(member(0), START, VNODES, MembershipSettings(), Random(1))
    machine.handle(NOW, Started(seeds=()))
    if known:
        hear(machine, 99, Gossip(news=known))
    return machine


def hear(machine: Membership, sender: int, message: RingMessage, now: float = NOW) -> list[RingEffect]:
    effects = machine.handle(Instant(now), MessageReceived(sender=peer(sender), message=message))
    machine.check()
    return effects


def sent(effects: list[RingEffect], to: int) -> list[RingMessage]:
    return [effect.message for effect in effects if isinstance(effect, Send) and effect.to == peer(to)]


def wakes(effects: list[RingEffect]) -> list[WakeAt]:
    return [effect for effect in effects if isinstance(effect, WakeAt)]


def probe(machine: Membership, target: int) -> tuple[int, list[RingEffect]]:
    effects = machine.handle(NOW, LinkBroke(peer=peer(target)))
    (ping,) = sent(effects, target)
    assert isinstance(ping, Ping)
    return ping.sequence, effects


def test_start_announces_itself_and_joins_through_every_seed_but_itself() -> None:
    machine = Membership(member(0), START, VNODES, MembershipSettings(), Random(1))
    effects = machine.handle(NOW, Started(seeds=(member(1).url, member(0).url, member(2).url)))
    assert effects[0] == MemberChanged(update=update(0))
    joins = [effect for effect in effects if isinstance(effect, SendTo)]
    assert [join.url for join in joins] == [member(1).url, member(2).url]
    assert joins[0].message == PushPull(vnodes=VNODES, members=(update(0),), reply_wanted=True)


def test_lonely_peer_tries_its_seeds_again_within_half_a_second_and_then_ever_more_slowly() -> None:
    machine = Membership(member(0), START, VNODES, MembershipSettings(), Random(1))
    effects = machine.handle(NOW, Started(seeds=(member(1).url,)))
    pauses, now = [], NOW
    for _ in range(12):
        assert any(isinstance(effect, SendTo) for effect in effects)
        (wake,) = (wake for wake in wakes(effects) if wake.event == ExchangeDue())
        pauses.append(wake.at - now)
        now = wake.at
        effects = machine.handle(now, ExchangeDue())
    assert pauses[0] < 0.5
    assert 4.4 < pauses[-1] < 5.6


def test_joiner_is_learned_from_its_own_table_and_answered_with_ours() -> None:
    machine = membership(update(2))
    effects = hear(machine, 1, PushPull(vnodes=VNODES, members=(update(1),), reply_wanted=True))
    assert MemberChanged(update=update(1)) in effects
    (reply,) = sent(effects, 1)
    assert reply == PushPull(vnodes=VNODES, members=tuple(machine.members.values()), reply_wanted=False)
    assert set(machine.members) == {peer(0), peer(1), peer(2)}


def test_push_pull_of_another_key_space_is_ignored() -> None:
    machine = membership()
    assert hear(machine, 1, PushPull(vnodes=VNODES * 2, members=(update(1),), reply_wanted=True)) == []
    assert machine.liveness(peer(1)) is None


def test_member_restarted_at_another_address_replaces_the_old_one() -> None:
    machine = membership(update(1))
    moved = Update(member=member(1, url="tcp://elsewhere:1"), liveness=Liveness.ALIVE, incarnation=2 * START)
    assert MemberChanged(update=moved) in hear(machine, 1, PushPull(vnodes=VNODES, members=(moved,), reply_wanted=True))
    assert machine.members[peer(1)] == moved


def test_ping_is_acknowledged_with_its_sequence_only_by_its_target() -> None:
    machine = membership(update(1))
    (ack,) = sent(hear(machine, 1, Ping(sequence=7, target=peer(0))), 1)
    assert isinstance(ack, Ack)
    assert ack.sequence == 7
    assert sent(hear(machine, 1, Ping(sequence=8, target=peer(5))), 1) == []


def test_relay_pings_under_its_own_sequence_and_forwards_the_ack_under_the_askers() -> None:
    machine = membership(update(1), update(2))
    (ping,) = sent(hear(machine, 1, PingRequest(sequence=7, target=peer(2))), 2)
    assert isinstance(ping, Ping)
    assert ping.sequence != 7
    (forwarded,) = sent(hear(machine, 2, Ack(sequence=ping.sequence)), 1)
    assert isinstance(forwarded, Ack)
    assert forwarded.sequence == 7
    assert sent(hear(machine, 2, Ack(sequence=ping.sequence)), 1) == []


def test_broken_link_probes_at_once_but_not_twice_at_a_time() -> None:
    machine = membership(update(1))
    sequence, effects = probe(machine, 1)
    assert [(wake.at, wake.event) for wake in wakes(effects)] == [
        (100.5, ProbeExpired(sequence=sequence, stage=0)),
        (101.0, ProbeExpired(sequence=sequence, stage=1)),
    ]
    assert machine.handle(NOW, LinkBroke(peer=peer(1))) == []


def test_silent_member_is_asked_for_by_three_relays_and_then_suspected() -> None:
    machine = membership(*(update(number) for number in range(1, 6)))
    sequence, _ = probe(machine, 1)
    relayed = machine.handle(Instant(100.5), ProbeExpired(sequence=sequence, stage=0))
    asked = [effect.to for effect in relayed if isinstance(effect, Send)]
    assert len(set(asked)) == 3
    assert peer(1) not in asked
    effects = machine.handle(Instant(101.0), ProbeExpired(sequence=sequence, stage=1))
    machine.check()
    assert machine.liveness(peer(1)) == Liveness.SUSPECT
    assert machine.members[peer(1)].accuser == peer(0)
    assert WakeAt(at=Instant(125.0), event=SuspicionExpired(peer=peer(1), incarnation=START)) in effects


@pytest.mark.parametrize("answerer", [1, 2])
def test_member_that_acknowledges_directly_or_by_a_relay_is_not_suspected(answerer: int) -> None:
    machine = membership(update(1), update(2))
    sequence, _ = probe(machine, 1)
    hear(machine, answerer, Ack(sequence=sequence))
    assert machine.handle(Instant(100.5), ProbeExpired(sequence=sequence, stage=0)) == []
    assert machine.handle(Instant(101.0), ProbeExpired(sequence=sequence, stage=1)) == []
    assert machine.liveness(peer(1)) == Liveness.ALIVE


def test_peer_that_slept_through_a_probe_accuses_nobody_and_probes_more_slowly() -> None:
    machine = membership(update(1), update(2))
    sequence, _ = probe(machine, 1)
    assert machine.handle(Instant(130.0), ProbeExpired(sequence=sequence, stage=1)) == []
    assert machine.liveness(peer(1)) == Liveness.ALIVE
    probed = [at for at in range(130, 134) if machine.handle(Instant(at), ProbeDue())[:-1]]
    assert probed == [130, 132]


def test_suspect_that_does_not_refute_in_time_is_dead_and_one_that_does_is_alive() -> None:
    machine = membership(update(1), update(2))
    hear(machine, 2, Gossip(news=(update(1, Liveness.SUSPECT),)))
    ripe = SuspicionExpired(peer=peer(1), incarnation=START)
    assert machine.handle(Instant(103.9), ripe) == []
    hear(machine, 2, Gossip(news=(update(1, refuted=1),)), now=103.95)
    assert machine.handle(Instant(104.0), ripe) == []
    assert machine.liveness(peer(1)) == Liveness.ALIVE
    hear(machine, 2, Gossip(news=(update(1, Liveness.SUSPECT, refuted=1),)), now=105.0)
    effects = machine.handle(Instant(109.0), SuspicionExpired(peer=peer(1), incarnation=START + 1))
    assert MemberChanged(update=update(1, Liveness.DEAD, refuted=1)) in effects
    machine.check()


def test_peer_that_slept_through_a_suspicion_gives_the_suspect_its_time_again() -> None:
    machine = membership(update(1), update(2))
    hear(machine, 2, Gossip(news=(update(1, Liveness.SUSPECT),)))
    ripe = SuspicionExpired(peer=peer(1), incarnation=START)
    assert machine.handle(Instant(150.0), ripe) == [WakeAt(at=Instant(154.0), event=ripe)]
    assert machine.liveness(peer(1)) == Liveness.SUSPECT
    machine.handle(Instant(154.0), ripe)
    assert machine.liveness(peer(1)) == Liveness.DEAD


def test_independent_confirmation_brings_the_end_of_a_suspicion_forward_and_is_passed_on() -> None:
    machine = membership(*(update(number) for number in range(1, 6)))
    for accuser, due in ((2, 124.0), (3, 111.38), (4, 104.0)):
        accused = Update(member=member(1), liveness=Liveness.SUSPECT, incarnation=START, accuser=peer(accuser))
        effects = hear(machine, 5, Gossip(news=(accused,)))
        (wake,) = (wake for wake in wakes(effects) if isinstance(wake.event, SuspicionExpired))
        assert wake.at == pytest.approx(due, abs=0.01)
    gossiped = machine.handle(Instant(101.0), GossipDue())
    assert any(accused in effect.message.news for effect in gossiped if isinstance(effect, Send))


@pytest.mark.parametrize("liveness", [Liveness.SUSPECT, Liveness.DEAD, Liveness.LEFT])
def test_false_news_about_this_peer_is_refuted_at_the_next_incarnation_and_to_who_brought_it(
    liveness: Liveness,
) -> None:
    machine = membership(update(1))
    effects = hear(machine, 1, Gossip(news=(update(0, liveness, refuted=4),)))
    assert machine.incarnation == START + 5
    assert MemberChanged(update=update(0, refuted=5)) in effects
    assert Gossip(news=(update(0, refuted=5),)) in sent(effects, 1)
    again = hear(machine, 1, Gossip(news=(update(0, liveness, refuted=4),)))
    assert again == [Send(to=peer(1), message=Gossip(news=(update(0, refuted=5),)))]


def test_peer_with_an_old_disk_rises_above_the_start_number_that_others_remember() -> None:
    machine = membership(update(1))
    hear(machine, 1, Gossip(news=(update(0, Liveness.DEAD, start=3),)))
    assert machine.incarnation == 3 * START + 1


def test_suspect_is_told_so_by_the_ping_that_probes_it() -> None:
    machine = membership(update(1), update(2))
    hear(machine, 2, Gossip(news=(update(1, Liveness.SUSPECT),)))
    (ping,) = sent(machine.handle(NOW, LinkBroke(peer=peer(1))), 1)
    assert isinstance(ping, Ping)
    assert ping.news[0] == update(1, Liveness.SUSPECT)
    assert [news.member.id for news in ping.news].count(peer(1)) == 1


def test_peer_believed_dead_that_speaks_is_told_so_but_not_at_every_word() -> None:
    machine = membership(update(1, Liveness.DEAD), update(2))
    told = Gossip(news=(update(1, Liveness.DEAD),))
    assert told in sent(hear(machine, 1, Gossip(news=())), 1)
    assert told not in sent(hear(machine, 1, Gossip(news=()), now=100.1), 1)
    assert told in sent(hear(machine, 1, Gossip(news=()), now=101.0), 1)


def test_death_heard_by_push_pull_is_taken_as_a_suspicion_only() -> None:
    machine = membership(update(1), update(2))
    hear(machine, 2, PushPull(vnodes=VNODES, members=(update(1, Liveness.DEAD),), reply_wanted=False))
    assert machine.liveness(peer(1)) == Liveness.SUSPECT


def test_fresh_news_is_gossiped_at_once_and_then_every_interval_until_it_is_out() -> None:
    machine = membership(update(1))
    assert _gossip_instants(machine) == pytest.approx([100.02, 100.22, 100.42, 100.62])


def _gossip_instants(machine: Membership) -> list[float]:
    """Follow the gossip timer from the first news on, and list when something was sent."""
    instants, now = [], Instant(100.02)
    while effects := machine.handle(now, GossipDue()):
        instants.append(now)
        now = next((wake.at for wake in wakes(effects)), Instant(now + 1.0))
    return instants


def test_leaver_tells_several_members_at_once_and_refutes_nothing_after() -> None:
    machine = membership(*(update(number) for number in range(1, 20)))
    effects = machine.handle(NOW, StopRequested())
    left = update(0, Liveness.LEFT)
    assert MemberChanged(update=left) in effects
    assert len([effect for effect in effects if isinstance(effect, Send)]) == 8
    assert all(effect.message == Gossip(news=(left,)) for effect in effects if isinstance(effect, Send))
    hear(machine, 1, Gossip(news=(update(0, Liveness.DEAD),)))
    assert machine.members[peer(0)] == left
    assert machine.handle(Instant(101.0), ProbeDue()) == []


def test_each_member_is_probed_once_in_every_round() -> None:
    machine = membership(*(update(number) for number in range(1, 8)))
    now, probed = NOW, []
    for _ in range(14):
        now = Instant(now + 1.0)
        effects = machine.handle(now, ProbeDue())
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, Ping):
                probed.append(effect.to)
                hear(machine, int(effect.to, 16), Ack(sequence=effect.message.sequence), now=now)
    assert sorted(probed[:7]) == sorted(probed[7:]) == [peer(number) for number in range(1, 8)]


@pytest.mark.parametrize(
    "wrong",
    [{"probe_timeout_s": 1.0}, {"gossip_fanout": 0}, {"members_max": 5000}, {"gossip_hurry_s": 0.0}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"probe_timeout_s|positive|4096"):
        MembershipSettings(**wrong)  # type: ignore[arg-type]
