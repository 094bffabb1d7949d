"""Answer what a peer knows without asking anybody: who is there, how keys are placed, and where chunks may be had."""

from typing import assert_never

from ..ring.facts import Liveness
from ..ring.machine import Ring
from ..ring.terms import Member, PeerId, Source
from ..scheduling.machine import Scheduling
from ..scheduling.status import Condition
from .inputs import chunk_source
from .knocks import Knocks
from .moves import moving, peer_view
from .wire.replies import ChunkAt, ClientReply, PeersShown, RingShown, Welcome
from .wire.requests import DescribeRing, Hello, ListPeers, LocateChunk


class Lookup:
    """Looks things up, mostly in the storage half."""

    def __init__(
        self, me: Member, version: str, ring: Ring, scheduling: Scheduling, knocks: Knocks, replicas: int
    ) -> None:
        self._me = me
        self._version = version
        self._ring = ring
        self._scheduling = scheduling
        self._knocks = knocks
        self._replicas = replicas

    def answer(self, question: Hello | LocateChunk | ListPeers | DescribeRing) -> ClientReply:
        """Answer a question."""
        match question:
            case Hello():
                return Welcome(member=self._me, version=self._version, urls=self._urls())
            case LocateChunk(digest=digest):
                return ChunkAt(sources=tuple(chunk_source(m, digest) for m in self.holders(digest))[:64])
            case ListPeers():
                return self._peers_shown()
            case DescribeRing(key=key):
                return self._ring_shown(key)
            case _:
                assert_never(question)

    def _peers_shown(self) -> PeersShown:
        members, slow = self._ring.members, self._scheduling.slow_peers
        silent = {peer: self._knocks.condition(update, members) for peer, update in members.items()}
        return PeersShown(
            peers=tuple(
                peer_view(update, Condition.SLOW if peer in slow else silent[peer]) for peer, update in members.items()
            )
        )

    def _urls(self) -> tuple[str, ...]:
        return tuple(u.member.url for u in self._ring.members.values() if u.liveness is Liveness.ALIVE)

    def _ring_shown(self, key: bytes) -> RingShown:
        placement = self._ring.placement
        names = {peer: update.member.name for peer, update in self._ring.members.items()}
        copies = {names[peer]: number for peer, number in placement.copies().items()}
        if not key:
            passing = moving(self._ring.progress, self._ring.votes_owed)
            return RingShown(vnodes=placement.vnodes, replicas=self._replicas, copies=copies, moving=passing)
        preference = self._ring.preference(key)
        titles = tuple(names[peer] for peer in preference)
        return RingShown(
            vnodes=placement.vnodes,
            replicas=self._replicas,
            copies=copies,
            vnode=placement.vnode_of(key),
            primaries=titles[: self._replicas],
            fallbacks=titles[self._replicas :],
            preference=preference,
        )

    def holders(self, digest: bytes) -> list[Member]:
        """List who may hold a chunk: this peer first if it is a home, then the living in order of preference."""
        preference = self._ring.preference(b"chunk/" + digest)
        mine = PeerId(self._me.id)
        homes = preference[: self._replicas]
        ordered = ([mine] if mine in homes else []) + [peer for peer in preference if peer != mine]
        ordered.sort(key=lambda peer: not self._ring.alive(peer))
        if mine not in homes:
            ordered.append(mine)
        return [self._ring.members[peer].member for peer in ordered]

    def elsewhere(self, digest: bytes) -> tuple[Source, ...]:
        """List the places of a chunk at other peers."""
        others = (member for member in self.holders(digest) if member.id != self._me.id)
        return tuple(chunk_source(member, digest) for member in others)
