"""Hear the puppet master on the socket that this peer inherited, and answer; nobody else can hold the other end."""

import asyncio
import os
import random
import secrets
import socket
import stat
import struct
import sys
from typing import Final

import msgspec

from ...ring.errors import CallerError, RemoteError
from ..executor.frames import FrameReader, frame
from .gate import Gate
from .orders import Order

GONE: Final = "the puppet master is gone"
RECEIVE_BYTES: Final = 1 << 16
_CREDENTIALS = struct.Struct("=iII")
"""Process, user and group of whoever made a socket pair (unix(7), SO_PEERCRED)."""


class Strings:
    """The strings of one peer, and the gate that they move. Made and used inside a running event loop."""

    def __init__(self, descriptor: int) -> None:
        """Take over the inherited end of a socket pair, which the process that started this one must have made.

        Raises:
            CallerError: it is something else.
        """
        self._link = _inherited(descriptor)
        self.gate = Gate(random.Random(secrets.randbits(64)))

    async def obey(self) -> None:
        """Carry out orders until the other end is closed or breaks the protocol; say so, and lift all faults."""
        reason = await self._obey()
        sys.stderr.write(f"murmur: {reason}; this peer ends\n")
        self._link.close()
        self.gate.lift_all()

    async def _obey(self) -> str:
        loop, frames = asyncio.get_running_loop(), FrameReader()
        try:
            while received := await loop.sock_recv(self._link, RECEIVE_BYTES):
                for document in frames.feed(received):
                    answer = self.gate.obey(msgspec.msgpack.decode(document, type=Order))
                    await loop.sock_sendall(self._link, frame(msgspec.msgpack.encode(answer)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RemoteError) as error:
            return f"the puppet master sent what is no order ({' '.join(str(error).split())[:200]})"
        except (ConnectionResetError, BrokenPipeError):
            return GONE
        return GONE


def _inherited(descriptor: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise CallerError(f"--test-hooks {descriptor}: this is no socket; a puppet master hands one over")
    except OSError as error:
        raise CallerError(f"--test-hooks {descriptor}: {error.strerror}; a puppet master hands it over") from error
    link = socket.socket(fileno=descriptor)
    if (link.family, link.type) != (socket.AF_UNIX, socket.SOCK_STREAM) or _maker(link) != os.getppid():
        link.detach()
        raise CallerError(f"--test-hooks {descriptor}: this is no socket pair of the process that started this peer")
    link.set_inheritable(False)
    link.setblocking(False)  # noqa: FBT003 - it takes no keyword
    return link


def _maker(link: socket.socket) -> int:
    maker: int = _CREDENTIALS.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    return maker
