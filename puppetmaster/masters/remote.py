"""Ask a puppet master of another machine, as one asks that of this machine."""

import time
from dataclasses import replace
from itertools import count
from typing import TypeVar

import msgspec

from ...client.cluster import START_PATIENCE_S
from ...client.dealers import Dealers
from ...node.gate.orders import Answer, Order
from ...ring.errors import CallerError, MurmurationError, RemoteError, Unreachable, WorldError
from ..faults import Damage
from .master import PuppetView
from .messages import (
    Answered,
    Asked,
    CarriedOut,
    EndAll,
    EndPeer,
    FreezePeer,
    GateAnswered,
    NotDone,
    OrderGate,
    PeerSpoiled,
    PeersViewed,
    Question,
    Reply,
    SnapshotPeer,
    SpoilPeer,
    StartPeer,
    SwapPeers,
    ViewedPeer,
    ViewPeers,
)
from .puppet import Liveliness
from .spoiling import Spoiled

PATIENCE_S = START_PATIENCE_S + 10.0
"""Starting a peer takes longest; whoever listens answers everything else at once."""

VIEW_PATIENCE_S = 10.0
"""For showing the peers: a puppet master that lives waits at most a second for each that is stuck."""

GONE_PATIENCE_S = 3.0
"""For whatever is asked of a puppet master that has not answered the last time: it has most likely been killed."""

T = TypeVar("T", bound=Answered)


class RemoteMaster:
    """A puppet master that `murmur puppet serve` runs. For one thread at a time."""

    def __init__(self, url: str) -> None:
        """Take the address of a puppet master."""
        self._url = url
        self._dealers = Dealers()
        self._numbers = count(1)
        self._viewed: tuple[PuppetView, ...] = ()
        self._gone = False

    def start(self, name: str, listen: str, join: tuple[str, ...], *, empty: bool = False, old: bool = False) -> None:
        """Have a peer started; raises as `Master.start`."""
        self._ask(StartPeer(name=name, listen=listen, join=join, empty=empty, old=old), CarriedOut)

    def kill(self, name: str) -> None:
        """Have a peer ended at once."""
        self._ask(EndPeer(name=name, graceful=False), CarriedOut)

    def leave(self, name: str) -> None:
        """Have a peer leave gracefully."""
        self._ask(EndPeer(name=name, graceful=True), CarriedOut)

    def freeze(self, name: str) -> None:
        """Have a peer and its executors stopped."""
        self._ask(FreezePeer(name=name, frozen=True), CarriedOut)

    def thaw(self, name: str) -> None:
        """Have a frozen peer go on."""
        self._ask(FreezePeer(name=name, frozen=False), CarriedOut)

    def snapshot(self, name: str) -> None:
        """Have the directory of a dead or frozen peer copied."""
        self._ask(SnapshotPeer(name=name), CarriedOut)

    def spoil(self, name: str, damage: Damage, share: float) -> Spoiled:
        """Have damaged what a dead or frozen peer keeps; raises as `Master.spoil`."""
        told = self._ask(SpoilPeer(name=name, damage=damage, share=share), PeerSpoiled)
        return Spoiled(count=told.count, names=told.names)

    def swap(self, name: str, other: str) -> None:
        """Have the directories of two dead peers exchanged."""
        self._ask(SwapPeers(name=name, other=other), CarriedOut)

    def order(self, name: str, order: Order) -> Answer:
        """Have a peer's gate carry out an order; raises as `Master.order`."""
        return self._ask(OrderGate(name=name, order=order), GateAnswered).answer

    def failed_starts(self) -> tuple[tuple[str, str], ...]:
        """Name nobody: `start` waits there until the peer is up, and says at once if it will not be."""
        return ()

    def states(self) -> dict[str, Liveliness]:
        """Tell how the process of every peer is."""
        return {view.name: view.liveliness for view in self.view()}

    def view(self) -> tuple[PuppetView, ...]:
        """Show the peers of that machine; if their puppet master does not answer, they have ended with it.

        Once it has not answered it is not waited for again, until some other question reaches it.
        """
        if not self._gone:
            try:
                shown = self._ask(ViewPeers(), PeersViewed, VIEW_PATIENCE_S).peers
                self._viewed = tuple(map(_view_of, shown))
            except Unreachable:
                self._viewed = tuple(replace(view, liveliness=Liveliness.ENDED) for view in self._viewed)
        return self._viewed

    def close(self) -> None:
        """Have all peers of that machine ended, if it still answers, and free the socket."""
        try:
            if not self._gone:
                self._ask(EndAll(), CarriedOut, VIEW_PATIENCE_S)
        except Unreachable:
            return  # its peers have ended with it
        finally:
            self._dealers.close()

    def _ask(self, asked: Asked, expected: type[T], patience_s: float = PATIENCE_S) -> T:
        number = next(self._numbers)
        self._dealers.send(self._url, msgspec.msgpack.encode(Question(number=number, asked=asked)))
        patience_s = min(patience_s, GONE_PATIENCE_S) if self._gone else patience_s
        deadline = time.monotonic() + patience_s
        while (left := deadline - time.monotonic()) > 0:
            arrival = self._dealers.receive(left)
            if arrival is not None:
                reply = _decoded(arrival[1])
                if reply.number == number:
                    self._gone = False
                    return _checked(reply.answered, expected)
        self._gone = True
        raise Unreachable(f"the puppet master at {self._url} does not answer within {patience_s:g} s")


def _view_of(peer: ViewedPeer) -> PuppetView:
    return PuppetView(
        name=peer.name,
        url=peer.url,
        pid=peer.pid,
        liveliness=Liveliness(peer.liveliness),
        condition=peer.condition,
    )


def _decoded(frame: bytes) -> Reply:
    try:
        return msgspec.msgpack.decode(frame, type=Reply)
    except msgspec.MsgspecError as error:
        raise RemoteError(f"a puppet master answers with something else: {error}") from error


def _checked(answered: Answered, expected: type[T]) -> T:
    if isinstance(answered, expected):
        return answered
    if isinstance(answered, NotDone):
        raise _ERRORS.get(answered.blame, RemoteError)(answered.reason)
    raise RemoteError(f"a puppet master answers with {type(answered).__name__} in place of {expected.__name__}")


_ERRORS: dict[str, type[MurmurationError]] = {"caller": CallerError, "remote": RemoteError, "world": WorldError}
