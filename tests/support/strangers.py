"""Raw sockets of strangers at a peer's ports: what they say is spelt byte by byte (ZMTP 3.0, RFC 23)."""

import os
import select
import socket
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\3\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32
READY_BODY = b"\5READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER" + b"\x08Identity" + b"\0" * 4
READY = b"\4" + bytes([len(READY_BODY)]) + READY_BODY
MORE, LONG = 1, 2
RESET = struct.pack("ii", 1, 0)


def zmtp_frame(body: bytes, *, more: bool = False) -> bytes:
    """Spell one part of a message."""
    flags = MORE if more else 0
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return claim(len(body), flags) + body


def claim(size: int, flags: int = 0) -> bytes:
    """Spell the head of a long part that is said to have `size` bytes."""
    return bytes([flags | LONG]) + struct.pack(">Q", size)


class Stranger:
    """One TCP connection to a port of a peer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10.0)

    def greet(self) -> "Stranger":
        """Go through the handshake, so that frames may follow."""
        self.say(GREETING + READY)
        heard = b""
        while b"READY" not in heard:
            heard += self.socket.recv(4096)
        return self

    def say(self, what: bytes) -> None:
        """Send bytes; a connection that the peer has closed takes none, and that is no error here."""
        try:
            self.socket.sendall(what)
        except ConnectionError:
            return

    def is_closed_within(self, patience_s: float, drip: bytes = b"") -> bool:
        """Tell whether the peer closes the connection in time, while `drip` goes out byte by byte, ten a second."""
        deadline = time.monotonic() + patience_s
        poller = select.poll()
        poller.register(self.socket, select.POLLIN)
        rest = drip
        while time.monotonic() < deadline:
            try:
                if poller.poll(100) and not self.socket.recv(1 << 16):
                    return True
                self.socket.sendall(rest[:1])
            except ConnectionError:
                return True
            rest = rest[1:]
        return False

    def reset(self) -> None:
        """Break the connection off without a farewell."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


def resident_bytes(pid: int) -> int:
    """Tell how much memory a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def descriptors(pid: int) -> int:
    """Count the open descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
