"""Run a cluster of simulated processes: deliver what is due, inject faults, and check every machine as it goes."""

import hashlib
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import assert_never

from ...node.effects import Knock, ReplyTo
from ...node.events import ClientAsked, Knocked, NodeEvent, PeerSpoke, PeerStarted
from ...node.machine import NodeSettings
from ...node.wire.codec import encode_peer
from ...node.wire.replies import ClientReply
from ...node.wire.requests import ClientRequest
from ...ring.effects import Operate
from ...ring.errors import InvariantBroken
from ...ring.facts import Liveness, Standing
from ...ring.terms import Instant, Member, PeerId, Source
from ...scheduling.events import LeftoversFound
from ...scheduling.status import Condition
from .disk import Disk, Run
from .history import History, Kind
from .network import Network, queue_s
from .outgoing import Later, Letter, Outgoing, Working
from .process import Process
from .telling import key_of, title_of_message
from .timeline import Timeline
from .times import Pace
from .witness import Witness

LEAVE_PATIENCE_S = 4.0
FAREWELL_S = 0.5
"""How long a peer that stops stays to see its news off."""
CLIENT_URL = "tcp://client"
NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
JAM_S = 1.0
RESTART_S = 0.5
"""How long whoever looks after a peer takes to start it again."""
CHECK_EVERY = 8
"""A machine's invariants are asserted after every so many of its events: asserting takes longer than deciding, and what
is broken stays broken for a while. A failing seed is told again with every single event checked."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that the stage's own script asked for."""

    action: Callable[[], None]


STORM_EVENTS = 10_000
"""Events of one peer in one second that are too many: some fifty are usual, and a thousand come when one thaws."""


@dataclass(slots=True)
class Story:
    """What happened, as a hash of everything and a line for each fault."""

    hash: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))
    events: int = 0
    faults: list[str] = field(default_factory=list)
    changed_at: float = 0.0
    """When the last fault was."""
    second: int = 0
    events_before: int = 0
    """How many events there had been when that second began."""

    def count(self, now: Instant, peers: int) -> None:
        """Count an event.

        Raises:
            InvariantBroken: a storm; without an end to it virtual time would hardly go on.
        """
        self.events += 1
        if int(now) != self.second:
            self.second, self.events_before = int(now), self.events
        elif self.events - self.events_before > STORM_EVENTS * peers:
            raise InvariantBroken(f"X3: a storm of messages in second {self.second}")


