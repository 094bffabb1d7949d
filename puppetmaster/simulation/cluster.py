"""Run a cluster of simulated processes: deliver what is due, inject faults, and check every machine as it goes."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import assert_never

from ...node.effects import ReplyTo
from ...node.events import ClientAsked, NodeEvent, PeerSpoke, PeerStarted
from ...node.machine import NodeSettings
from ...node.wire.requests import ClientReply, ClientRequest
from ...ring.effects import Operate
from ...ring.events import LeaveRequested
from ...ring.messages import Liveness
from ...ring.terms import Instant, Member, PeerId, Source
from ..faults import Crash, Fault, Freeze, Leave, Restart, SetDisk, Slow, SlowDisk, Thaw, title_of
from .disk import Disk, Run
from .history import History, Kind
from .network import Network
from .process import Later, Letter, Outgoing, Pace, Process, Working
from .telling import key_of, title_of_message
from .timeline import Timeline
from .weather import change
from .witness import Witness

CLIENT_URL = "tcp://client"
NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FAREWELL_S = 0.5
"""How long a peer that leaves stays to see its news off."""
CHECK_EVERY = 8
"""A machine's invariants are asserted after every so many of its events: asserting takes longer than deciding, and what
is broken stays broken for a while. A failing seed is told again with every single event checked."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that the stage's own script asked for."""

    action: Callable[[], None]


@dataclass(slots=True)
class Story:
    """What happened, as a hash of everything and a line for each fault."""

    hash: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))
    events: int = 0
    faults: list[str] = field(default_factory=list)
    changed_at: float = 0.0
    """When the last fault was."""


def names_of(peers: int) -> list[str]:
    """Name so many peers: A, B, C and so on, after Z by A1, B1."""
    return [NAMES[i] if i < len(NAMES) else f"{NAMES[i % 26]}{i // 26}" for i in range(peers)]


