"""Have what user code prints read by the peer before its attempt is over: so each line goes to the right log.

Output and words come to the peer on two ways. Where a process goes through several orders, the peer could not tell
whose output it finds, were there output of an attempt left when the next one begins.
"""

import os
import stat
import struct
import sys
from fcntl import ioctl
from termios import FIONREAD
from time import monotonic, sleep  # noqa: TID251 - the kernel tells nobody that a pipe has become empty

LOOK_AGAIN_S = 0.0005

PATIENCE_S = 1.0
"""What user code has left behind may print for ever."""

_COUNT = struct.Struct("i")
_OUTPUT = os.dup(sys.__stdout__.fileno()) if sys.__stdout__ is not None else -1
"""The pipe to the peer, whatever user code makes of its own descriptors."""

_IS_PIPE = _OUTPUT >= 0 and stat.S_ISFIFO(os.fstat(_OUTPUT).st_mode)


def wait_until_read() -> None:
    """Wait until nothing that was printed is on its way."""
    ends_at = monotonic() + PATIENCE_S
    while _IS_PIPE and _unread() and monotonic() < ends_at:
        sleep(LOOK_AGAIN_S)


def _unread() -> int:
    count: int = _COUNT.unpack(ioctl(_OUTPUT, FIONREAD, bytes(_COUNT.size)))[0]
    return count
