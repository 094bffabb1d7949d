"""Many memberships in one virtual network: they find each other, see crashes, heal, and agree."""

from itertools import pairwise

import pytest
from member_net import MemberNet, peer

from murmuration.ring.events import LinkBroke, StopRequested
from murmuration.ring.facts import Liveness
from murmuration.ring.messages import PushPull
from murmuration.ring.terms import REFUTATION_BITS, PeerId

ALIVE, SUSPECT, DEAD, LEFT = Liveness.ALIVE, Liveness.SUSPECT, Liveness.DEAD, Liveness.LEFT


def cluster(seed: int, size: int, loss: float = 0.0) -> MemberNet:
    """Start peers at once, joined through the first, and run until all know all."""
    net = MemberNet(seed, loss)
    for number in range(size):
        net.start(number)
    assert net.run(60.0, lambda: net.all_see(ALIVE, *range(size))), f"seed {seed}: not joined"
    return net


@pytest.mark.parametrize("seed", range(20))
def test_five_peers_started_at_once_all_know_each_other_well_within_a_second(seed: int) -> None:
    assert cluster(seed, 5).now < 0.5


def test_fifty_peers_started_at_once_all_know_each_other_within_seconds() -> None:
    assert cluster(1, 50).now < 5.0


def test_peers_that_start_before_their_seed_join_when_it_comes() -> None:
    net = MemberNet(3)
    for number in (1, 2, 3):
        net.start(number)
    net.run(2.0)
    net.start(0, seeds=())
    assert net.run(3.0, lambda: net.all_see(ALIVE, 0, 1, 2, 3))


def test_quiet_cluster_accuses_nobody() -> None:
    net = cluster(4, 8)
    net.run(60.0)
    assert {update.liveness for _, _, update in net.changes} == {ALIVE}


@pytest.mark.parametrize("size", [3, 5, 10])
def test_crashed_peer_is_suspected_in_seconds_and_then_dead_at_all(size: int) -> None:
    net = cluster(5, size)
    crashed_at = net.now
    net.crash(1)
    assert net.run(30.0, lambda: net.all_see(DEAD, 1))
    suspected = next(at for at, _, update in net.changes if update.liveness == SUSPECT)
    assert suspected - crashed_at < 1.0 + size
    assert net.now - crashed_at > 4.0
    assert net.all_see(ALIVE, 0, *range(2, size))


def test_crash_seen_as_broken_links_is_certain_after_five_seconds() -> None:
    net = cluster(6, 5)
    crashed_at = net.now
    net.crash(1)
    for number in (0, 2, 3, 4):
        net.happen(number, LinkBroke(peer=peer(1)))
    assert net.run(30.0, lambda: net.all_see(DEAD, 1))
    assert net.now - crashed_at < 5.2


def test_wrongly_suspected_peer_refutes_and_is_never_taken_for_dead() -> None:
    net = cluster(7, 5)
    net.is_cut = lambda source, to: to == peer(1)
    assert net.run(10.0, lambda: net.all_see(SUSPECT, 1))
    net.is_cut = lambda source, to: False
    assert net.run(5.0, lambda: net.all_see(ALIVE, 0, 1, 2, 3, 4))
    assert net.peers[peer(1)].incarnation > 1 << REFUTATION_BITS
    assert not [update for _, _, update in net.changes if update.liveness == DEAD]


def test_peer_that_only_one_other_cannot_reach_is_not_suspected() -> None:
    """The relays answer for it (SWIM, section 3.1)."""
    net = cluster(8, 5)
    net.is_cut = lambda source, to: {source, to} == {peer(0), peer(1)}
    net.run(60.0)
    assert {update.liveness for _, _, update in net.changes} == {ALIVE}


