"""What one peer answers as a whole: the two machines wired together."""

import random

import msgspec

from murmuration.node.effects import Post, ReplyTo
from murmuration.node.events import ClientAsked, PeerStarted
from murmuration.node.machine import Node, NodeSettings
from murmuration.node.wire.replies import JobPrepared, KeyPut, PeersShown, Refused, RingShown, Welcome
from murmuration.node.wire.requests import DescribeRing, GetKey, Hello, ListPeers, PrepareJob, PutKey
from murmuration.puppetmaster.simulation.disk import Disk
from murmuration.ring.effects import Completed, Failed, GetDone, Joined, MemberChanged, Operate
from murmuration.ring.events import HandoffDue, OperationDone, RequestDue
from murmuration.ring.facts import Dot, Liveness, Sibling, Standing, Update
from murmuration.ring.settings import RingSettings
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member
from murmuration.scheduling.effects import FindRecord
from murmuration.scheduling.settings import SchedulingSettings

ME = Member(id="a" * 32, name="A", url="tcp://a", bulk_url="bulk://a", host="h", directory="/a")


def a_node(*seeds: str) -> Node:
    settings = NodeSettings(ring=RingSettings(vnodes=64), scheduling=SchedulingSettings())
    node = Node(ME, 1 << REFUTATION_BITS, settings, random.Random(1), "1.2.3")
    for effect in node.handle(Instant(0.0), PeerStarted(seeds=seeds)):
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


def test_peer_that_has_not_joined_names_no_electorate_for_it_would_name_itself_alone() -> None:
    node = a_node("tcp://seed")
    assert replies(node, PrepareJob(job="0" * 16)) == []
    due = node.handle(Instant(9.0), RequestDue(request=next(iter(node._waiting))))
    (refused,) = [effect.reply for effect in due if isinstance(effect, ReplyTo)]
    assert isinstance(refused, Refused)
    assert "has not joined yet" in refused.reason
    (prepared,) = replies(a_node(), PrepareJob(job="0" * 16))
    assert prepared == JobPrepared(electorate=(ME.id,))


def test_electorate_counts_the_members_that_the_ring_has_learnt_of_a_moment_ago() -> None:
    node = a_node("tcp://seed")
    assert replies(node, PrepareJob(job="0" * 16)) == []
    (request,) = node._waiting
    others = [msgspec.structs.replace(ME, id=letter * 32, name=letter) for letter in "bc"]
    learnt = [MemberChanged(update=Update(other, Liveness.ALIVE, 1, standing=Standing.VALID)) for other in others]
    rounds = iter([[*learnt, Completed(request=request, answer=Joined())]])
    node.ring.handle = lambda *_: next(rounds, [])  # type: ignore[method-assign]
    (prepared,) = [effect.reply for effect in node.handle(Instant(1.0), HandoffDue()) if isinstance(effect, ReplyTo)]
    assert isinstance(prepared, JobPrepared)
    assert {other.id for other in others} <= set(prepared.electorate)


def test_record_is_said_to_be_nowhere_only_by_a_majority_of_its_homes() -> None:
    sure = GetDone(siblings=(), context={}, replicas=5, answered=3)
    unsure = GetDone(siblings=(), context={}, replicas=5, answered=2)
    found = GetDone(siblings=(Sibling(Dot("a", 1), b"record"),), context={"a": 1}, replicas=5, answered=1)
    asked = []
    for answer in (sure, unsure, found, Failed(reason="no quorum")):
        node = a_node()
        heard: list[object] = []
        node.scheduling.handle = lambda _, event, heard=heard: heard.append(event) or []  # type: ignore[method-assign]
        node._waiting["w"] = FindRecord(job="j")
        node.ring.handle = lambda *_, answer=answer: [Completed(request="w", answer=answer)]  # type: ignore[method-assign]
        node.handle(Instant(1.0), HandoffDue())
        asked += heard
    assert [(each.value, bool(each.error)) for each in asked] == [
        (None, False),
        (None, True),
        (b"record", False),
        (None, True),
    ]
