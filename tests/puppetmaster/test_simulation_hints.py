"""S10 is judged by what lies on the disks: a hint stands in for an absent primary until that knows what it is of."""

import pytest

from murmuration.node.wire.replies import KeyPut
from murmuration.node.wire.requests import PutKey
from murmuration.puppetmaster.faults import Crash, Leave, Remove, Restart, SetDisk, Swap
from murmuration.puppetmaster.faults import DiskState as State
from murmuration.puppetmaster.simulation.check_hints import Hinted
from murmuration.puppetmaster.simulation.cluster import Cluster
from murmuration.puppetmaster.simulation.injuries import inject
from murmuration.puppetmaster.simulation.nemesis import Planned
from murmuration.puppetmaster.simulation.plan import Plan
from murmuration.puppetmaster.simulation.schedule import SETTINGS

KEY = b"key/1"


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster("ABCDE", SETTINGS, seed=1)
    cluster.start()
    assert cluster.run_until(lambda: cluster.agreed() and cluster.at_rest(), 10.0)
    return cluster


def absent_primary(cluster: Cluster) -> str:
    """Kill a primary of the key and write it; give its name."""
    names = {cluster.member(name).id: name for name in cluster.disks}
    first, *_, last = (names[peer] for peer in cluster.running["A"].node.ring.preference(KEY)[:3])
    inject(cluster, Crash(peer=last))
    request = cluster.ask(first, PutKey(key=KEY, value=b"v", context={}))
    assert cluster.run_until(lambda: request in cluster.replies, cluster.timeline.now + 10.0)
    assert isinstance(cluster.replies[request], KeyPut)
    return last


def watch(cluster: Cluster, watcher: Hinted, seconds: float) -> list[str]:
    ends = cluster.timeline.now + seconds
    cluster.repeat(watcher.look, cluster.timeline.now, 0.25, until=lambda: cluster.timeline.now >= ends)
    cluster.run_until(lambda: False, ends)
    return list(cluster.witness.violations)


def drop_hints(cluster: Cluster) -> None:
    for disk in cluster.disks.values():
        for row in [row for row in disk.order if row.startswith(b"h/")]:
            del disk.rows[row]
            disk.order.remove(row)


def test_write_whose_absent_primary_is_hinted_keeps_s10_until_it_is_back(cluster: Cluster) -> None:
    watcher, absent = Hinted(cluster), absent_primary(cluster)
    assert watch(cluster, watcher, 10.0) == []
    inject(cluster, Restart(peer=absent))
    assert watch(cluster, watcher, 10.0) == []
    assert not [row for disk in cluster.disks.values() for row in disk.order if row.startswith(b"h/")]


def test_hint_that_is_gone_before_its_target_is_back_breaks_s10(cluster: Cluster) -> None:
    watcher = Hinted(cluster)
    absent = absent_primary(cluster)
    assert watch(cluster, watcher, 2.0) == []
    drop_hints(cluster)
    assert f"that {absent} does not know" in watch(cluster, watcher, 0.5)[0]


def test_absent_primary_without_a_hint_breaks_s10_after_a_while(cluster: Cluster) -> None:
    absent = absent_primary(cluster)
    cluster.run_until(lambda: False, cluster.timeline.now + 2.0)
    drop_hints(cluster)
    assert watch(cluster, Hinted(cluster), 10.0)[0].startswith(f"S10: {absent} lacks b'v'")


def test_hints_are_watched_only_where_every_member_keeps_its_disk() -> None:
    assert Plan(seed=1, faults=(Planned(3.0, Crash(peer="A")), Planned(4.0, Restart(peer="A")))).keeps_hints
    for fault in (
        Leave(peer="A"),
        Remove(peer="A"),
        Restart(peer="A", empty=True),
        SetDisk(peer="A", state=State.FULL),
        Swap(peer="A", other="B"),
    ):
        assert not Plan(seed=1, faults=(Planned(3.0, fault),)).keeps_hints
