"""What peers tell of themselves: who has something to send for a move says how much, and who is silent is left out."""

import pytest

from murmuration.client import measuring
from murmuration.client.measuring import moves_of_all
from murmuration.node.wire.replies import MoveForeseen, PeerView
from murmuration.node.wire.requests import PlanJoin, PlanMove
from murmuration.ring.errors import Unreachable
from murmuration.ring.facts import Liveness, Standing
from murmuration.ring.terms import Member


def view(name: str, standing: Standing = Standing.VALID, liveness: Liveness = Liveness.ALIVE) -> PeerView:
    member = Member(id=name * 32, name=name, url=f"tcp://{name}", bulk_url="tcp://b", host="h", directory="/d")
    return PeerView(member=member, liveness=liveness, incarnation=0, standing=standing, epoch=1)


class Cluster:
    """Stands in for connections: every peer foresees 100 bytes for a leave and 7 for a join; "c" is silent."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []

    def __call__(self, urls, **_):
        self.url = urls[0]
        return Connection(self, urls[0])


class Connection:
    def __init__(self, cluster, url):
        self.cluster, self.url = cluster, url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, question, _):
        if self.url == "tcp://c":
            raise Unreachable("silent")
        self.cluster.asked.append((self.url, question))
        size = 100 if isinstance(question, PlanMove) else 7
        return MoveForeseen(vnodes=1, keys=1, chunks=0, bytes=size, zone_violations=0)


@pytest.fixture
def cluster(monkeypatch):
    found = Cluster()
    monkeypatch.setattr(measuring, "Connection", found)
    return found


def test_bytes_to_move_are_the_sum_over_all_who_join_or_leave(cluster):
    views = [view("a"), view("b", Standing.LEAVING), view("d", Standing.JOINING), view("c")]
    found = moves_of_all(views)
    assert {peer[0]: values["transfer.to_move_bytes"] for peer, values in found.items()} == {
        "a": 107,
        "b": 107,
        "d": 107,
    }
    assert {type(question) for _, question in cluster.asked} == {PlanMove, PlanJoin}


def test_nothing_is_to_move_where_nobody_joins_or_leaves_and_no_keys_are_gone_through(cluster):
    found = moves_of_all([view("a"), view("b", Standing.REMOVED, Liveness.LEFT)])
    assert found == {"a" * 32: {"transfer.to_move_bytes": 0}}
    assert cluster.asked == []
