"""Listing while members come and go: still no key twice, none deleted and none left out."""

import pytest
from ring_cluster import RingCluster

from murmuration.ring.effects import KeysDone

PAGE = 7


def page(cluster: RingCluster, at: int, after: bytes) -> KeysDone:
    """Ask for a page until it is given, as a client does; a peer that dies meanwhile costs one try."""
    for _ in range(5):
        answer = cluster.answer(cluster.keys(at, b"key", after, PAGE))
        if isinstance(answer, KeysDone):
            return answer
    raise AssertionError("no page in five tries")


@pytest.mark.parametrize("seed", range(4))
def test_pages_stay_exact_while_peers_die_come_back_and_join(seed: int) -> None:
    cluster = RingCluster(5, seed=seed)
    live = []
    for number in range(40):
        key = b"key%02d" % number
        context = cluster.must_put(0, key, b"value").context
        if number % 4 == 3:
            cluster.must_put(0, key, None, context)
        else:
            live.append(key)
    cluster.run(2.0)
    cluster.loss, cluster.doubling = 0.02, 0.05
    events = [lambda: cluster.crash(4), lambda: cluster.start(5), lambda: cluster.restart(4), lambda: cluster.crash(3)]
    found: list[bytes] = []
    more = True
    while more:
        if events:
            events.pop(0)()
        given = page(cluster, cluster.rng.choice([0, 1, 2]), found[-1] if found else b"")
        found += given.keys
        more = given.more
    assert found == live
