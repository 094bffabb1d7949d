"""A peer that was removed is told so where it is, not only where it was."""

from member_net import member
from msgspec.structs import replace as changed

from murmuration.ring.effects import Send, SendTo
from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.membership.banishing import word_to_removed
from murmuration.ring.messages import Gossip, Ping, PushPull
from murmuration.ring.terms import PeerId

REMOVED = Update(member=member(1), liveness=Liveness.LEFT, incarnation=1, standing=Standing.REMOVED, epoch=2)


def test_removed_peer_that_is_started_at_another_address_is_told_there() -> None:
    moved = changed(member(1), url="tcp://127.0.0.1:40000")
    claim = Update(member=moved, liveness=Liveness.ALIVE, incarnation=9)
    told = word_to_removed(REMOVED, PushPull(vnodes=1024, members=(claim,), reply_wanted=True))
    assert told == SendTo(url=moved.url, message=Gossip(news=(REMOVED,)))


def test_removed_peer_that_speaks_of_other_things_is_told_at_its_address() -> None:
    told = word_to_removed(REMOVED, Ping(sequence=1, target=PeerId(member(2).id), news=()))
    assert told == Send(to=PeerId(member(1).id), message=Gossip(news=(REMOVED,)))
