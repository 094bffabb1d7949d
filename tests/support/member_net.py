"""Run many memberships against each other in virtual time, with loss, cuts and crashes."""

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from murmuration.ring.effects import MemberChanged, Send, SendTo, WakeAt
from murmuration.ring.events import MessageReceived, Started
from murmuration.ring.membership.swim import Membership, MembershipEvent, MembershipSettings
from murmuration.ring.messages import Liveness, RingMessage, Update
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
        self.frozen: set[PeerId] = set()
        self.is_cut: Callable[[PeerId, PeerId], bool] = lambda source, to: False
        self._queue: list[tuple[float, int, PeerId, Membership, MembershipEvent]] = []
        self._held: list[tuple[PeerId, Membership, MembershipEvent]] = []
        self._ticks = count()

    def start(self, number: int, seeds: tuple[int, ...] = (0,), start: int = 1) -> Membership:
        own = member(number)
        machine = Membership(own, start << REFUTATION_BITS, VNODES, self.settings, Random(self.rng.random()))
        self.peers[peer(number)] = machine
        self.happen(number, Started(seeds=tuple(member(seed).url for seed in seeds)))
        return machine

    def happen(self, number: int, event: MembershipEvent) -> None:
        self._handle(peer(number), self.peers[peer(number)], event)

    def crash(self, number: int) -> None:
        del self.peers[peer(number)]

    def thaw(self, number: int) -> None:
        self.frozen.discard(peer(number))
        held, self._held = self._held, []
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

    def _arrive(self, to: PeerId, machine: Membership, event: MembershipEvent) -> None:
        if self.peers.get(to) is not machine:
            return
        if to in self.frozen:
            self._held.append((to, machine, event))
            return
        self._handle(to, machine, event)

    def _handle(self, at: PeerId, machine: Membership, event: MembershipEvent) -> None:
        for effect in machine.handle(Instant(self.now), event):
            match effect:
                case Send(to=to, message=message):
                    self._send(at, to, message)
                case SendTo(url=url, message=message):
                    for to, other in list(self.peers.items()):
                        if other.members[to].member.url == url:
                            self._send(at, to, message)
                case WakeAt(at=due, event=timer):
                    heapq.heappush(self._queue, (due, next(self._ticks), at, machine, timer))
                case MemberChanged(update=changed):
                    self.changes.append((self.now, at, changed))
        machine.check()

    def _send(self, source: PeerId, to: PeerId, message: RingMessage) -> None:
        self.sent.append((self.now, source, to, message))
        target = self.peers.get(to)
        if target is None or self.is_cut(source, to) or self.rng.random() < self.loss:
            return
        arrival = self.now + self.rng.uniform(0.0005, 0.005)
        received = MessageReceived(sender=source, message=message)
        heapq.heappush(self._queue, (arrival, next(self._ticks), to, target, received))
