"""Play the client of the store: put, read and delete a few keys, and note what was acknowledged."""

import random
from dataclasses import dataclass, field

from ...node.wire.replies import KeyGot, KeyPut, Refused
from ...node.wire.requests import GetKey, PutKey
from ...ring.facts import Context
from ...ring.terms import Quorum
from .cluster import Cluster

KEYS = 5
READ_SHARE = 0.3
DELETE_SHARE = 0.2
CONTEXT_SHARE = 0.7
"""Such a share of the writes knows what was there; the others make siblings."""


@dataclass(slots=True)
class Written:
    """A write that a client sent with a context; its `value` is None for a delete."""

    key: bytes
    value: bytes | None
    context: Context
    is_acknowledged: bool = False


@dataclass(slots=True)
class StoreWorkload:
    """Puts of distinct values and deletes on a few keys, some with the context of an earlier one."""

    cluster: Cluster
    rng: random.Random
    puts: int
    written: dict[str, Written] = field(default_factory=dict)
    read: list[tuple[bytes, KeyGot]] = field(default_factory=list)
    _reads: dict[str, bytes] = field(default_factory=dict)
    _contexts: dict[bytes, Context] = field(default_factory=dict)

    @property
    def acknowledged(self) -> list[Written]:
        """List the writes whose success was reported."""
        return [written for written in self.written.values() if written.is_acknowledged]

    @property
    def keys(self) -> list[bytes]:
        """List the keys that were written."""
        return sorted({written.key for written in self.written.values()})

    def step(self) -> None:
        """Take in replies and send one more question."""
        self.take_replies()
        key = b"key/%d" % self.rng.randrange(KEYS)
        if self.rng.random() < READ_SHARE:
            self.ask_for(key)
        elif len(self.written) < self.puts:
            self._write(key)

    def ask_for(self, key: bytes) -> None:
        """Read a key through some peer that the client believes in."""
        peer = self.rng.choice(sorted(self.cluster.disks))
        self._reads[self.cluster.ask(peer, GetKey(key=key))] = key

    def _write(self, key: bytes) -> None:
        context = self._contexts.get(key, {}) if self.rng.random() < CONTEXT_SHARE else {}
        is_delete = bool(context) and self.rng.random() < DELETE_SHARE
        value = None if is_delete else b"value-%d" % len(self.written)
        peer = self.rng.choice(sorted(self.cluster.disks))
        request = self.cluster.ask(peer, PutKey(key=key, value=value, context=context, quorum=Quorum()))
        self.written[request] = Written(key, value, context)

    def take_replies(self) -> None:
        """Take in what peers have answered since."""
        for request, written in self.written.items():
            reply = self.cluster.replies.pop(request, None)
            if isinstance(reply, KeyPut):
                written.is_acknowledged = True
                self._check_copies(written, reply)
                self._contexts[written.key] = reply.context
                if written.value is None:
                    self.cluster.witness.note("key deleted")
            elif isinstance(reply, Refused):
                self.cluster.witness.note("write unknown")
        for request, key in list(self._reads.items()):
            self._take_read(request, key)

    def _check_copies(self, written: Written, reply: KeyPut) -> None:
        """Hold a success to what it says of itself (S1): W copies at homes of now, or at who stands in for them."""
        copies, wanted = reply.primaries + reply.fallbacks, min(Quorum().writes_required, reply.replicas)
        if copies < wanted:
            what = f"{written.value!r} at {written.key!r}"
            self.cluster.witness.accuse(f"S1: {what} was acknowledged with {copies} of {wanted} copies")

    def _take_read(self, request: str, key: bytes) -> None:
        reply = self.cluster.replies.pop(request, None)
        if reply is None:
            return
        del self._reads[request]
        if isinstance(reply, KeyGot):
            self.read.append((key, reply))
            self._contexts[key] = reply.context
            if len(reply.values) > 1:
                self.cluster.witness.note("siblings read")
            if len(reply.values) > 2:
                self.cluster.witness.note("three siblings read")
        else:
            self.cluster.witness.note("read failed")