def size_of(letter: Letter) -> int:
    """Count the bytes of a message between peers as it goes over the wire; a client's take no room."""
    if not isinstance(letter.content, PeerSpoke):
        return 0
    return len(encode_peer(letter.content.sender, letter.recipient, letter.content.message))


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
        self._serials: Iterator[int] = count(1)
        self.disks = {name: Disk(vnodes=settings.ring.vnodes) for name in names}
        self.running: dict[str, Process] = {}
        self.backups: dict[str, Disk] = {}
        """The disks that were copied, by peer name."""
        self.leave_patience_s = LEAVE_PATIENCE_S
        """A peer whose leave takes longer stops all the same."""
        self._doubter = ""
        """The last peer whose view was not the right one: it is looked at first, as it is the likeliest."""
        self._by_url = {self.member(name).url: name for name in self.disks}
        self._by_bulk_url = {self.member(name).bulk_url: name for name in self.disks}

    # --- the stage ---

    def start(self, but: Collection[str] = ()) -> None:
        """Start all peers `but` some; all but the first join through the first."""
        for name in self.disks:
            if name not in but:
                self.boot(name)

    def boot(self, name: str, seeds: Sequence[str] | None = None) -> None:
        """Start a peer's process on the disk that it has; it asks `seeds` for its cluster, or else any others."""
        disk = self.disks[name]
        seed = self.rng.getrandbits(48)
        serial = next(self._serials)
        now = self.timeline.now
        process = Process(self.member(name), disk, self.settings, self._pace, seed, self.witness, serial, now)
        self.running[name] = process
        self.witness.forget(process.id)
        asked = self.disks if seeds is None else seeds
        urls = tuple(self.member(other).url for other in asked if other != name)[:3]
        self.feed(process, PeerStarted(seeds=urls))
        if left := disk.jobs_left():
            self.feed(process, LeftoversFound(jobs=left))

    def run_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until `done`, or to the instant `limit_s`; tell whether it was done."""
        while self.timeline and self.timeline.now < limit_s:
            if done():
                return True
            self._step(self.timeline.next())
        return done()

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
        live = sorted(self.live(), key=lambda name: name != self._doubter)
        ids = {self.running[name].id for name in live}
        doubters = (name for name in live if self._believed_alive(self.running[name]) != ids)
        self._doubter = next(doubters, "")
        return not self._doubter

    def all_joined(self) -> bool:
        """Tell whether the views of all live peers agree, and none of them joins any more, unless it is alone."""
        if not self.agreed():
            return False
        live = [self.running[name] for name in self.live()]
        tables = [process.node.ring.members for process in live]
        joins = any(table[process.id].standing is Standing.JOINING for table in tables for process in live)
        return not joins or len(live) == 1

    def at_rest(self) -> bool:
        """Tell whether nobody joins or leaves, in the eyes of all live peers.

        Who lost its disk over that comes back as another member; what it was stays as it is until somebody removes it.
        """
        ids = {process.id for process in self.running.values()}
        members = (process.node.ring.members for process in self.running.values() if not process.frozen)
        resting = (Standing.VALID, Standing.REMOVED)
        return all(table[peer].standing in resting for table in members for peer in ids & table.keys())

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

    # --- within ---

    @staticmethod
    def _believed_alive(process: Process) -> set[PeerId]:
        members = process.node.ring.members.items()
        return {peer for peer, update in members if update.liveness is Liveness.ALIVE}

    def _step(self, due: Letter | Later | Working | Tick) -> None:
        match due:
            case Letter(receiver=receiver):
                self._deliver(due, receiver)
            case Later(peer=peer, serial=serial, event=event, at=at):
                process = self._awake(peer, serial, due)
                if process is not None:
                    process.rang(self.timeline.now, at)
                    self.feed(process, event)
            case Working(peer=peer, serial=serial):
                process = self._awake(peer, serial, due)
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
        process = self._awake(name, running.serial, letter) if running is not None else None
        if process is None:
            return
        if letter.recipient not in ("", process.id):
            self.witness.note("address used again")
            return
        if self._history is not None and isinstance(content, PeerSpoke):
            text = title_of_message(content.message)
            self.tell(Kind.MESSAGE, letter.sender, text, name, about=key_of(content.message))
        self.feed(process, content)

    def _awake(self, peer: str, serial: int, due: Letter | Later | Working) -> Process | None:
        """Find the process that something is due for; what comes to a frozen one waits for its thaw."""
        process = self.running.get(peer)
        if process is None or process.serial != serial:
            return None
        if process.frozen:
            process.late.append(due)
            return None
        return process

    def _finish(self, process: Process, due: Working) -> None:
        work = due.work
        if isinstance(work, Operate):
            for outgoing in process.operate(self.timeline.now, work):
                self.let_go(outgoing)
        elif isinstance(work, Knock):
            self.feed(process, Knocked(peer=work.peer, condition=self._behind(process.name, self._by_url[work.url])))
        elif process.paused_until > self.timeline.now:
            self.timeline.at(process.paused_until, due)
        else:
            event = process.finish(work, due.fraction, self._read)
            if event is not None:
                self.feed(process, event)

    def _behind(self, knocker: str, name: str) -> Condition:
        """Tell what a knock shows: a machine answers for its process as long as that has not ended."""
        if not (self.network.open(knocker, name) and self.network.open(name, knocker)):
            return Condition.UNREACHABLE
        return Condition.FROZEN if name in self.running else Condition.GONE

    def feed(self, process: Process, event: NodeEvent) -> None:
        """Hand an event to a process, and let go of what comes of it."""
        now, story = self.timeline.now, self.story
        story.count(now, len(self.disks))
        story.hash.update(b"%.9f%s%s" % (now, process.name.encode(), type(event).__name__.encode()))
        for outgoing in process.handle(now, event):
            self.let_go(outgoing)
        if process.events % self._check_every == 0:
            process.node.check()
        if process.disk_is_old:
            self._renew(process)
        elif process.parted and not process.disk.is_given_up:
            process.disk.is_given_up = True
            self.at(now + FAREWELL_S, partial(self.end, process))

    def end(self, process: Process) -> None:
        """End a process, unless it has ended before; another may have its name."""
        if self.running.get(process.name) is process:
            del self.running[process.name]

    def _renew(self, process: Process) -> None:
        """End a process that has found its disk to be an old copy, and start that anew as a new peer's."""
        if self.running.get(process.name) is not process:
            return
        del self.running[process.name]
        outdated = process.disk
        if not outdated.is_restored:
            self.witness.accuse(f"S7: {process.name} takes its disk for an old one, and nobody has put it back")
        fresh = Disk(number=process.serial, vnodes=outdated.vnodes, owner=outdated.owner)
        self.disks[process.name] = fresh.in_place_of(outdated)
        self.witness.note("old disk recognised")
        self.tell(Kind.FAULT, process.name, f"{process.name} finds its disk to be old and becomes a new peer")

        def start() -> None:
            if process.name not in self.running:
                self.boot(process.name)

        self.at(self.timeline.now + RESTART_S, start)

    def let_go(self, outgoing: Outgoing) -> None:
        """Put a letter on its way, or set something for later."""
        if isinstance(outgoing, Letter):
            self._send(outgoing)
        else:
            self.timeline.after(*outgoing)

    def _send(self, letter: Letter) -> None:
        receiver = self._by_url.get(letter.receiver, letter.receiver)
        delays = self.network.delays(letter.sender, receiver)
        bound = self.network.bound(letter.sender, receiver)
        if bound is not None and delays:
            queue = queue_s(bound, self.timeline.now, size_of(letter))
            delays = [queue + delay_s for delay_s in delays]
            if queue > JAM_S:
                self.witness.note("link jammed")
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
            content: bytes | Run | None = disk.chunk(bytes.fromhex(source.ref.removeprefix("chunk/")))
        else:
            content = disk.run(source.ref) if source.ref.startswith("runs/") else disk.part(source.ref)
        if content is None and source.ref in disk.damaged:
            self.witness.note("damaged file met")
        return content
