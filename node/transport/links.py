"""Hold the outgoing half of the control transport: for each address one connection that drops rather than waits."""

from collections import Counter, deque
from enum import Enum, auto
from typing import Final

import zmq

from ..wire.limits import CONTROL_FRAME_BYTES_MAX
from .addresses import parse_address
from .sockets import READY, Socket, can_send, close_watched, open_socket, read_events, watch

WAITING_MAX: Final = 256
"""Frames that wait for a first connection; a machine that greets many at once stays below."""


class LinkState(Enum):
    """What is known of a connection."""

    CONNECTING = auto()
    """Never up yet: frames wait, for the first one would be lost otherwise."""
    UP = auto()
    BROKEN = auto()
    """Lost or refused: frames are dropped until it is up again, for they would come too late to be true."""


class Link:
    """One connection to one address, which comes back by itself."""

    def __init__(self, url: str, now: float) -> None:
        """Begin to connect.

        Raises:
            CallerError: the address is none.
            zmq.ZMQError: the address cannot be connected to.
        """
        address = parse_address(url)
        self.url = url
        self.used_at = now
        self.dropped: Counter[str] = Counter()
        self._state = LinkState.CONNECTING
        self._waiting: deque[bytes] = deque()
        self._socket = open_socket(zmq.DEALER, CONTROL_FRAME_BYTES_MAX, ipv6=address.is_ipv6)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._monitor = watch(self._socket)
        try:
            self._socket.connect(address.endpoint)
        except zmq.ZMQError:
            self.close()
            raise

    @property
    def descriptors(self) -> tuple[int, int]:
        """Give the descriptors to watch: when one is readable, `turn` is due."""
        return self._socket.FD, self._monitor.FD

    def send(self, frame: bytes, now: float) -> None:
        """Send a frame, let it wait for the first connection, or drop and count it. Never blocks."""
        self.used_at = now
        match self._state:
            case LinkState.UP:
                self._try(frame)
            case LinkState.CONNECTING if len(self._waiting) < WAITING_MAX:
                self._waiting.append(frame)
            case LinkState.CONNECTING:
                self.dropped["queue full"] += 1
            case LinkState.BROKEN:
                self.dropped["link broken"] += 1

    def turn(self) -> bool:
        """Take in what has become of the connection; tell whether it has broken just now."""
        broke = False
        can_send(self._socket)  # takes in a new connection, and the descriptor's edge with it
        for event in read_events(self._monitor):
            if event & READY:
                self._state = LinkState.UP
            elif self._state is not LinkState.BROKEN:
                broke, self._state = True, LinkState.BROKEN
        if self._state is not LinkState.CONNECTING:
            self._empty_waiting()
        return broke

    def close(self) -> None:
        """Give up the connection and what waits for it."""
        close_watched(self._socket, self._monitor)

    def _empty_waiting(self) -> None:
        while self._waiting:
            frame = self._waiting.popleft()
            if self._state is LinkState.UP:
                self._try(frame)
            else:
                self.dropped["link broken"] += 1

    def _try(self, frame: bytes) -> None:
        if not _sent(self._socket, frame) and not (can_send(self._socket) and _sent(self._socket, frame)):
            self.dropped["queue full"] += 1


def _sent(socket: Socket, frame: bytes) -> bool:
    try:
        socket.send(frame, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True
