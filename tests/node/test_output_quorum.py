"""The manifest of a job's output is kept and looked for as all system records are: any two homes may be gone."""

import random

from murmuration.node.machine import Node, NodeSettings
from murmuration.ring.settings import RingSettings
from murmuration.ring.terms import RECORD_QUORUM, REFUTATION_BITS, Member
from murmuration.scheduling.effects import FindOutput
from murmuration.scheduling.settings import SchedulingSettings


def test_output_is_looked_for_at_as_many_homes_as_it_is_stored_at():
    """Else a found job would wait for its output while two of three homes are down, though five have copies."""
    me = Member(id="a" * 32, name="A", url="tcp://A", bulk_url="bulk://A", host="A", directory="/A")
    settings = NodeSettings(ring=RingSettings(vnodes=64), scheduling=SchedulingSettings())
    node = Node(me, 1 << REFUTATION_BITS, settings, random.Random(0))
    event = node._ring_event(FindOutput(job="j", key=b"fs/out"))
    assert event.quorum == RECORD_QUORUM
    assert settings.scheduling.record_replicas == RECORD_QUORUM.replicas
