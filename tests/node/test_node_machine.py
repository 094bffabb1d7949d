"""What one peer answers as a whole: the two machines wired together."""

import random

from murmuration.node.effects import Post, ReplyTo
from murmuration.node.events import ClientAsked, PeerStarted
from murmuration.node.machine import Node, NodeSettings
from murmuration.node.wire.requests import (
    DescribeRing,
    GetKey,
    Hello,
    KeyPut,
    ListPeers,
    PeersShown,
    PutKey,
    RingShown,
    Welcome,
)
from murmuration.puppetmaster.simulation.disk import Disk
from murmuration.ring.effects import Operate
from murmuration.ring.events import OperationDone
from murmuration.ring.machine import RingSettings
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member
from murmuration.scheduling.settings import SchedulingSettings

ME = Member(id="a" * 32, name="A", url="tcp://a", bulk_url="bulk://a", host="h", directory="/a")


def a_node() -> Node:
    settings = NodeSettings(ring=RingSettings(vnodes=64), scheduling=SchedulingSettings())
    node = Node(ME, 1 << REFUTATION_BITS, settings, random.Random(1), "1.2.3")
    for effect in node.handle(Instant(0.0), PeerStarted(seeds=())):
        if isinstance(effect, Operate):
            outcome = Disk().operate(effect.operation)
            node.handle(Instant(0.0), OperationDone(ticket=effect.ticket, outcome=outcome))
    return node


def replies(node: Node, question, disk: Disk | None = None) -> list:
    """Ask, and serve the store until a reply comes out."""
    disk = disk or Disk()
    todo = list(node.handle(Instant(1.0), ClientAsked(route=b"r", request="q", question=question)))
    found = []
    while todo:
        effect = todo.pop(0)
        if isinstance(effect, Operate):
            outcome = disk.operate(effect.operation)
            todo += node.handle(Instant(1.0), OperationDone(ticket=effect.ticket, outcome=outcome))
        elif isinstance(effect, ReplyTo):
            assert (effect.route, effect.request) == (b"r", "q")
            found.append(effect.reply)
        else:
            assert not isinstance(effect, Post), "a lone peer has nobody to write to"
    return found


def test_hello_is_answered_with_the_peer_itself_and_its_version() -> None:
    assert replies(a_node(), Hello()) == [Welcome(member=ME, version="1.2.3", urls=("tcp://a",))]


def test_peers_of_a_lone_peer_are_itself() -> None:
    (reply,) = replies(a_node(), ListPeers())
    assert isinstance(reply, PeersShown)
    assert [view.member for view in reply.peers] == [ME]


def test_ring_of_a_key_names_its_homes_best_first() -> None:
    (reply,) = replies(a_node(), DescribeRing(key=b"k"))
    assert isinstance(reply, RingShown)
    assert (reply.primaries, reply.preference) == (("A",), (ME.id,))


def test_put_and_get_at_a_lone_peer_say_that_one_replica_was_reached() -> None:
    node, disk = a_node(), Disk()
    (put,) = replies(node, PutKey(key=b"k", value=b"v"), disk)
    assert isinstance(put, KeyPut)
    assert (put.replicas, put.primaries, put.fallbacks) == (1, 1, 0)
    (got,) = replies(node, GetKey(key=b"k"), disk)
    assert got.values == (b"v",)
    assert got.context == put.context
