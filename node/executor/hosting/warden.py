"""Be a warden: start an executor, and leave nothing behind of what user code has started when that executor ends.

Started as `python -m murmuration.node.executor.hosting.warden PEER FD`, with the number of the peer's process and the
executor's end of their link. A process that forks twice and begins a session of its own escapes its group, but not
its warden: orphans become the warden's children, so all of them stay below it.

It ends them when the executor ends, when the peer asks for it with SIGTERM, and when the peer is gone. The kernel tells
of that with SIGCONT, which also wakes a warden that somebody has stopped. Before the warden could ask for it, the
kernel ends a stopped one unasked: its group becomes an orphan in the peer's session, and such a group gets SIGHUP.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import NoReturn

from .family import descendants

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

HEARD = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGCONT})

LOOK_AGAIN_S = 0.01
"""How soon to look for processes that were born while the others were killed, if none of these ends sooner."""

SIGNALLED = 128
"""What a shell adds to the number of a signal, to make an exit code of it."""


class Warden:
    """Keeps watch over one executor process, its child."""

    def __init__(self, peer: int, executor: int) -> None:
        self._peer = peer
        self._executor = executor
        self._status: int | None = None

    def keep_watch(self) -> int:
        """Wait for a reason to end, end all that is below, and give the executor's exit code (-N for signal N)."""
        while os.getppid() == self._peer and self._status is None:
            if signal.sigwait(HEARD) == signal.SIGTERM:
                break
            self._bury()
        while self._bury():
            for process in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, LOOK_AGAIN_S)
        assert self._status is not None
        return os.waitstatus_to_exitcode(self._status)

    def _bury(self) -> bool:
        """Take note of children that have ended; tell whether there are others."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not process:
                return True
            if process == self._executor:
                self._status = status


def _start_executor(link: int) -> int:
    """Fork, for the imports of an executor are none of the warden's; give the number of the child."""
    warden = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    executor = os.fork()
    if not executor:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != warden:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        from ..process import main as be_executor

        sys.exit(be_executor(link))
    os.close(link)
    return executor


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def _end_alike(code: int) -> NoReturn:
    """End as the executor did, so that the peer sees it."""
    if code < 0:
        number = -code
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        os._exit(SIGNALLED + number)
    os._exit(code)


def main(arguments: list[str]) -> NoReturn:
    """Serve a peer with one executor."""
    peer, link = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGCONT)
    executor = _start_executor(link)
    _end_alike(Warden(peer, executor).keep_watch())


if __name__ == "__main__":
    main(sys.argv[1:])
