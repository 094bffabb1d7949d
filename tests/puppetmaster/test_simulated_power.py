"""Power cuts: by default nothing acknowledged is lost; a relaxed disk may lose the last second, and no more."""

import pytest

from murmuration.node.wire.replies import KeyGot, KeyPut
from murmuration.node.wire.requests import GetKey, PutKey
from murmuration.puppetmaster.faults import Crash, Restart
from murmuration.puppetmaster.simulation.cluster import Cluster
from murmuration.puppetmaster.simulation.injuries import inject
from murmuration.puppetmaster.simulation.schedule import SETTINGS
from murmuration.ring.terms import Quorum

NAMES = ("A", "B", "C", "D", "E")


def cluster_of(*, relaxed):
    cluster = Cluster(NAMES, SETTINGS, seed=3)
    for disk in cluster.disks.values():
        disk.relaxed = relaxed
    cluster.start()
    assert cluster.run_until(cluster.agreed, 10.0)
    pass_time(cluster, 20.0)
    return cluster


def pass_time(cluster, seconds):
    cluster.run_until(lambda: False, cluster.timeline.now + seconds)


def put(cluster, key):
    request = cluster.ask("A", PutKey(key=key, value=b"value", quorum=Quorum(writes_required=3)))
    cluster.run_until(lambda: request in cluster.replies, cluster.timeline.now + 10.0)
    assert isinstance(cluster.replies[request], KeyPut)


def values(cluster, key):
    request = cluster.ask("B", GetKey(key=key))
    cluster.run_until(lambda: request in cluster.replies, cluster.timeline.now + 10.0)
    got = cluster.replies[request]
    assert isinstance(got, KeyGot)
    return got.values


def cut_power_of_all(cluster):
    for name in NAMES:
        inject(cluster, Crash(peer=name))
        cluster.disks[name].cut_power()
    for name in NAMES:
        inject(cluster, Restart(peer=name))
    assert cluster.run_until(cluster.agreed, cluster.timeline.now + 60.0)


@pytest.mark.parametrize("relaxed", [False, True])
def test_power_cut_of_all_peers_takes_no_write_older_than_a_second(relaxed):
    cluster = cluster_of(relaxed=relaxed)
    put(cluster, b"old")
    pass_time(cluster, 1.5)
    cut_power_of_all(cluster)
    assert values(cluster, b"old") == (b"value",)


def test_power_cut_right_after_an_acknowledgement_takes_nothing_by_default():
    cluster = cluster_of(relaxed=False)
    put(cluster, b"new")
    cut_power_of_all(cluster)
    assert values(cluster, b"new") == (b"value",)


def test_power_cut_may_take_the_last_second_of_relaxed_disks():
    cluster = cluster_of(relaxed=True)
    put(cluster, b"new")
    cut_power_of_all(cluster)
    assert values(cluster, b"new") == ()
