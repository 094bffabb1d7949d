"""What a peer does with copies that others ask it to keep."""

from itertools import count

import pytest

from murmuration.ring.copies.serving import Serving
from murmuration.ring.effects import Operate, PullChunk
from murmuration.ring.events import ChunkPulled, MessageReceived
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.messages import StoreChunk, StoreVersions
from murmuration.ring.operations import MergeVersions, NoteChunk
from murmuration.ring.terms import PeerId, Source

ME, OTHER, ABSENT = PeerId("a" * 32), PeerId("b" * 32), PeerId("c" * 32)
VERSIONS = Versions(seen={"x": 1}, siblings=(Sibling(Dot("x", 1), b"v"),))


@pytest.mark.parametrize(("target", "kept_for"), [(ABSENT, ABSENT), (ME, None), (None, None)])
def test_versions_are_kept_with_a_hint_unless_the_absent_peer_is_this_one(target, kept_for) -> None:
    serving = Serving(me=ME, tickets=count(1), asked_max=10)
    message = StoreVersions(request="r", key=b"k", versions=VERSIONS, hint_for=target)
    (effect,) = serving.handle(MessageReceived(sender=OTHER, message=message))
    assert effect == Operate(ticket=1, operation=MergeVersions(key=b"k", versions=VERSIONS, hint_for=kept_for))


@pytest.mark.parametrize(("target", "kept_for"), [(ABSENT, ABSENT), (ME, None), (None, None)])
def test_chunk_is_noted_with_a_hint_unless_the_absent_peer_is_this_one(target, kept_for) -> None:
    serving = Serving(me=ME, tickets=count(1), asked_max=10)
    source = Source(url="tcp://s", ref="share/1")
    message = StoreChunk(request="r", digest=b"d" * 32, size=1, source=source, hint_for=target)
    (pull,) = serving.handle(MessageReceived(sender=OTHER, message=message))
    assert isinstance(pull, PullChunk)
    (effect,) = serving.handle(ChunkPulled(ticket=pull.ticket, error=""))
    assert effect == Operate(ticket=2, operation=NoteChunk(digest=b"d" * 32, size=1, hint_for=kept_for))