class Cluster:
    """Named peers and one client, all of whom share a timeline and a network."""

    def __init__(
        self,
        names: Sequence[str],
        settings: NodeSettings,
        seed: int,
        pace: Pace | None = None,
        history: History | None = None,
        check_every: int = CHECK_EVERY,
        host: str = "",
    ) -> None:
        """Set the stage; with `host` all peers share that machine, and read each other's files by their paths."""
        self.rng = random.Random(seed)
        self.timeline: Timeline[Letter | Later | Working | Tick] = Timeline()
        self.network = Network(random.Random(seed + 1))
        self.witness = Witness()
        self.story = Story()
        self.texts: dict[str, bytes] = {}
        self.replies: dict[str, ClientReply] = {}
        self.settings = settings
        self._pace = pace or Pace()
        self._history = history
        self._check_every = check_every
        self._host = host
        self._requests: Iterator[int] = count()
        self.disks = {name: Disk() for name in names}
        self.running: dict[str, Process] = {}
        self._late: dict[str, list[Letter | Later | Working]] = {}
        self._by_url = {self.member(name).url: name for name in self.disks}
        self._by_bulk_url = {self.member(name).bulk_url: name for name in self.disks}

    # --- the stage ---

    def start(self) -> None:
        """Start all peers; all but the first join through the first."""
        for name in self.disks:
            self.boot(name)

    def boot(self, name: str) -> None:
        """Start a peer's process on the disk that it has."""
        disk = self.disks[name]
        seed = self.rng.getrandbits(48)
        process = Process(self.member(name), disk, self.settings, self._pace, seed, self.witness)
        self.running[name] = process
        self.witness.forget(process.id)
        seeds = tuple(self.member(other).url for other in self.disks if other != name)[:3]
        self._give(process, PeerStarted(seeds=seeds))

    def run_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until `done`, or to the instant `limit_s`; tell whether it was done."""
        while self.timeline and self.timeline.now < limit_s:
            if done():
                return True
            self._step(self.timeline.next())
        return done()

    def inject(self, fault: Fault) -> None:
        """Let a fault happen now."""
        title = title_of(fault)
        self.story.faults.append(f"{self.timeline.now:8.3f} {title}")
        self.story.changed_at = self.timeline.now
        self.tell(Kind.FAULT, getattr(fault, "peer", ""), title)
        match fault:
            case Crash(peer=peer):
                self._crash(peer)
            case Leave(peer=peer):
                self._leave(peer)
            case Restart(peer=peer, empty=empty):
                self._restart(peer, empty=empty)
            case Freeze(peer=peer):
                self._freeze(peer)
            case Thaw(peer=peer):
                self._thaw(peer)
            case Slow(peer=peer, pause_s=pause_s):
                if peer in self.running:
                    process = self.running[peer]
                    process.paused_until = Instant(max(process.paused_until, self.timeline.now) + pause_s)
            case SetDisk(peer=peer, state=state):
                self.disks[peer].state = state
            case SlowDisk(peer=peer, delay_s=delay_s):
                self.disks[peer].delay_s = delay_s
            case _:
                change(self.network, fault)

    def ask(self, peer: str, question: ClientRequest) -> str:
        """Send a client's question to a peer; its reply, if any, appears in `replies` under the name given back."""
        request = str(next(self._requests))
        asked = ClientAsked(route=b"client", request=request, question=question)
        self._send(Letter("client", self.member(peer).url, asked))
        return request

    def live(self) -> list[str]:
        """Name the peers that run and are not frozen."""
        return [name for name, process in self.running.items() if not process.frozen]

    def agreed(self) -> bool:
        """Tell whether every live peer believes exactly the live ones alive."""
        live = [self.running[name] for name in self.live()]
        ids = {process.id for process in live}
        return all(self._believed_alive(process) == ids for process in live)

    def at(self, instant: float, action: Callable[[], None]) -> None:
        """Have something done at an instant."""
        self.timeline.at(Instant(instant), Tick(action))

    def repeat(self, action: Callable[[], None], start: float, every_s: float, until: Callable[[], bool]) -> None:
        """Have something done again and again from an instant on."""

        def again() -> None:
            if not until():
                action()
                self.at(self.timeline.now + every_s, again)

        self.at(start, again)

    def tell(self, kind: Kind, peer: str, text: str, other: str = "", about: str = "") -> None:
        """Set down a line of the history, if one is kept."""
        if self._history is not None:
            self._history.tell(self.timeline.now, kind, peer, text, other, about)

    def member(self, name: str) -> Member:
        """Describe a peer as it describes itself; its id is that of its disk."""
        number = self.disks[name].number
        identity = f"{name}/{number}" if number else name
        return Member(
            id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
            name=name,
            url=f"tcp://{name}",
            bulk_url=f"bulk://{name}",
            host=self._host or name,
            directory=f"/{name}",
        )

    # --- faults ---

    def _crash(self, peer: str) -> None:
        process = self.running.pop(peer, None)
        self._late.pop(peer, None)
        if process is None:
            return
        note = self.witness.note
        for rarity, reached in (
            ("attempts died", bool(process.attempts)),
            ("crash amid write", bool(process.queue)),
            ("crash before acknowledgement", process.unreported > 0),
            ("tracker crashed", self._tracks(process)),
            ("electorate cut", 2 * len(self.live()) < len(self.disks)),
            ("all down", not self.running),
        ):
            if reached:
                note(rarity)

    def _leave(self, peer: str) -> None:
        process = self.running.get(peer)
        if process is not None:
            self._give(process, LeaveRequested())
            self.at(self.timeline.now + FAREWELL_S, partial(self._crash, peer))

    def _restart(self, peer: str, *, empty: bool) -> None:
        if peer in self.running:
            return
        if empty:
            self.disks[peer] = Disk(number=self.disks[peer].number + 1)
            self.witness.note("empty restart")
        self.boot(peer)

    def _freeze(self, peer: str) -> None:
        process = self.running.get(peer)
        if process is not None:
            process.frozen = True
            if self._tracks(process):
                self.witness.note("tracker frozen")

    @staticmethod
    def _tracks(process: Process) -> bool:
        return any(job.live and job.tracker == process.id for job in process.node.scheduling.jobs.values())

    def _thaw(self, peer: str) -> None:
        process = self.running.get(peer)
        if process is None or not process.frozen:
            return
        process.frozen = False
        late = self._late.pop(peer, [])
        if len(late) >= 10:
            self.witness.note("burst after thaw")
        for due in late:
            self.timeline.after(0.0, due)

    # --- within ---

    @staticmethod
    def _believed_alive(process: Process) -> set[PeerId]:
        members = process.node.ring.members.items()
        return {peer for peer, update in members if update.liveness is Liveness.ALIVE}

    def _step(self, due: Letter | Later | Working | Tick) -> None:
        match due:
            case Letter(receiver=receiver):
                self._deliver(due, receiver)
            case Later(peer=peer, start=start, event=event):
                process = self._awake(peer, start, due)
                if process is not None:
                    self._give(process, event)
            case Working(peer=peer, start=start):
                process = self._awake(peer, start, due)
                if process is not None:
                    self._finish(process, due)
            case Tick(action=action):
                action()
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
        if process is None:
            return
        if self._history is not None and isinstance(content, PeerSpoke):
            text = title_of_message(content.message)
            self.tell(Kind.MESSAGE, letter.sender, text, name, about=key_of(content.message))
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

    def _finish(self, process: Process, due: Working) -> None:
        work = due.work
        if isinstance(work, Operate):
            for outgoing in process.operate(work):
                self._let_go(outgoing)
        elif process.paused_until > self.timeline.now:
            self.timeline.at(process.paused_until, due)
        else:
            event = process.finish(work, self._read)
            if event is not None:
                self._give(process, event)

    def _give(self, process: Process, event: NodeEvent) -> None:
        now, story = self.timeline.now, self.story
        story.events += 1
        story.hash.update(b"%.9f%s%s" % (now, process.name.encode(), type(event).__name__.encode()))
        for outgoing in process.handle(now, event):
            self._let_go(outgoing)
        if process.events % self._check_every == 0:
            process.node.check()

    def _let_go(self, outgoing: Outgoing) -> None:
        if isinstance(outgoing, Letter):
            self._send(outgoing)
        else:
            self.timeline.after(*outgoing)

    def _send(self, letter: Letter) -> None:
        receiver = self._by_url.get(letter.receiver, letter.receiver)
        delays = self.network.delays(letter.sender, receiver)
        for delay_s in delays:
            self.timeline.after(delay_s, letter)
        if not delays and self._history is not None and isinstance(letter.content, PeerSpoke):
            message = letter.content.message
            self.tell(Kind.LOST, letter.sender, title_of_message(message), receiver, about=key_of(message))

    def _read(self, reader: str, source: Source) -> bytes | Run | None:
        if source.url == CLIENT_URL:
            return self.texts.get(source.ref)
        owner = self._by_bulk_url[source.url]
        process = self.running.get(owner)
        is_served = process is not None and not process.frozen and self.network.open(owner, reader)
        if not is_served and not (self._host and source.path):
            return None
        disk = self.disks[owner]
        if source.ref.startswith("chunk/"):
            return disk.chunks.get(bytes.fromhex(source.ref.removeprefix("chunk/")))
        return disk.runs.get(source.ref) if source.ref.startswith("runs/") else disk.parts.get(source.ref)