def test_cut_of_any_length_heals_within_seconds() -> None:
    net = cluster(9, 6)
    left = {peer(0), peer(1), peer(2)}
    net.is_cut = lambda source, to: (source in left) != (to in left)
    net.run(300.0)
    assert all(net.peers[peer(0)].liveness(peer(n)) == DEAD for n in (3, 4, 5))
    net.is_cut = lambda source, to: False
    assert net.run(15.0, lambda: net.all_see(ALIVE, *range(6)))


def test_frozen_peer_that_thaws_accuses_nobody_and_is_believed_again() -> None:
    net = cluster(10, 5)
    net.frozen.add(peer(1))
    assert net.run(40.0, lambda: all(m.liveness(peer(1)) == DEAD for at, m in net.peers.items() if at != peer(1)))
    net.run(30.0)
    thawed_at = net.now
    net.thaw(1)
    assert net.run(15.0, lambda: net.all_see(ALIVE, *range(5)))
    accused = [u for at, by, u in net.changes if at >= thawed_at and by == peer(1) and u.liveness == DEAD]
    assert accused == []


def test_restarted_peer_is_believed_at_its_new_incarnation_though_it_was_dead() -> None:
    net = cluster(11, 5)
    net.crash(1)
    assert net.run(30.0, lambda: net.all_see(DEAD, 1))
    reborn = net.start(1, start=2)
    assert net.run(2.0, lambda: net.all_see(ALIVE, *range(5)))
    assert {machine.members[peer(1)].incarnation for machine in net.peers.values()} == {reborn.incarnation}


def test_leaver_is_known_as_left_within_a_second_and_stays_so() -> None:
    net = cluster(12, 10)
    net.happen(1, StopRequested())
    assert net.run(1.0, lambda: net.all_see(LEFT, 1))
    net.crash(1)
    net.run(60.0)
    assert net.all_see(LEFT, 1)


def test_idle_cluster_sends_a_bounded_number_of_messages() -> None:
    net = cluster(13, 10)
    net.run(30.0)
    net.sent.clear()
    net.run(60.0)
    pings_and_acks = 2 * 60 * 10
    exchanges = 2 * 60 / 4.4 * 10
    assert len(net.sent) <= pings_and_acks + exchanges + 20


def test_two_clusters_with_one_reachable_seed_of_each_other_become_one() -> None:
    net = MemberNet(14)
    for number, seeds in ((0, ()), (1, (0,)), (2, ()), (3, (2, 0))):
        net.start(number, seeds=seeds)
    assert net.run(15.0, lambda: net.all_see(ALIVE, 0, 1, 2, 3))


def test_exchange_pauses_grow_from_quick_to_the_small_clusters_pace() -> None:
    net = cluster(15, 2)
    net.run(60.0)
    asked: list[float] = [
        at
        for at, source, _, message in net.sent
        if source == peer(1) and isinstance(message, PushPull) and message.reply_wanted
    ]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[0] < 0.5
    assert 4.4 < pauses[-1] < 5.6


@pytest.mark.parametrize("seed", range(200))
def test_members_agree_after_loss_crash_and_restart_whatever_the_seed(seed: int) -> None:
    net = MemberNet(seed, loss=0.25)
    size = 3 + seed % 4
    for number in range(size):
        net.start(number, seeds=(0, 1))
    net.run(3.0)
    victim = net.rng.randrange(size)
    net.crash(victim)
    net.run(net.rng.uniform(0.0, 15.0))
    net.start(victim, seeds=(0, 1), start=2)
    net.run(5.0)
    net.loss = 0.0
    assert net.run(40.0, lambda: _agree(net, size)), f"seed {seed}: {_views(net)}"


def _views(net: MemberNet) -> dict[PeerId, dict[PeerId, tuple[int, Liveness]]]:
    return {
        at: {other: (held.incarnation, held.liveness) for other, held in machine.members.items()}
        for at, machine in net.peers.items()
    }


def _agree(net: MemberNet, size: int) -> bool:
    views = list(_views(net).values())
    return net.all_see(ALIVE, *range(size)) and all(view == views[0] for view in views)
