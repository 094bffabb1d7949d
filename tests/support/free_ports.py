"""Addresses for scripts that are played on this machine while other sessions may be using theirs."""

import re
import socket
from contextlib import ExitStack

_PORT = re.compile(r"(?<=localhost:)3000(\d)")


def on_free_ports(script: str) -> str:
    """Put free ports in the place of those of a script."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(10)]
        ports = [str(one.getsockname()[1]) for one in sockets]
    return _PORT.sub(lambda match: ports[int(match[1])], script)
