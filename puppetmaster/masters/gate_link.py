"""Give orders to the gate of one peer, by the socket that only the two of them share.

A frozen peer reads nothing: what it is told waits in the socket, takes effect when it is thawed, and is answered then.
"""

import socket
import time

import msgspec

from ...node.executor.frames import FrameReader, frame
from ...node.gate.orders import Answer, Order, Refused
from ...ring.errors import RemoteError, WorldError

ANSWER_PATIENCE_S = 5.0
"""A peer answers between two events; one that takes longer is stuck, frozen from outside, or ending."""

RECEIVE_BYTES = 1 << 16


class GateLink:
    """The puppet master's end of the socket."""

    def __init__(self) -> None:
        """Open both ends; the peer's is to be inherited."""
        self._ours, self._theirs = socket.socketpair()
        self._frames = FrameReader()
        self._arrived: list[bytes] = []
        self._owed = 0

    @property
    def descriptor(self) -> int:
        """The descriptor that the peer inherits."""
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """Close the peer's end here, so that its own end is the only one, and its death is seen."""
        self._theirs.close()

    def tell(self, order: Order) -> None:
        """Give an order without awaiting the answer, which the next `ask` takes.

        Raises:
            WorldError: the peer has gone.
        """
        try:
            self._ours.sendall(frame(msgspec.msgpack.encode(order)))
        except OSError as error:
            raise WorldError("the peer's gate is gone: the peer has ended") from error
        self._owed += 1

    def ask(self, order: Order, patience_s: float = ANSWER_PATIENCE_S) -> Answer:
        """Give an order and wait until it and all told before it are answered.

        Raises:
            WorldError: the peer has gone, or does not answer in time.
            RemoteError: it refuses one of them, or breaks the protocol.
        """
        self.tell(order)
        deadline = time.monotonic() + patience_s
        answers = [self._next(deadline) for _ in range(self._owed)]
        refused = [answer.reason for answer in answers if isinstance(answer, Refused)]
        if refused:
            raise RemoteError(f"the peer's gate refuses: {'; '.join(refused)}")
        return answers[-1]

    def close(self) -> None:
        """Let the peer go; it ends, if it has not ended yet."""
        self._ours.close()
        self._theirs.close()

    def _next(self, deadline: float) -> Answer:
        while not self._arrived:
            self._arrived = list(self._frames.feed(self._receive(deadline)))
        self._owed -= 1
        try:
            answer: Answer = msgspec.msgpack.decode(self._arrived.pop(0), type=Answer)
        except msgspec.MsgspecError as error:
            raise RemoteError(f"the peer's gate answers with something else: {error}") from error
        return answer

    def _receive(self, deadline: float) -> bytes:
        self._ours.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            received = self._ours.recv(RECEIVE_BYTES)
        except TimeoutError as error:
            raise WorldError("the peer's gate does not answer in time") from error
        except OSError as error:
            raise WorldError("the peer's gate is gone: the peer has ended") from error
        finally:
            self._ours.settimeout(None)
        if not received:
            raise WorldError("the peer's gate is gone: the peer has ended")
        return received
