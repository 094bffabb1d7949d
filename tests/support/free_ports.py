"""Addresses for scripts that are played on this machine while other sessions may be using theirs."""

import os
import re
import socket
from collections.abc import Iterator
from itertools import count

_PORT = re.compile(r"(?<=localhost:)3000(\d)")

_FIRST, _COUNT = 10_000, 20_000
"""Below all that the system gives to outgoing connections: a port stays free until a peer is started, or restarted."""


def _candidates() -> Iterator[int]:
    """Go round all ports, from a place of this process: other workers of the same run begin elsewhere."""
    begin = os.getpid() * 1009
    return (_FIRST + (begin + step) % _COUNT for step in count())


_untried = _candidates()


def free_port() -> int:
    """Give a port that nobody listens at, and that was not given before."""
    return next(port for port in _untried if _is_free(port))


def on_free_ports(script: str) -> str:
    """Put free ports in the place of those of a script."""
    ports = [str(free_port()) for _ in range(10)]
    return _PORT.sub(lambda match: ports[int(match[1])], script)


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
