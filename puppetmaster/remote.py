"""Ask a puppet master of another machine, as one asks that of this machine."""

import time
from itertools import count
from typing import TypeVar

import msgspec

from ..client.cluster import START_PATIENCE_S
from ..client.dealers import Dealers
from ..node.gate.orders import Answer, Order
from ..ring.errors import CallerError, MurmurationError, RemoteError, Unreachable, WorldError
from .master_messages import (
    Answered,
    Asked,
    CarriedOut,
    EndAll,
    EndPeer,
    FreezePeer,
    GateAnswered,
    NotDone,
    OrderGate,
    PeersViewed,
    Question,
    Reply,
    StartPeer,
    ViewPeers,
)
from .masters import PuppetView
from .puppet import Liveliness

PATIENCE_S = START_PATIENCE_S + 10.0
"""Starting a peer takes longest; whoever listens answers everything else at once."""

T = TypeVar("T", bound=Answered)


class RemoteMaster:
    """A puppet master that `murmur puppet serve` runs. For one thread at a time."""

    def __init__(self, url: str) -> None:
        """Take the address of a puppet master."""
        self._url = url
        self._dealers = Dealers()
        self._numbers = count(1)

    def start(self, name: str, listen: str, join: tuple[str, ...], *, empty: bool = False) -> None:
        """Have a peer started; raises as `Master.start`."""
        self._ask(StartPeer(name=name, listen=listen, join=join, empty=empty), CarriedOut)

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
        """Show the peers of that machine."""
        return tuple(
            PuppetView(
                name=peer.name,
                url=peer.url,
                pid=peer.pid,
                liveliness=Liveliness(peer.liveliness),
                condition=peer.condition,
            )
            for peer in self._ask(ViewPeers(), PeersViewed).peers
        )

    def close(self) -> None:
        """Have all peers of that machine ended, if it still answers, and free the socket."""
        try:
            self._ask(EndAll(), CarriedOut)
        except Unreachable:
            return  # its peers have ended with it
        finally:
            self._dealers.close()

    def _ask(self, asked: Asked, expected: type[T]) -> T:
        number = next(self._numbers)
        self._dealers.send(self._url, msgspec.msgpack.encode(Question(number=number, asked=asked)))
        deadline = time.monotonic() + PATIENCE_S
        while (left := deadline - time.monotonic()) > 0:
            arrival = self._dealers.receive(left)
            if arrival is not None:
                reply = _decoded(arrival[1])
                if reply.number == number:
                    return _checked(reply.answered, expected)
        raise Unreachable(f"the puppet master at {self._url} does not answer within {PATIENCE_S:g} s")


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
