"""The whole ring machine: what it shows of itself, what stays inside, and what a cluster keeps under faults."""

from itertools import count
from random import Random

import pytest
from member_net import member, peer
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.effects import Decided, MemberChanged, Operate, PutDone, RingEffect, Send
from murmuration.ring.events import (
    DecisionRequested,
    GetRequested,
    LeaveRequested,
    OperationDone,
    PutRequested,
    Started,
)
from murmuration.ring.facts import Liveness
from murmuration.ring.machine import Ring
from murmuration.ring.operations import ReadVersions
from murmuration.ring.outcomes import MembersListed, Noted
from murmuration.ring.terms import REFUTATION_BITS, Instant, Quorum

START = Instant(0.0)


def begun(ring: Ring) -> list[RingEffect]:
    """Start a machine on an empty disk; give what it does once it has read that."""
    (read,) = ring.handle(START, Started(seeds=()))
    assert isinstance(read, Operate)
    return ring.handle(START, OperationDone(ticket=read.ticket, outcome=MembersListed(members=())))


def alone() -> Ring:
    ring = Ring(member(1), 1 << REFUTATION_BITS, SETTINGS, Random(1))
    begun(ring)
    return ring


def test_peer_asks_itself_without_a_message_leaving_it() -> None:
    ring = alone()
    event = GetRequested(request="r", key=b"key", quorum=Quorum(), patience_s=1.0)
    effects = ring.handle(START, event)
    assert [effect.operation for effect in effects if isinstance(effect, Operate)] == [ReadVersions(key=b"key")]
    assert not any(isinstance(effect, Send) for effect in effects)


def test_ring_says_of_itself_who_is_there_and_where_keys_live() -> None:
    cluster = RingCluster(3)
    ring = cluster.rings[1]
    assert set(ring.members) == {peer(0), peer(1), peer(2)}
    assert all(map(ring.alive, ring.members))
    assert not ring.alive(peer(9))
    assert sorted(ring.preference(b"key")) == [peer(0), peer(1), peer(2)]
    assert sum(ring.placement.copies().values()) == 3 * SETTINGS.vnodes


def test_ownership_follows_membership_and_never_liveness() -> None:
    cluster = RingCluster(4)
    before = cluster.rings[0].placement
    cluster.crash(3)
    assert cluster.run(60.0, lambda: cluster.rings[0].members[peer(3)].liveness is Liveness.DEAD)
    assert not cluster.rings[0].alive(peer(3))
    assert cluster.rings[0].placement is before
    cluster.happen(2, LeaveRequested())
    cluster.run(2.0)
    assert peer(2) not in cluster.rings[0].preference(b"key")


def test_changes_of_members_are_passed_on() -> None:
    ring = Ring(member(1), 1 << REFUTATION_BITS, SETTINGS, Random(1))
    effects = begun(ring)
    assert [effect.update.member for effect in effects if isinstance(effect, MemberChanged)] == [member(1)]


def test_outcome_that_nobody_waits_for_has_no_effect() -> None:
    assert alone().handle(START, OperationDone(ticket=12345, outcome=Noted())) == []


def test_tickets_of_all_parts_are_distinct() -> None:
    ring = alone()
    seen: list[int] = []
    for number in count():
        quorum, request = Quorum(), f"r{number}"
        put = PutRequested(request=request, key=b"k%d" % number, value=b"v", context={}, quorum=quorum, patience_s=1.0)
        decision = DecisionRequested(request=request, key=b"d", value=b"v", acceptors=(peer(1),))
        for event in (put, decision, GetRequested(request=request, key=b"k", quorum=quorum, patience_s=1.0)):
            seen += [effect.ticket for effect in ring.handle(START, event) if isinstance(effect, Operate)]
        if number == 5:
            break
    assert len(seen) == len(set(seen)) == 18


def test_register_is_decided_once_among_rivals() -> None:
    cluster = RingCluster(3)
    acceptors = (peer(0), peer(1), peer(2))
    for number in range(3):
        value = b"of %d" % number
        event = DecisionRequested(request=f"d{number}", key=b"seal", value=value, acceptors=acceptors)
        cluster.happen(number, event)
    cluster.run(20.0)
    decided = [answer for number in range(3) for answer in cluster.answers[f"d{number}"]]
    assert len(decided) == 3
    assert len(set(decided)) == 1
    assert isinstance(decided[0], Decided)


@pytest.mark.parametrize("seed", range(4))
def test_cut_off_half_takes_sloppy_writes_and_both_halves_agree_after_the_heal(seed: int) -> None:
    cluster = RingCluster(6, seed=seed)
    cluster.cut(4, 5)
    cluster.run(10.0)
    requests = [cluster.put(at, b"key%d" % number, b"%d" % at) for number in range(10) for at in (0, 5)]
    cluster.run(10.0)
    acknowledged = {request for request in requests if isinstance(cluster.answers[request][0], PutDone)}
    assert acknowledged == set(requests)
    cluster.heal()
    assert cluster.run(60.0, cluster.all_alive)
    cluster.run(40.0)
    for number in range(10):
        key = b"key%d" % number
        assert cluster.values(0, key) == cluster.values(5, key) == [b"0", b"5"]
        copies = [cluster.disks[home].copy_of(key) for home in cluster.order(key)[:3]]
        assert copies[0] == copies[1] == copies[2]
