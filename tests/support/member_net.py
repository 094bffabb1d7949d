"""Run many memberships against each other in virtual time, with loss, cuts, crashes, freezes and doubles."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from murmuration.ring.effects import MemberChanged, RingEffect, Send, SendTo, Usurped, WakeAt
from murmuration.ring.events import MessageReceived, Started
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.swim import Membership, MembershipEvent, MembershipSettings
from murmuration.ring.messages import RingMessage
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId

VNODES = 64


def member(number: int, url: str | None = None) -> Member:
    return Member(
        id=f"{number:032x}",
        name=f"p{number}",
        url=url or f"tcp://127.0.0.1:{30000 + number}",
        bulk_url=f"tcp://127.0.0.1:{40000 + number}",
        host="h",
        directory=f"/d/{number}",
    )


def peer(number: int) -> PeerId:
    return PeerId(f"{number:032x}")


def update(number: int, liveness: Liveness = Liveness.ALIVE, start: int = 1, refuted: int = 0) -> Update:
    return Update(member=member(number), liveness=liveness, incarnation=(start << REFUTATION_BITS) + refuted)


class MemberNet:
    """A network of memberships: a heap of deliveries and timers, and one seed for all chance."""

    def __init__(self, seed: int, loss: float = 0.0, settings: MembershipSettings | None = None) -> None:
        self.now = 0.0
        self.loss = loss
        self.rng = Random(seed)
        self.settings = settings or MembershipSettings()
        self.peers: dict[PeerId, Membership] = {}
        self.changes: list[tuple[float, PeerId, Update]] = []
        self.sent: list[tuple[float, PeerId, PeerId, RingMessage]] = []
        self.usurped: list[Membership] = []
        """Who has given way to a later process of its identity; the process is gone then."""
        self.frozen: set[PeerId] = set()
        """Who stands still: what comes to it, its own timers too, waits for its thaw."""
        self.stuck: set[PeerId] = set()
        """Whose messages are stuck, in and out, while its timers go on."""
        self.deaf: set[str] = set()
        """Addresses at which everything is lost."""
        self.is_cut: Callable[[PeerId, PeerId], bool] = lambda source, to: False
        self._at: dict[str, Membership] = {}
        self._queue: list[tuple[float, int, PeerId, Membership, MembershipEvent]] = []
        self._held: list[tuple[PeerId, Membership, MembershipEvent]] = []
        self._unsent: list[tuple[PeerId, PeerId, str, RingMessage]] = []
        self._ticks = count()

    def start(self, number: int, seeds: tuple[int, ...] = (0,), start: int = 1) -> Membership:
        self.peers[peer(number)] = self._boot(member(number), start)
        self.happen(number, Started(seeds=tuple(member(seed).url for seed in seeds)))
        return self.peers[peer(number)]

    def start_double(self, number: int, url: str, start: int, seeds: tuple[int, ...] = (0,)) -> Membership:
        """Start a second process with the identity of a peer; from then on it counts as that peer."""
        self.peers[peer(number)] = self._boot(member(number, url), start)
        self.happen(number, Started(seeds=tuple(member(seed).url for seed in seeds)))
        return self.peers[peer(number)]

    def _boot(self, own: Member, start: int) -> Membership:
        machine = Membership(own, start << REFUTATION_BITS, VNODES, self.settings, Random(self.rng.random()))
        self._at[own.url] = machine
        return machine

    def happen(self, number: int, event: MembershipEvent) -> None:
        self._handle(peer(number), self.peers[peer(number)], event)

    def crash(self, number: int) -> None:
        self._end(self.peers.pop(peer(number)))

    def _end(self, machine: Membership) -> None:
        self._at = {url: other for url, other in self._at.items() if other is not machine}

    def thaw(self, number: int) -> None:
        """Let a frozen or stuck peer go on: first what it had sent, then what has come."""
        self.frozen.discard(peer(number))
        self.stuck.discard(peer(number))
        unsent = [each for each in self._unsent if each[0] == peer(number)]
        held = [each for each in self._held if each[0] == peer(number)]
        self._unsent = [each for each in self._unsent if each[0] != peer(number)]
        self._held = [each for each in self._held if each[0] != peer(number)]
        for source, to, url, message in unsent:
            self._send(source, to, url, message)
        for to, machine, event in held:
            self._arrive(to, machine, event)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        ends = self.now + seconds
        while self._queue and self._queue[0][0] <= ends:
            if until():
                return True
            self.now, _, to, machine, event = heapq.heappop(self._queue)
            self._arrive(to, machine, event)
        self.now = ends
        return until()

    def all_see(self, liveness: Liveness, *numbers: int) -> bool:
        observers = {at: machine for at, machine in self.peers.items() if at not in map(peer, numbers)}
        if liveness == Liveness.ALIVE:
            observers = self.peers
        return all(machine.liveness(peer(n)) == liveness for machine in observers.values() for n in numbers)

    def look(self, machine: Membership) -> None:
        """Check a machine after an event."""
        machine.check()

    def note(self, source: PeerId, to: PeerId, message: RingMessage) -> None:
        """Set down a message that is sent."""
        self.sent.append((self.now, source, to, message))

    def _arrive(self, to: PeerId, machine: Membership, event: MembershipEvent) -> None:
        if self._at.get(machine.own.member.url) is not machine:
            return
        if to in self.frozen or (to in self.stuck and isinstance(event, MessageReceived)):
            self._held.append((to, machine, event))
            return
        self._handle(to, machine, event)

    def _handle(self, at: PeerId, machine: Membership, event: MembershipEvent) -> None:
        for effect in machine.handle(Instant(self.now), event):
            self._perform(at, machine, effect)
        self.look(machine)

    def _perform(self, at: PeerId, machine: Membership, effect: RingEffect) -> None:
        match effect:
            case Send(to=to, message=message):
                self._send(at, to, machine.members[to].member.url, message)
            case SendTo(url=url, message=message):
                there = self._at.get(url)
                if there is not None:
                    self._send(at, PeerId(there.own.member.id), url, message)
            case WakeAt(at=due, event=timer):
                heapq.heappush(self._queue, (due, next(self._ticks), at, machine, timer))  # type: ignore[misc]
            case MemberChanged(update=changed):
                self.changes.append((self.now, at, changed))
            case Usurped():
                self.usurped.append(machine)
                self._end(machine)

    def _send(self, source: PeerId, to: PeerId, url: str, message: RingMessage) -> None:
        if source in self.stuck:
            self._unsent.append((source, to, url, message))
            return
        self.note(source, to, message)
        target = self._at.get(url)
        if target is None or target.own.member.id != to or url in self.deaf:
            return
        if self.is_cut(source, to) or self.rng.random() < self.loss:
            return
        arrival = self.now + self.rng.uniform(0.0005, 0.005)
        received = MessageReceived(sender=source, message=message)
        heapq.heappush(self._queue, (arrival, next(self._ticks), to, target, received))
