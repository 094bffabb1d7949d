"""A peer that is slow or cut off finds that out, and gives others the time that it needs itself (Lifeguard)."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from member_net import VNODES, MemberNet, member, peer, update

from murmuration.ring.effects import RingEffect, Send, WakeAt
from murmuration.ring.events import (
    GossipDue,
    LinkBroke,
    MessageReceived,
    ProbeDue,
    ProbeExpired,
    RelayExpired,
    Started,
)
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.awareness import Awareness
from murmuration.ring.membership.exchange import pages
from murmuration.ring.membership.news import size_of
from murmuration.ring.membership.swim import Membership, MembershipSettings
from murmuration.ring.messages import Ack, Gossip, Nack, Ping, PingRequest, PushPull, RingMessage
from murmuration.ring.terms import REFUTATION_BITS, Instant, PeerId

START = 1 << REFUTATION_BITS
NOW = Instant(100.0)
ALIVE, SUSPECT, DEAD = Liveness.ALIVE, Liveness.SUSPECT, Liveness.DEAD


def membership(others: int, **settings: float) -> Membership:
    machine = Membership(member(0), START, VNODES, MembershipSettings(**settings), Random(1))  # type: ignore[arg-type]
    machine.handle(NOW, Started(seeds=()))
    hear(machine, peer(1), Gossip(news=tuple(update(number) for number in range(1, others + 1))))
    return machine


def hear(machine: Membership, sender: PeerId, message: RingMessage, now: float = NOW) -> list[RingEffect]:
    effects = machine.handle(Instant(now), MessageReceived(sender=sender, message=message))
    machine.check()
    return effects


def sends(effects: list[RingEffect], kind: type[RingMessage]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send) and isinstance(effect.message, kind)]


def wakes(effects: list[RingEffect]) -> list[WakeAt]:
    return [effect for effect in effects if isinstance(effect, WakeAt)]


def probe(machine: Membership, target: int) -> tuple[int, list[RingEffect]]:
    effects = machine.handle(NOW, LinkBroke(peer=peer(target)))
    (ping,) = sends(effects, Ping)
    assert isinstance(ping.message, Ping)
    return ping.message.sequence, effects


def fail_probe(machine: Membership, target: int, nacks: int) -> None:
    """Let a probe fail, of which so many relays say that they have no answer."""
    sequence, effects = probe(machine, target)
    direct_ends, ends = (wake.at for wake in wakes(effects))
    relays = sends(machine.handle(direct_ends, ProbeExpired(sequence=sequence, stage=0)), PingRequest)
    for relay in relays[:nacks]:
        hear(machine, relay.to, Nack(sequence=sequence), now=direct_ends)
    machine.handle(ends, ProbeExpired(sequence=sequence, stage=1))


# --- nacks ---


def test_relay_says_at_four_fifths_of_the_time_out_that_it_has_no_answer_yet_and_passes_a_late_one_on() -> None:
    machine = membership(2)
    effects = hear(machine, peer(1), PingRequest(sequence=7, target=peer(2)))
    (wake,) = wakes(effects)
    assert isinstance(wake.event, RelayExpired)
    assert wake.at == pytest.approx(100.4)
    (nack,) = sends(machine.handle(wake.at, wake.event), Nack)
    assert nack == Send(to=peer(1), message=Nack(sequence=7))
    (forwarded,) = sends(hear(machine, peer(2), Ack(sequence=wake.event.sequence)), Ack)
    assert forwarded.to == peer(1)


def test_relay_that_has_passed_the_answer_on_says_nothing_more() -> None:
    machine = membership(2)
    (wake,) = wakes(hear(machine, peer(1), PingRequest(sequence=7, target=peer(2))))
    assert isinstance(wake.event, RelayExpired)
    hear(machine, peer(2), Ack(sequence=wake.event.sequence))
    assert machine.handle(wake.at, wake.event) == []


@pytest.mark.parametrize(("nacks", "score"), [(3, 0), (2, 1), (0, 3)])
def test_failed_probe_counts_against_this_peer_as_many_times_as_relays_said_nothing(nacks: int, score: int) -> None:
    machine = membership(5)
    fail_probe(machine, 1, nacks)
    assert machine.awareness == score
    assert machine.liveness(peer(1)) is SUSPECT


def test_failed_probe_without_any_relay_counts_against_this_peer_once() -> None:
    machine = membership(1)
    fail_probe(machine, 1, 0)
    assert machine.awareness == 1


def test_nack_that_came_twice_stands_for_one_relay() -> None:
    machine = membership(5)
    sequence, _ = probe(machine, 1)
    relays = sends(machine.handle(Instant(100.5), ProbeExpired(sequence=sequence, stage=0)), PingRequest)
    for _ in range(3):
        hear(machine, relays[0].to, Nack(sequence=sequence))
    machine.handle(Instant(101.0), ProbeExpired(sequence=sequence, stage=1))
    assert machine.awareness == 2


# --- awareness ---


def test_answered_probe_makes_a_slow_peer_trust_itself_a_little_more() -> None:
    machine = membership(5)
    fail_probe(machine, 1, 0)
    sequence, _ = probe(machine, 2)
    hear(machine, peer(2), Ack(sequence=sequence))
    assert machine.awareness == 2


def test_peer_that_must_refute_a_suspicion_takes_itself_for_slower() -> None:
    machine = membership(5)
    hear(machine, peer(1), Gossip(news=(update(0, SUSPECT),)))
    assert machine.incarnation == START + 1
    assert machine.awareness == 1


def test_slow_peer_probes_less_often_and_waits_longer() -> None:
    machine = membership(5)
    fail_probe(machine, 1, 0)
    _, effects = probe(machine, 2)
    assert [wake.at for wake in wakes(effects)] == [102.0, 104.0]
    woken = {at: wakes(machine.handle(Instant(at), ProbeDue())) for at in range(110, 120)}
    probed = [at for at in woken if any(isinstance(wake.event, ProbeExpired) for wake in woken[at])]
    assert probed == [110, 114, 118]


def test_peer_without_awareness_keeps_its_pace() -> None:
    machine = membership(5, awareness_worst=0)
    fail_probe(machine, 1, 0)
    _, effects = probe(machine, 2)
    assert [wake.at for wake in wakes(effects)] == [100.5, 101.0]


@given(st.lists(st.integers(-1, 3), max_size=60), st.integers(0, 8))
def test_awareness_stays_between_healthy_and_worst_and_stretches_by_its_score(signs: list[int], worst: int) -> None:
    awareness = Awareness(worst)
    for sign in signs:
        before = awareness.score
        if sign < 0:
            awareness.improve()
        else:
            awareness.worsen(sign)
        assert 0 <= awareness.score <= worst
        assert awareness.score == min(worst, max(0, before + sign))
        assert awareness.stretched_s(0.5) == 0.5 * (awareness.score + 1)


def test_peer_that_is_cut_off_finds_out_and_recovers_once_it_is_reached_again() -> None:
    net = MemberNet(1)
    for number in range(8):
        net.start(number)
    assert net.run(20.0, lambda: net.all_see(ALIVE, *range(8)))
    net.is_cut = lambda source, to: peer(1) in (source, to)
    net.run(10.0)
    assert net.peers[peer(1)].awareness >= 6
    assert max(machine.awareness for at, machine in net.peers.items() if at != peer(1)) <= 1
    net.is_cut = lambda source, to: False
    assert net.run(60.0, lambda: net.all_see(ALIVE, *range(8)))
    assert net.run(120.0, lambda: net.peers[peer(1)].awareness == 0)


def deaths_of_the_healthy(settings: MembershipSettings) -> int:
    """Count how often a healthy peer was taken for dead while two of ten have their messages stuck again and again."""
    net = MemberNet(3, settings=settings)
    for number in range(10):
        net.start(number)
    assert net.run(20.0, lambda: net.all_see(ALIVE, *range(10)))
    net.changes.clear()
    for _ in range(10):
        net.stuck |= {peer(8), peer(9)}
        net.run(12.0)
        net.thaw(8)
        net.thaw(9)
        net.run(0.3)
    return sum(changed.liveness is DEAD and int(changed.member.id, 16) < 8 for _, _, changed in net.changes)


def test_peers_whose_messages_are_stuck_kill_the_healthy_without_lifeguard_and_hardly_any_with_it() -> None:
    plain = deaths_of_the_healthy(MembershipSettings(awareness_worst=0, suspicion_spread=1))
    assert plain > 20
    assert deaths_of_the_healthy(MembershipSettings()) < plain / 5


# --- suspects first, and messages within bounds ---


def test_suspect_that_a_ping_tells_refutes_with_its_very_answer() -> None:
    """The buddy system (Lifeguard, section 3.3)."""
    machine = membership(3)
    ping = Ping(sequence=1, target=peer(0), news=(update(0, SUSPECT),))
    (ack,) = sends(hear(machine, peer(2), ping), Ack)
    assert isinstance(ack.message, Ack)
    assert update(0, refuted=1) in ack.message.news


def test_gossip_of_a_thousand_changes_stays_within_its_bytes_and_names_each_member_once() -> None:
    settings = MembershipSettings()
    machine = membership(1000)
    now = Instant(100.02)
    for _ in range(50):
        for sent in sends(machine.handle(now, GossipDue()), Gossip):
            assert isinstance(sent.message, Gossip)
            assert len(msgspec.msgpack.encode(sent.message)) <= settings.news_bytes_max
            assert len({news.member.id for news in sent.message.news}) == len(sent.message.news)
        now = Instant(now + 0.2)


def test_dead_member_is_visited_now_and_then_and_meets_with_tables_when_it_answers() -> None:
    machine = membership(3)
    hear(machine, peer(2), Gossip(news=(update(1, DEAD),)))
    visits: list[tuple[float, Ping]] = []
    for second in range(20):
        effects = machine.handle(Instant(101.0 + second), ProbeDue())
        visits += [(101.0 + second, p.message) for p in sends(effects, Ping) if p.to == peer(1)]  # type: ignore[misc]
    assert [at for at, _ in visits][:3] == [101.0, 106.0, 111.0]
    ping = visits[-1][1]
    assert ping.news[0] == update(1, DEAD)
    tables = hear(machine, peer(1), Ack(sequence=ping.sequence, news=(update(1, refuted=1),)), now=121.0)
    assert machine.liveness(peer(1)) is ALIVE
    assert any(isinstance(effect, Send) and isinstance(effect.message, PushPull) for effect in tables)


def test_suspect_of_this_peer_is_visited_before_the_dead_until_it_refutes() -> None:
    machine = membership(5)
    hear(machine, peer(2), Gossip(news=(update(3, DEAD),)))
    fail_probe(machine, 1, 0)
    pings = [p for at in range(110, 116) for p in sends(machine.handle(Instant(at), ProbeDue()), Ping)]
    told = [p.message.news[0] for p in pings if p.to == peer(1)]  # type: ignore[union-attr]
    assert told[0] == msgspec.structs.replace(update(1, SUSPECT), accuser=peer(0))
    assert peer(3) not in [p.to for p in pings]


def test_large_table_travels_in_pages_that_fit_and_say_who_sends_them() -> None:
    settings = MembershipSettings(table_bytes_max=4096)
    net = MemberNet(4, settings=settings)
    for number in range(30):
        net.start(number)
    assert net.run(60.0, lambda: net.all_see(ALIVE, *range(30)))
    tables = [message for _, _, _, message in net.sent if isinstance(message, PushPull)]
    assert max(len(table.members) for table in tables) < 30
    assert max(len(msgspec.msgpack.encode(page)) for page in tables) <= settings.table_bytes_max
    newcomer = net.start(30, seeds=(3,))
    assert net.run(5.0, lambda: len(newcomer.members) == 31)


def _update_of(number: int, length: int) -> Update:
    return Update(
        member=msgspec.structs.replace(member(number), directory="/" * length), liveness=ALIVE, incarnation=START
    )


@given(st.lists(st.integers(0, 4096), max_size=60), st.integers(600, 20_000))
def test_pages_hold_each_update_once_and_begin_with_their_senders(lengths: list[int], bytes_max: int) -> None:
    own = update(0)
    others = [_update_of(number, length) for number, length in enumerate(lengths, start=1)]
    cut = pages(own, others, bytes_max)
    assert [page[0] for page in cut] == [own] * len(cut)
    assert [each for page in cut for each in page[1:]] == others
    assert all(sum(map(size_of, page)) <= bytes_max or len(page) == 2 for page in cut)
