"""Run one peer on strings: a process of its own, which the puppet master can freeze, end, and order about at its gate.

A frozen peer hears nothing, so orders for it are kept, the newest of each kind, and given just before it is thawed.
"""

import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from ...client.cluster import ERROR_LINES, START_PATIENCE_S, DieWithParent, log_of
from ...node.gate.orders import Answer, Condition, Describe, Done, Order, SlowWork
from ...ring.errors import CallerError, MurmurationError, WorldError
from .gate_link import ANSWER_PATIENCE_S, GateLink
from .processes import freeze_tree, groups_of_children, kill_stopped, thaw_tree


class Liveliness(Enum):
    """How the process of a peer is."""

    STARTING = "starting"
    """It has not said yet that its sockets are open."""
    RUNNING = "running"
    FROZEN = "frozen"
    ENDED = "ended"


class Puppet:
    """A peer's process and its gate."""

    def __init__(self, name: str, listen: str, directory: Path, join: Sequence[str], workers: int) -> None:
        """Start the process; it is up when `liveliness` says so."""
        self.name = name
        self.url = listen
        self.directory = directory
        self._ready = False
        self._groups: tuple[int, ...] = ()
        self._frozen = False
        self._kept: dict[type[Order], Order] = {}
        self._last: Condition | None = None
        self._link = GateLink()
        self._process = self._spawn(listen, join, workers)
        self._link.handed_over()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def liveliness(self) -> Liveliness:
        """How it is now."""
        if self._process.poll() is not None:
            return Liveliness.ENDED
        if self._frozen:
            return Liveliness.FROZEN
        self._look_for_ready(0.0)
        return Liveliness.RUNNING if self._ready else Liveliness.STARTING

    @property
    def start_error(self) -> str:
        """Why it could not start, with what it said last; empty if it could, or still may."""
        code = self._process.poll()
        if self._ready or code is None or code == -signal.SIGKILL:
            return ""
        said = log_of(self.directory).read_text(errors="replace").splitlines()[-ERROR_LINES:]
        return "\n".join([f"peer {self.name} ended with {code} before it was ready; it said:", *(said or ["nothing"])])

    def await_ready(self) -> None:
        """Wait until its sockets are open.

        Raises:
            WorldError: it does not start; the message holds what it said last.
        """
        self._look_for_ready(START_PATIENCE_S)
        if not self._ready:
            self._process.kill()
            self._process.wait()
            raise WorldError(self.start_error or f"peer {self.name} was not ready within {START_PATIENCE_S:g} s")

    def freeze(self) -> None:
        """Stop the peer and its executors; connections and state are kept. Twice is once.

        Raises:
            CallerError: it has ended.
        """
        self._expect_alive()
        if not self._frozen:
            self.describe()
            self._groups, self._frozen = freeze_tree(self.pid), True

    def thaw(self) -> None:
        """Let it go on where it was; one that is not frozen goes on anyway.

        Raises:
            CallerError: it has ended.
        """
        self._expect_alive()
        if self._frozen:
            for order in self._kept.values():
                self._link.tell(order)
            self._kept.clear()
            thaw_tree(self.pid, self._groups)
            self._frozen = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let a frozen peer run inside the block, and freeze it again; orders for it are kept meanwhile."""
        thaw_tree(self.pid, self._groups)
        try:
            yield
        finally:
            self._groups = freeze_tree(self.pid)

    def order(self, order: Order) -> Answer:
        """Have the gate carry out an order; that of a frozen peer does so when it is thawed.

        Raises:
            CallerError: the peer has ended.
            WorldError: it does not answer.
            RemoteError: it refuses.
        """
        self._expect_alive()
        match self.liveliness:
            case Liveliness.RUNNING:
                return self._link.ask(order)
            case Liveliness.STARTING if not isinstance(order, Describe):
                self._link.tell(order)
                return Done()
            case _:
                return self._keep(order)

    def describe(self) -> Condition | None:
        """Tell what has passed the gate, or had when it could last be asked; None if it never could."""
        if self.liveliness is Liveliness.RUNNING:
            self._note_condition()
        return self._last

    def leave(self) -> None:
        """Ask the peer to leave gracefully.

        Raises:
            CallerError: it has ended, or is frozen and cannot hear.
        """
        self._expect_alive()
        if self._frozen:
            raise CallerError(f"peer {self.name} is frozen and cannot leave; thaw it first")
        self.describe()
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, and its executors with it."""
        self.describe()
        executors = groups_of_children(self.pid) if self._process.poll() is None else ()
        self._process.kill()
        self._process.wait()
        kill_stopped(executors)
        self._stdout.close()
        self._link.close()
        self._frozen = False

    def _keep(self, order: Order) -> Answer:
        """Keep an order for the time when the peer is thawed."""
        if isinstance(order, Describe):
            raise WorldError(f"peer {self.name} is {self.liveliness.value} and tells nothing")
        earlier = self._kept.get(type(order))
        if isinstance(order, SlowWork) and isinstance(earlier, SlowWork):
            order = SlowWork(seconds=order.seconds + earlier.seconds)
        self._kept[type(order)] = order
        return Done()

    def _note_condition(self) -> None:
        try:
            answer = self._link.ask(Describe(), ANSWER_PATIENCE_S / 5)
        except MurmurationError:
            return  # it is busy or ending; what was known before is the best that can be said
        if isinstance(answer, Condition):
            self._last = answer if answer.name == self.name else replace(answer, name=self.name)

    def _expect_alive(self) -> None:
        code = self._process.poll()
        if code is not None:
            raise CallerError(f"peer {self.name} has ended ({code}); RESTART starts it again")

    def _spawn(self, listen: str, join: Sequence[str], workers: int) -> subprocess.Popen[bytes]:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "murmuration.node.main", "--listen", listen, "--name", self.name]
        command += ["--data", str(self.directory), "--workers", str(workers)]
        command += ["--test-hooks", str(self._link.descriptor)]
        for url in join:
            command += ["--join", url]
        with log_of(self.directory).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(self._link.descriptor,),
                start_new_session=True,  # Ctrl-C is for us alone
                preexec_fn=DieWithParent(),  # one system call, no lock taken; a stopped peer sees no closed socket
            )

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _look_for_ready(self, patience_s: float) -> None:
        """Take the line that a peer prints when its sockets are open, if it comes in time."""
        if self._ready or self._stdout.closed:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if selector.select(patience_s):
                self._ready = bool(self._stdout.readline())
                if not self._ready:
                    self._process.wait()  # it has closed its output, so it is ending
