"""Start a cluster of peers on this machine, as processes of their own that end with this one."""

import ctypes
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ..node.wire.replies import PeersShown
from ..node.wire.requests import ListPeers
from ..ring.errors import CallerError, WorldError
from ..ring.facts import Liveness, Standing
from .connection import Connection

START_PATIENCE_S = 30.0
"""Time for peers to say that they are ready, and again for all to see each other: long, for many start at once."""

STOP_PATIENCE_S = 5.0
"""Time that peers get to stop in good order before they are killed."""

LOOK_EVERY_S = 0.05
ERROR_LINES = 20
PR_SET_PDEATHSIG = 1
LISTEN = "tcp://127.0.0.1:*"


@dataclass(slots=True)
class PeerProcess:
    """One peer of a local cluster; `url` is known once it is ready."""

    name: str
    directory: Path
    process: subprocess.Popen[bytes]
    url: str = ""

    @property
    def log(self) -> Path:
        """The file that the peer's standard error goes to."""
        return log_of(self.directory)

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe on which it says that it is ready."""
        assert self.process.stdout is not None
        return self.process.stdout


class LocalCluster:
    """Peers on this machine at free loopback ports, which have found each other when the constructor returns.

    Without a `directory` their data lie in a temporary one, which goes with the cluster. The peers get a KILL if the
    thread that started them ends without `stop`: so start a cluster in a thread that outlives it.
    """

    def __init__(
        self,
        peers: int = 1,
        workers: int | None = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        names: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        """Start `peers` processes with `workers` slots each; the cores of the machine are shared out by default.

        `options` are more words for each peer's command line.

        Raises:
            CallerError: fewer than one peer is asked for.
            WorldError: a peer does not start; the message holds what it said last.
        """
        if peers < 1:
            raise CallerError(f"{peers} peers make no cluster; start at least 1")
        self._workers = workers if workers is not None else max(1, (os.cpu_count() or 1) // peers)
        self._temporary = directory is None
        self._directory = Path(tempfile.mkdtemp(prefix="murmuration-") if directory is None else directory).absolute()
        self._options = tuple(options)
        self._peers: dict[str, PeerProcess] = {}
        try:
            self._start(tuple(names) or tuple(f"peer-{number}" for number in range(1, peers + 1)))
        except BaseException:
            self.stop()
            raise

    @property
    def urls(self) -> tuple[str, ...]:
        """The control addresses of the peers, in the order of their start."""
        return tuple(peer.url for peer in self._peers.values())

    @property
    def processes(self) -> Mapping[str, int]:
        """The process ids of the peers by their names, those that have ended included."""
        return {name: peer.process.pid for name, peer in self._peers.items()}

    @property
    def directory(self) -> Path:
        """Where the peers keep their data, each in a directory of its name."""
        return self._directory

    def running(self) -> list[str]:
        """Name the peers whose processes have not ended."""
        return [name for name, peer in self._peers.items() if peer.process.poll() is None]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to one peer; after one that ends a process, wait for that end.

        Raises:
            CallerError: there is no peer of that name.
        """
        peer = self._peer(name)
        peer.process.send_signal(number)
        if number == signal.SIGKILL:
            peer.process.wait()

    def restart(self, name: str) -> None:
        """Start a peer that has ended again, in its directory and at its address.

        Raises:
            CallerError: there is no peer of that name, or it runs.
            WorldError: it does not start.
        """
        ended = self._peer(name)
        if ended.process.poll() is None:
            raise CallerError(f"peer {name} runs; kill it first")
        ended.stdout.close()
        others = [peer.url for peer in self._peers.values() if peer.name != name and peer.process.poll() is None]
        started = self._peers[name] = self._spawn(name, others[:3], ended.url)
        started.url = ended.url  # which a start that fails must not forget
        self._await_ready([started])

    def stop(self) -> None:
        """End all peers, gracefully where they can, and remove the directory if it is temporary; twice is harmless."""
        for peer in self._peers.values():
            if peer.process.poll() is None:
                peer.process.send_signal(signal.SIGINT)  # to stop; SIGTERM would have each hand over its keys
                peer.process.send_signal(signal.SIGCONT)  # a stopped one could not hear the first
        deadline = time.monotonic() + STOP_PATIENCE_S
        for peer in self._peers.values():
            try:
                peer.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                peer.process.kill()
                peer.process.wait()
            peer.stdout.close()
        if self._temporary:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _peer(self, name: str) -> PeerProcess:
        peer = self._peers.get(name)
        if peer is None:
            raise CallerError(f"no peer {name} in this cluster; there are {', '.join(self._peers)}")
        return peer

    def _start(self, names: Sequence[str]) -> None:
        """Start the first, then all others at once, which join through it."""
        first = self._peers[names[0]] = self._spawn(names[0], ())
        self._await_ready([first])
        for name in names[1:]:
            self._peers[name] = self._spawn(name, (first.url,))
        self._await_ready(list(self._peers.values())[1:])
        self._await_acquaintance()

    def _spawn(self, name: str, join: Sequence[str], listen: str = LISTEN) -> PeerProcess:
        directory = self._directory / name
        directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "murmuration.node.main", "--listen", listen]
        command += ["--data", str(directory), "--name", name, "--workers", str(self._workers), *self._options]
        for url in join:
            command += ["--join", url]
        with log_of(directory).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for this process, which then stops the peers
                preexec_fn=DieWithParent(),  # one system call, no lock taken
            )
        return PeerProcess(name=name, directory=directory, process=process)

    def _await_ready(self, peers: Sequence[PeerProcess]) -> None:
        """Read the line that each peer prints when it is ready."""
        deadline = time.monotonic() + START_PATIENCE_S
        with selectors.DefaultSelector() as selector:
            for peer in peers:
                selector.register(peer.stdout, selectors.EVENT_READ, peer)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    silent = next(iter(selector.get_map().values())).data
                    raise _start_error(silent, f"was not ready within {START_PATIENCE_S:g} s")
                for key, _ in ready:
                    selector.unregister(key.fileobj)
                    key.data.url = _read_url(key.data)

    def _await_acquaintance(self) -> None:
        """Wait until every peer sees every other one alive and in its place."""
        deadline = time.monotonic() + START_PATIENCE_S
        for peer in self._peers.values():
            with Connection((peer.url,), patience_s=START_PATIENCE_S) as connection:
                while not self._sees_all(connection):
                    if peer.process.poll() is not None:
                        raise _start_error(peer, f"ended with {peer.process.returncode}")
                    if time.monotonic() > deadline:
                        raise _start_error(peer, f"did not find the others within {START_PATIENCE_S:g} s")
                    connection.pause(LOOK_EVERY_S)

    def _sees_all(self, connection: Connection) -> bool:
        shown = connection.ask(ListPeers(), PeersShown).peers
        settled = {Standing.VALID, Standing.LEAVING}
        alive = {view.member.name for view in shown if view.liveness is Liveness.ALIVE and view.standing in settled}
        return alive >= self._peers.keys()


def log_of(directory: Path) -> Path:
    """Name the file in a peer's directory that its standard error goes to."""
    return directory / "stderr.log"


def _read_url(peer: PeerProcess) -> str:
    line = peer.stdout.readline()
    try:
        return str(json.loads(line)["url"])
    except (ValueError, KeyError, TypeError) as error:
        peer.process.wait(STOP_PATIENCE_S)
        raise _start_error(peer, f"ended with {peer.process.returncode}") from error


def _start_error(peer: PeerProcess, what: str) -> WorldError:
    said = peer.log.read_text(errors="replace").splitlines()[-ERROR_LINES:]
    return WorldError("\n".join([f"peer {peer.name} {what}; it said:", *(said or ["nothing"])]))


class DieWithParent:
    """Has the kernel kill the process in which it is called when its parent ends (Linux)."""

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None).prctl
        self._parent = os.getpid()

    def __call__(self) -> None:
        """Ask the kernel; end at once if the parent has ended already."""
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(1)
