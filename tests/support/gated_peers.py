"""Real peers behind gates, and the other ends of their strings."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from murmuration.client.api import Client
from murmuration.node.executor.frames import FrameReader, frame
from murmuration.node.gate.orders import (
    Answer,
    Condition,
    Describe,
    Direction,
    Done,
    LinkRule,
    Order,
    SetLinks,
)
from murmuration.ring.facts import Liveness, Standing

PATIENCE_S = 20.0
LOOK_S = 0.02


class GatedPeer:
    """One peer as a process, and the string that moves it."""

    def __init__(
        self, directory: Path, name: str, join: list[str], workers: int = 1, *, listen: str = "tcp://127.0.0.1:*"
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.link, theirs = socket.socketpair()
        self.link.settimeout(PATIENCE_S)
        command = [sys.executable, "-m", "murmuration.node.main", "--data", str(directory / name), "--name", name]
        command += ["--workers", str(workers), "--test-hooks", str(theirs.fileno()), "--listen", listen]
        command += [word for url in join for word in ("--join", url)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        theirs.close()
        assert self.process.stdout is not None
        self.url = str(json.loads(self.process.stdout.readline())["url"])
        self._frames = FrameReader()

    def order(self, order: Order) -> Answer:
        """Give an order, and take its answer."""
        self.link.sendall(frame(msgspec.msgpack.encode(order)))
        answers: list[bytes] = []
        while not answers:
            answers = list(self._frames.feed(self.link.recv(1 << 16)))
        return msgspec.msgpack.decode(answers[0], type=Answer)

    def obey(self, *orders: Order) -> None:
        for order in orders:
            assert self.order(order) == Done()

    def links(self, *rules: LinkRule) -> None:
        self.obey(SetLinks(rules))

    @property
    def condition(self) -> Condition:
        found = self.order(Describe())
        assert isinstance(found, Condition)
        return found

    def believes(self) -> dict[str, Liveness]:
        """Tell what it believes of all peers, by their names."""
        with Client(self.url) as client:
            return {view.member.name: view.liveness for view in client.peers()}

    def settled(self) -> set[str]:
        """Name the living members that have joined, in its eyes."""
        with Client(self.url) as client:
            views = client.peers()
        valid = (view for view in views if view.liveness is Liveness.ALIVE and view.standing is Standing.VALID)
        return {view.member.name for view in valid}

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(3.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.link.close()


class GatedFlock:
    """Some peers that have found each other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.peers: list[GatedPeer] = []

    def start(self, *workers: int) -> list[GatedPeer]:
        """Start a peer for each number of slots, and wait until all see each other, and have joined."""
        for slots in workers:
            name = f"peer-{len(self.peers) + 1}"
            self.peers.append(GatedPeer(self._directory, name, [peer.url for peer in self.peers[:1]], slots))
        names = {peer.name for peer in self.peers}
        for peer in self.peers:
            until(lambda peer=peer: names <= peer.settled())
        return self.peers

    def end(self) -> None:
        for peer in self.peers:
            peer.end()


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait, with a deadline, until a condition holds."""
    deadline = time.monotonic() + patience_s
    pause = socket.socketpair()
    pause[0].settimeout(LOOK_S)
    try:
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            try:
                pause[0].recv(1)
            except TimeoutError:
                continue
    finally:
        for end in pause:
            end.close()


def cut(other: GatedPeer) -> tuple[LinkRule, LinkRule]:
    """Spell the rules that cut off another peer, both ways."""
    return (
        LinkRule(url=other.url, direction=Direction.TO, cut=True),
        LinkRule(url=other.url, direction=Direction.FROM, cut=True),
    )
