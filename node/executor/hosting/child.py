"""Start one executor process under its warden, talk with it without blocking, and see it dead."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from ....ring.errors import RemoteError
from ..frames import FrameReader, frame
from ..tasks import FRAME_BYTES_MAX, ExecutorOrder, ExecutorWord
from .logs import AttemptLog

MODULE = "murmuration.node.executor.hosting.warden"

KEEP_FREED_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(64 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""Executors allocate and free blocks of a mebibyte all the time. By default glibc gives them back to the system,
and the page faults of the next ones cost more than reading them. A user's own settings come first."""

RECEIVE_BYTES = 1 << 16

LINK_GRACE_S = 1.0
"""A dying process closes its link a moment before its death can be seen, and that is the better reason to tell."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ExecutorWord)


class OrderTooLarge(Exception):
    """The order does not fit into a frame."""


class Child:
    """One executor process and its warden, in a process group of their own.

    `hear` is called with the words that have come together; `died` once, with the reason, after the last word, when
    the process is gone.
    """

    def __init__(
        self, directory: Path, hear: Callable[["Child", list[ExecutorWord]], None], died: Callable[["Child", str], None]
    ) -> None:
        """Start the process; raises `OSError` where the system has no room for it."""
        self.log: AttemptLog | None = None
        self.gone = asyncio.Event()
        self.peak_bytes = 0  # of its largest process; known once it is gone
        self._hear = hear
        self._died = died
        self._loop = asyncio.get_running_loop()
        self._frames = FrameReader()
        self._outbox = bytearray()
        self._breach = ""
        self._listening = True
        self._hanging: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._scratch = directory / "scratch" / f"process-{secrets.token_hex(8)}"
        self._process, self._link, self._output = _spawn(self._scratch)
        self._end = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._end, self._ended)
        self._loop.add_reader(self._link, self._receive)
        self._loop.add_reader(self._output, self._take_output)

    @property
    def pid(self) -> int:
        """Give the number of the warden, and of the group."""
        return self._process.pid

    def send(self, order: ExecutorOrder) -> None:
        """Send an order, with others that are sent now; raises `OrderTooLarge` if it does not fit into a frame."""
        document = _encoder.encode(order)
        if len(document) > FRAME_BYTES_MAX:
            raise OrderTooLarge(f"the order takes {len(document)} bytes; at most {FRAME_BYTES_MAX} can be sent")
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox += frame(document)

    def catch_up(self) -> None:
        """Hear what has been said until now."""
        while self._receive():
            pass

    def rest(self, seconds: float) -> None:
        """Let words gather for a while: to hear each of many by itself takes longer than what they tell of."""
        if self._listening and self._resting is None:
            self._loop.remove_reader(self._link.fileno())
            self._resting = self._loop.call_later(seconds, self._listen)

    def _listen(self) -> None:
        self._resting = None
        if self._listening:
            self._loop.add_reader(self._link.fileno(), self._receive)

    def kill(self, breach: str = "") -> None:
        """Have all its processes killed at once; after a `breach`, which is told as the reason, no word counts."""
        if breach:
            self._breach = self._breach or breach
            self._stop_listening()
        if not self.gone.is_set():
            os.kill(self.pid, signal.SIGTERM)
            os.kill(self.pid, signal.SIGCONT)  # a stopped warden could not hear the first

    def _flush(self) -> None:
        try:
            sent = self._link.send(self._outbox)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._outbox.clear()
            return
        del self._outbox[:sent]
        if self._outbox:
            self._loop.add_writer(self._link, self._flush)
        else:
            self._loop.remove_writer(self._link)

    def _receive(self) -> bool:
        """Take what has come, and tell whether more may have."""
        try:
            received = self._link.recv(RECEIVE_BYTES) if self._listening else b""
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        if received:
            self._take(received)
        elif self._listening:
            self._stop_listening()
            self._hanging = self._loop.call_later(LINK_GRACE_S, self.kill, "closed its link to the peer")
        return self._listening

    def _take(self, received: bytes) -> None:
        """Hand on whole words; user code shares that process, so nothing that it sends is trusted."""
        words: list[ExecutorWord] = []
        breach = ""
        try:
            words.extend(_decoder.decode(document) for document in self._frames.feed(received))
        except (RemoteError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            breach = f"sent a malformed frame ({error})"
        if words:
            self._hear(self, words)
        if breach:
            self.kill(breach)

    def _stop_listening(self) -> None:
        self._listening = False
        self._loop.remove_reader(self._link)

    def _take_output(self) -> None:
        """Keep what was printed; what was said before tells whose it is."""
        self.catch_up()
        self._read_output()

    def _read_output(self) -> None:
        try:
            output = os.read(self._output, RECEIVE_BYTES)
        except BlockingIOError:
            return
        if not output:
            self._loop.remove_reader(self._output)
        elif self.log is not None:
            self.log.append(output)

    def _ended(self) -> None:
        """Take the last words and lines, then let go of everything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # a warden that was itself killed could not do it
        self.catch_up()
        self._read_output()
        for timer in (self._hanging, self._resting):
            if timer is not None:
                timer.cancel()
        _, status, used = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        for descriptor in (self._end, self._link, self._output):
            self._loop.remove_reader(descriptor)
        self._loop.remove_writer(self._link)
        self._link.close()
        os.close(self._output)
        os.close(self._end)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self.gone.set()
        self.peak_bytes = used.ru_maxrss << 10
        self._died(self, self._breach or _reason(self._process.returncode))


def _spawn(scratch: Path) -> tuple[subprocess.Popen[bytes], socket.socket, int]:
    """Start a process in a working directory of its own, so that what user code leaves there harms no other."""
    scratch.mkdir(parents=True)
    link, theirs = socket.socketpair()
    output, theirs_output = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(os.getpid()), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=theirs_output,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            cwd=scratch,
            env=_environment(scratch),
        )
    except OSError:
        link.close()
        os.close(output)
        raise
    finally:
        theirs.close()
        os.close(theirs_output)
    link.setblocking(False)  # noqa: FBT003 - it takes no keyword
    os.set_blocking(output, False)
    return process, link, output


def _environment(scratch: Path) -> dict[str, str]:
    """Leave out our own settings, keys among them; the fixed seed makes sets of strings alike in all attempts.

    Temporary files go where they are removed with the process.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MURMUR")}
    return {**KEEP_FREED_MEMORY, **kept, "PYTHONHASHSEED": "0", "TMPDIR": str(scratch)}


def _reason(status: int) -> str:
    if status >= 0:
        return f"exited with code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "an unnamed signal"
    return f"was killed by {name} (signal {-status})"
