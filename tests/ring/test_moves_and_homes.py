"""Joining while others move, are out of reach or are removed: who becomes a home has what homes had acknowledged."""

from dataclasses import replace
from itertools import count

from member_net import peer
from ring_cluster import ALL, SETTINGS, RingCluster

from murmuration.ring.effects import Failed, PutDone
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.events import RemoveRequested
from murmuration.ring.facts import Standing
from murmuration.ring.messages import RingMessage, ServiceDone
from murmuration.ring.operations import DropCopy
from murmuration.ring.placement.rendezvous import Home, Placement, place
from murmuration.ring.terms import Quorum

BUSY = replace(SETTINGS, entropy=EntropySettings(exchange_s=1.0, hurry_s=0.5))
STRICT = Quorum(strict=True)


def placed(*numbers: int) -> Placement:
    return place(frozenset(Home(id=peer(number)) for number in numbers), SETTINGS.vnodes, 3)


def primaries(placement: Placement, key: bytes) -> set[int]:
    return {int(home, 16) for home in placement.preference(key)[:3]}


def standing(cluster: RingCluster, at: int, of: int) -> Standing:
    return cluster.rings[at].members[peer(of)].standing


def is_lost_from_0(source: int, _to: int, message: RingMessage) -> bool:
    """Let home 0 be slow to say that it is through."""
    return source == 0 and isinstance(message, ServiceDone)


def test_newcomer_keeps_what_any_order_of_the_moves_makes_its_own() -> None:
    cluster = RingCluster(4, settings=BUSY)
    names = (b"key%d" % number for number in count())
    sole, both = placed(0, 1, 2, 3, 4), placed(0, 1, 2, 3, 4, 5)
    wanted = (key for key in names if 4 in primaries(sole, key) and 4 not in primaries(both, key))
    keys = [next(wanted) for _ in range(6)]
    for key in keys:
        cluster.must_put(0, key, b"value")
    cluster.is_lost = is_lost_from_0
    cluster.start(4)
    cluster.start(5)
    cluster.run(6.0)
    assert [key for key in keys if not cluster.live_values(4, key)] == []
    assert not [at for _, at, operation in cluster.operated if at == 4 and isinstance(operation, DropCopy)]


def test_part_of_a_cut_without_a_majority_of_homes_takes_nobody_in() -> None:
    cluster = RingCluster(3)
    key = next(key for key in (b"key%d" % n for n in count()) if {0, 3} <= primaries(placed(0, 1, 2, 3), key))
    cluster.must_put(1, key, b"old")
    cluster.run(2.0)
    cluster.cut(0, 3)
    context = cluster.must_get(1, key).context
    assert isinstance(cluster.answer(cluster.put(1, key, b"new", context, quorum=STRICT)), PutDone)
    cluster.start(3)
    cluster.run(40.0)
    assert standing(cluster, 0, 3) is Standing.JOINING
    assert isinstance(cluster.answer(cluster.get(3, key, quorum=STRICT)), Failed)
    cluster.heal()
    assert cluster.run(40.0, lambda: all(standing(cluster, at, 3) is Standing.VALID for at in cluster.rings))
    assert b"new" in [sibling.value for sibling in cluster.must_get(3, key, STRICT).siblings]


def test_one_dead_home_of_five_keeps_nobody_from_joining_and_two_do_until_they_are_removed() -> None:
    cluster = RingCluster(5)
    cluster.must_put(0, b"key", b"value")
    cluster.crash(4)
    assert cluster.run(60.0, lambda: cluster.knows_dead(4))
    cluster.start(5)
    assert cluster.run(10.0, lambda: standing(cluster, 5, 5) is Standing.VALID)
    cluster.crash(3)
    assert cluster.run(60.0, lambda: cluster.knows_dead(3))
    cluster.start(6)
    cluster.run(20.0)
    assert standing(cluster, 6, 6) is Standing.JOINING
    cluster.happen(0, RemoveRequested(request="remove", peer=peer(4)))
    assert cluster.run(10.0, lambda: standing(cluster, 6, 6) is Standing.VALID)


def test_newcomer_is_served_anew_where_a_removal_gives_it_more_to_keep() -> None:
    cluster = RingCluster(6)
    keys = [b"key%d" % number for number in range(150)]
    for key in keys:
        assert isinstance(cluster.answer(cluster.put(0, key, b"value", quorum=ALL)), PutDone)
    for number in (4, 5):
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, (4, 5))))
    cluster.is_lost = is_lost_from_0
    cluster.start(10)
    cluster.run(6.0)
    for number in (4, 5):
        cluster.happen(1, RemoveRequested(request=f"remove {number}", peer=peer(number)))
    cluster.heal()
    cluster.sent.clear()
    assert cluster.run(20.0, lambda: standing(cluster, 1, 10) is Standing.VALID)
    assert {source for _, source, _, message in cluster.sent if isinstance(message, ServiceDone)} == {0, 1, 2, 3}
    own = [key for key in keys if peer(10) in cluster.rings[1].preference(key)[:3]]
    assert own
    assert [key for key in own if not cluster.live_values(10, key)] == []
