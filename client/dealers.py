"""Carry a client's frames to the control sockets of peers and back: one DEALER for each peer in use, no thread."""

from typing import Protocol

import zmq

from ..node.transport.addresses import parse_address
from ..node.transport.sockets import Socket, open_socket
from ..node.wire.limits import MESSAGE_BYTES_MAX


class Carrier(Protocol):
    """What a connection needs of the network; a frame may be lost, late or doubled."""

    def send(self, url: str, frame: bytes) -> None:
        """Send a frame to the peer at `url`, or drop it."""

    def receive(self, timeout_s: float) -> tuple[str, bytes] | None:
        """Wait for a frame of any peer, and tell from which address; None after the time-out."""

    def close(self) -> None:
        """Free the sockets; frames not sent yet are dropped."""


class Dealers:
    """The `Carrier` of production."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._sockets: dict[str, Socket] = {}
        self._urls: dict[Socket, str] = {}

    def send(self, url: str, frame: bytes) -> None:
        """Send a frame to the peer at `url`; drop it if too many wait for that peer already."""
        try:
            self._socket(url).send(frame, zmq.NOBLOCK)
        except zmq.Again:
            return  # silence of a peer is the connection's business: it asks the next one

    def receive(self, timeout_s: float) -> tuple[str, bytes] | None:
        """Wait for a frame of any peer, and tell from which address; None after the time-out."""
        ready = self._poller.poll(max(0, round(timeout_s * 1000)))
        if not ready:
            return None
        socket = ready[0][0]
        return self._urls[socket], socket.recv()

    def close(self) -> None:
        """Free the sockets; frames not sent yet are dropped."""
        for socket in self._urls:
            self._poller.unregister(socket)
            socket.close()
        self._sockets.clear()
        self._urls.clear()

    def _socket(self, url: str) -> Socket:
        socket = self._sockets.get(url)
        if socket is None:
            address = parse_address(url)
            socket = open_socket(zmq.DEALER, MESSAGE_BYTES_MAX, ipv6=address.is_ipv6)
            socket.connect(address.endpoint)
            self._sockets[url], self._urls[socket] = socket, url
            self._poller.register(socket, zmq.POLLIN)
        return socket
