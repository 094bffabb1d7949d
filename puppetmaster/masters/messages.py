"""Spell what one puppet master asks of another, and what that answers: msgpack in frames of the control transport."""

from typing import Annotated

from msgspec import Meta, Struct

from ...node.gate.orders import Answer as GateAnswer
from ...node.gate.orders import Condition, Order, Share
from ...ring.terms import Name, Url
from ..faults import Damage
from .spoiling import NAME_CHARACTERS_MAX, NAMES_MAX

PeerName = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,128}$")]
"""As scripts may spell it: it becomes the name of a directory, too."""


class Ask(Struct, frozen=True, array_like=True, tag=True):
    """Root of what is asked; the tag is the class name."""


class StartPeer(Ask, frozen=True, array_like=True, tag=True):
    """Start a peer, or a dead one again."""

    name: PeerName
    listen: Url
    join: Annotated[tuple[Url, ...], Meta(max_length=16)]
    empty: bool
    old: bool


class EndPeer(Ask, frozen=True, array_like=True, tag=True):
    """End a peer at once, or have it leave."""

    name: PeerName
    graceful: bool


class FreezePeer(Ask, frozen=True, array_like=True, tag=True):
    """Stop a peer and its executors, or let them go on."""

    name: PeerName
    frozen: bool


class SnapshotPeer(Ask, frozen=True, array_like=True, tag=True):
    """Copy the directory of a peer that is dead or frozen."""

    name: PeerName


class SpoilPeer(Ask, frozen=True, array_like=True, tag=True):
    """Damage a share of what a peer keeps that is dead or frozen; answered by `PeerSpoiled`."""

    name: PeerName
    damage: Damage
    share: Share


class SwapPeers(Ask, frozen=True, array_like=True, tag=True):
    """Exchange the directories of two dead peers."""

    name: PeerName
    other: PeerName


class OrderGate(Ask, frozen=True, array_like=True, tag=True):
    """Pass an order on to the gate of a peer; answered by `GateAnswered`."""

    name: PeerName
    order: Order


class ViewPeers(Ask, frozen=True, array_like=True, tag=True):
    """Show all peers; answered by `PeersViewed`."""


class EndAll(Ask, frozen=True, array_like=True, tag=True):
    """End all peers."""


Asked = StartPeer | EndPeer | FreezePeer | SnapshotPeer | SpoilPeer | SwapPeers | OrderGate | ViewPeers | EndAll


class Told(Struct, frozen=True, array_like=True, tag=True):
    """Root of what is answered; the tag is the class name."""


class CarriedOut(Told, frozen=True, array_like=True, tag=True):
    """It is done."""


class NotDone(Told, frozen=True, array_like=True, tag=True):
    """It is not done; `blame` is whose fault that is: `caller`, `remote` or `world`."""

    blame: Name
    reason: Annotated[str, Meta(max_length=8192)]


class PeerSpoiled(Told, frozen=True, array_like=True, tag=True):
    """What was hit: how much in all, and the names of some."""

    count: Annotated[int, Meta(ge=0)]
    names: Annotated[tuple[Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)], ...], Meta(max_length=NAMES_MAX)]


class GateAnswered(Told, frozen=True, array_like=True, tag=True):
    """What the gate answered."""

    answer: GateAnswer


class ViewedPeer(Struct, frozen=True, array_like=True):
    """One peer; `liveliness` is as `puppet.Liveliness` spells it."""

    name: PeerName
    url: Url
    pid: int
    liveliness: Annotated[str, Meta(pattern="^(starting|running|frozen|ended)$")]
    condition: Condition | None


class PeersViewed(Told, frozen=True, array_like=True, tag=True):
    """All peers of a puppet master."""

    peers: Annotated[tuple[ViewedPeer, ...], Meta(max_length=4096)]


Answered = CarriedOut | NotDone | PeerSpoiled | GateAnswered | PeersViewed


class Question(Struct, frozen=True, array_like=True):
    """A frame to a puppet master; an answer names its question, so that a late one is told from the right one."""

    number: int
    asked: Asked


class Reply(Struct, frozen=True, array_like=True):
    """A frame back."""

    number: int
    answered: Answered
