"""Sockets with a monitor are closed without a wait, whatever their connections are at."""

from collections import deque

import zmq

from murmuration.node.transport.sockets import close_watched, open_socket, watch

ROUNDS = 1500
STEP = 2000
"""With the monitor closed before its source, one of so many hung in two runs of three."""


def test_watched_socket_is_closed_at_once_although_its_connection_breaks_at_that_moment() -> None:
    for number in range(ROUNDS):
        other = open_socket(zmq.ROUTER, 1 << 20, ipv6=False)
        port = other.bind_to_random_port("tcp://127.0.0.1")
        watched = open_socket(zmq.DEALER, 1 << 20, ipv6=False)
        monitor = watch(watched)
        watched.connect(f"tcp://127.0.0.1:{port}")
        watched.send(b"x")
        other.recv_multipart()
        other.close()
        deque(range(number % 8 * STEP), maxlen=0)  # so that the news of it comes before, amid and after
        close_watched(watched, monitor)
