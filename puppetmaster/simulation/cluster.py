"""Run a cluster of simulated processes: deliver what is due, inject faults, and check every machine as it goes."""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import assert_never

from ...node.effects import ReplyTo
from ...node.events import ClientAsked, PeerStarted
from ...node.machine import NodeSettings
from ...node.wire.requests import ClientReply, ClientRequest
from ...ring.messages import Liveness
from ...ring.terms import Instant, Member, Source
from ..faults import Crash, Cut, Fault, Freeze, Heal, Restart, Thaw, Weather
from .disk import Disk, Run
from .network import Network
from .process import Later, Letter, Outgoing, Pace, Process, Working
from .timeline import Timeline

CLIENT_URL = "tcp://client"
NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that the stage's own script asked for."""

    action: Callable[[], None]


@dataclass(slots=True)
class Story:
    """What happened, as a hash of everything and a line for each fault."""

    hash: "hashlib._Hash" = field(default_factory=lambda: hashlib.blake2b(digest_size=8))
    events: int = 0
    faults: list[str] = field(default_factory=list)


class Cluster:
    """Peers A, B, C … and one client, all of whom share a timeline and a network."""

    def __init__(self, peers: int, settings: NodeSettings, seed: int, pace: Pace | None = None) -> None:
        self.rng = random.Random(seed)
        self.timeline: Timeline[Letter | Later | Working | Tick] = Timeline()
        self.network = Network(random.Random(seed + 1))
        self.story = Story()
        self.texts: dict[str, bytes] = {}
        self.replies: dict[str, ClientReply] = {}
        self._settings = settings
        self._pace = pace or Pace()
        self._requests: Iterator[int] = count()
        self.disks = {name: Disk() for name in self._names(peers)}
        self.running: dict[str, Process] = {}
        self._late: dict[str, list[Letter | Later | Working]] = {}
        self._by_url = {self._member(name).url: name for name in self.disks}
        self._by_bulk_url = {self._member(name).bulk_url: name for name in self.disks}

    # --- the stage ---

    def start(self) -> None:
        """Start all peers; all but the first join through the first."""
        for name in self.disks:
            self._boot(name)

    def run_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until `done`, or to the instant `limit_s`; tell whether it was done."""
        while self.timeline and self.timeline.now < limit_s:
            if done():
                return True
            self._step(self.timeline.next())
        return done()

    def inject(self, fault: Fault) -> None:
        """Let a fault happen now."""
        self.story.faults.append(f"{self.timeline.now:8.3f} {fault}")
        match fault:
            case Crash(peer=peer):
                self.running.pop(peer, None)
                self._late.pop(peer, None)
            case Restart(peer=peer):
                if peer not in self.running:
                    self._boot(peer)
            case Freeze(peer=peer):
                if peer in self.running:
                    self.running[peer].frozen = True
            case Thaw(peer=peer):
                self._thaw(peer)
            case Cut():
                self.network.cuts += (fault,)
            case Heal():
                self.network.cuts = ()
            case Weather():
                self.network.weather = fault
            case _:
                assert_never(fault)

    def ask(self, peer: str, question: ClientRequest) -> str:
        """Send a client's question to a peer; its reply, if any, appears in `replies` under the name given back."""
        request = str(next(self._requests))
        asked = ClientAsked(route=b"client", request=request, question=question)
        self._send(Letter("client", self._member(peer).url, asked))
        return request

    def live(self) -> list[str]:
        """Name the peers that run and are not frozen."""
        return [name for name, process in self.running.items() if not process.frozen]

    def agreed(self) -> bool:
        """Tell whether every live peer believes exactly the live ones alive."""
        live = set(self.live())
        return all(self._believed_alive(self.running[name]) == live for name in live)

    def at(self, instant: float, action: Callable[[], None]) -> None:
        """Have something done at an instant."""
        self.timeline.at(Instant(instant), Tick(action))

    # --- within ---

    @staticmethod
    def _names(peers: int) -> list[str]:
        return [NAMES[i] if i < len(NAMES) else f"{NAMES[i % 26]}{i // 26}" for i in range(peers)]

    @staticmethod
    def _member(name: str) -> Member:
        peer_id = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        return Member(
            id=peer_id,
            name=name,
            url=f"tcp://{name}",
            bulk_url=f"bulk://{name}",
            host=name,
            directory=f"/{name}",
        )

    @staticmethod
    def _believed_alive(process: Process) -> set[str]:
        members = process.node.ring.members.values()
        return {update.member.name for update in members if update.liveness is Liveness.ALIVE}

    def _boot(self, name: str) -> None:
        disk = self.disks[name]
        process = Process(self._member(name), disk, self._settings, self._pace, self.rng.getrandbits(48))
        self.running[name] = process
        seeds = tuple(self._member(other).url for other in self.disks if other != name)[:3]
        self._give(process, PeerStarted(seeds=seeds))

    def _thaw(self, peer: str) -> None:
        process = self.running.get(peer)
        if process is not None and process.frozen:
            process.frozen = False
            for late in self._late.pop(peer, []):
                self.timeline.after(0.0, late)

    def _step(self, due: Letter | Later | Working | Tick) -> None:
        match due:
            case Tick(action=action):
                action()
            case Letter(receiver=receiver):
                self._deliver(due, receiver)
            case Later(peer=peer, start=start, event=event):
                process = self._awake(peer, start, due)
                if process is not None:
                    self._give(process, event)
            case Working(peer=peer, start=start, work=work):
                process = self._awake(peer, start, due)
                if process is not None and (event := process.finish(work, self._read)) is not None:
                    self._give(process, event)
            case _:
                assert_never(due)

    def _deliver(self, letter: Letter, receiver: str) -> None:
        content = letter.content
        if isinstance(content, ReplyTo):
            self.replies[content.request] = content.reply
            return
        name = self._by_url[receiver]
        running = self.running.get(name)
        process = self._awake(name, running.start, letter) if running is not None else None
        if process is not None:
            self._give(process, content)

    def _awake(self, peer: str, start: int, due: Letter | Later | Working) -> Process | None:
        """Find the process that something is due for; what comes to a frozen one waits for its thaw."""
        process = self.running.get(peer)
        if process is None or process.start != start:
            return None
        if process.frozen:
            self._late.setdefault(peer, []).append(due)
            return None
        return process

    def _give(self, process: Process, event: object) -> None:
        name = process.member.name
        self.story.events += 1
        self.story.hash.update(f"{self.timeline.now:.9f}{name}{type(event).__name__}".encode())
        for outgoing in process.handle(self.timeline.now, event):  # type: ignore[arg-type]
            self._let_go(outgoing)
        process.node.check()

    def _let_go(self, outgoing: Outgoing) -> None:
        if isinstance(outgoing, Letter):
            self._send(outgoing)
        else:
            self.timeline.after(*outgoing)

    def _send(self, letter: Letter) -> None:
        receiver = self._by_url.get(letter.receiver, letter.receiver)
        for delay_s in self.network.delays(letter.sender, receiver):
            self.timeline.after(delay_s, letter)

    def _read(self, reader: str, source: Source) -> bytes | Run | None:
        if source.url == CLIENT_URL:
            return self.texts.get(source.ref)
        owner = self._by_bulk_url[source.url]
        process = self.running.get(owner)
        if process is None or process.frozen or not self.network.open(owner, reader):
            return None
        disk = process.disk
        if source.ref.startswith("chunk/"):
            return disk.chunks.get(bytes.fromhex(source.ref.removeprefix("chunk/")))
        if source.ref.startswith("runs/"):
            return disk.runs.get(source.ref)
        return disk.parts.get(source.ref)
