"""Play the client of strict quorums: write and read a few registers, and note when each began and was answered.

Only primaries count in a strict quorum, and R + W > N: so two quorums meet, as long as all mean the same primaries.
Membership must therefore be static, and no disk may be lost; the client waits until every peer knows every other.
"""

import random
from dataclasses import dataclass, field

from ...node.wire.replies import KeyGot, KeyPut
from ...node.wire.requests import GetKey, PutKey
from ...ring.facts import Context
from ...ring.terms import Quorum
from .cluster import Cluster

STRICT = Quorum(replicas=3, reads_required=2, writes_required=2, strict=True)
REGISTERS = 2
READ_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Wrote:
    """A write that was acknowledged at `acknowledged_at`."""

    key: bytes
    value: bytes
    acknowledged_at: float


@dataclass(frozen=True, slots=True)
class Saw:
    """A read that began at `asked_at`; `context` covers all that it saw."""

    key: bytes
    asked_at: float
    context: Context


@dataclass(slots=True)
class RegisterWorkload:
    """Writes of distinct values and reads, through any peer."""

    cluster: Cluster
    rng: random.Random
    writes: list[Wrote] = field(default_factory=list)
    reads: list[Saw] = field(default_factory=list)
    _asked: dict[str, tuple[bytes, bytes | None, float]] = field(default_factory=dict)
    """All questions: key, value to write or None to read, and when it was asked."""
    _contexts: dict[bytes, Context] = field(default_factory=dict)

    def step(self) -> None:
        """Take in replies and ask one more question, once all peers know each other."""
        self.take_replies()
        processes = self.cluster.running.values()
        if any(len(process.node.ring.members) < len(self.cluster.disks) for process in processes):
            return
        key = b"register/%d" % self.rng.randrange(REGISTERS)
        value = None if self.rng.random() < READ_SHARE else b"written-%d" % len(self._asked)
        peer = self.rng.choice(sorted(self.cluster.disks))
        if value is None:
            request = self.cluster.ask(peer, GetKey(key=key, quorum=STRICT))
        else:
            context = self._contexts.get(key, {})
            request = self.cluster.ask(peer, PutKey(key=key, value=value, context=context, quorum=STRICT))
        self._asked[request] = (key, value, self.cluster.timeline.now)

    def take_replies(self) -> None:
        """Take in what peers have answered since; what was refused tells nothing."""
        for request, (key, value, asked_at) in self._asked.items():
            match self.cluster.replies.pop(request, None):
                case KeyPut(context=context):
                    assert value is not None
                    self.writes.append(Wrote(key, value, self.cluster.timeline.now))
                    self._contexts[key] = context
                case KeyGot(context=context):
                    self.reads.append(Saw(key, asked_at, context))
                    self._contexts[key] = context
                case _:
                    pass
