"""Make ZeroMQ sockets with the settings that all of them need, from the one context of the process."""

import struct
from itertools import count
from typing import Final, cast

import zmq

from ...ring.errors import WorldError
from .addresses import Address

HEARTBEAT_MS: Final = 1000
HEARTBEAT_TIMEOUT_MS: Final = 3000
"""A stopped process or a cut cable shows after that time; a killed process shows at once."""
HANDSHAKE_MS: Final = 1000
RECONNECT_MS: Final = 100
RECONNECT_MS_MAX: Final = 2000
QUEUE_MAX: Final = 1000
ARRIVED_MAX: Final = 64
"""Frames of one connection that wait to be read: few, for each may be of the largest size; TCP holds the rest."""
SOCKETS_MAX: Final = 16_384

MONITOR_EVENT: Final = struct.Struct("=H")
"""How a monitor's first frame begins (zmq_socket_monitor(3)); pyzmq's own parser would import asyncio and ssl."""

_POLLIN: Final = int(zmq.POLLIN)
_POLLOUT: Final = int(zmq.POLLOUT)
"""As plain numbers: the flags of pyzmq cost more to compare than the question itself."""

_watches = count()

Socket = zmq.Socket[bytes]

BROKEN: Final = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECT_RETRIED
"""Events of a connection that was lost, or that nobody takes."""
READY: Final = zmq.EVENT_HANDSHAKE_SUCCEEDED


def shared_context() -> "zmq.Context[Socket]":
    """Give the context of this process; a forked child gets its own."""
    context: zmq.Context[Socket] = zmq.Context.instance()
    if context.get(zmq.MAX_SOCKETS) < SOCKETS_MAX:
        context.set(zmq.MAX_SOCKETS, min(SOCKETS_MAX, context.get(zmq.SOCKET_LIMIT)))
    return context


def open_socket(kind: int, frame_bytes_max: int, *, ipv6: bool) -> Socket:
    """Open a socket that never lingers, bounds its queues and frames, and notices a silent other side.

    Raises:
        WorldError: the system has no room for it.
    """
    try:
        socket = shared_context().socket(kind)
    except zmq.ZMQError as error:
        raise WorldError(f"no socket can be opened: {error.strerror}") from error
    for option, value in (
        (zmq.LINGER, 0),
        (zmq.SNDHWM, QUEUE_MAX),
        (zmq.RCVHWM, ARRIVED_MAX),
        (zmq.MAXMSGSIZE, frame_bytes_max),
        (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
        (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
        (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
        (zmq.RECONNECT_IVL, RECONNECT_MS),
        (zmq.RECONNECT_IVL_MAX, RECONNECT_MS_MAX),
        (zmq.IPV6, int(ipv6)),
    ):
        socket.setsockopt(option, value)
    return socket


def bind(socket: Socket, address: Address, way_out: str) -> str:
    """Bind a socket and tell its real address.

    Raises:
        WorldError: the address cannot be had, as when another process listens there; `way_out` ends the message.
    """
    try:
        socket.bind(address.endpoint)
    except zmq.ZMQError as error:
        socket.close()
        if error.errno == zmq.EADDRINUSE:
            raise WorldError(f"port {address.port} of {address.host} is taken by another process; {way_out}") from error
        raise WorldError(f"cannot listen at {address.endpoint}: {error.strerror}; {way_out}") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def can_receive(socket: Socket) -> bool:
    """Tell whether a frame is there; asking also lets the socket take in what its threads have to tell."""
    return bool(_events(socket) & _POLLIN)


def can_send(socket: Socket) -> bool:
    """Tell whether a frame would be taken; asking also lets the socket take in what its threads have to tell."""
    return bool(_events(socket) & _POLLOUT)


def has_more_parts(socket: Socket) -> bool:
    """Tell whether what was received last is not the end of its message."""
    return bool(socket.getsockopt(zmq.RCVMORE))


def watch(socket: Socket) -> Socket:
    """Open a socket from which `read_events` tells what becomes of the other's connection.

    Raises:
        WorldError: the system has no room for it; the other is then closed.
    """
    try:
        monitor: Socket = socket.get_monitor_socket(BROKEN | READY, f"inproc://watch-{next(_watches)}")
    except zmq.ZMQError as error:
        socket.close()
        raise WorldError(f"no socket can be opened: {error.strerror}") from error
    return monitor


def read_events(monitor: Socket) -> list[int]:
    """Take the events that have come since the last time, without waiting."""
    events = []
    while can_receive(monitor):
        (event,) = MONITOR_EVENT.unpack_from(monitor.recv_multipart(zmq.NOBLOCK)[0])
        events.append(event)
    return events


def close_watched(socket: Socket, monitor: Socket) -> None:
    """Close a socket together with its monitor; what is not sent yet is dropped."""
    # First the source of events: one that comes while nobody can take it any more blocks for ever, and with it this.
    socket.disable_monitor()
    monitor.close()
    socket.close()


def _events(socket: Socket) -> int:
    return cast(int, socket.getsockopt(zmq.EVENTS))
