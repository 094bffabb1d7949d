"""Measure membership in virtual time: how fast news reaches all, what it costs, and how many healthy peers it kills.

    python benchmarks/membership.py [--sizes 10 100 1000] [--seed 1]      scale: seconds and bytes by number of peers
    python benchmarks/membership.py --slow [--peers 32] [--seeds 3]       false deaths with some peers slow, by rules

Only the membership machines run, no whole peers; a message takes 0.5 to 5 ms and its real size on the wire.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from member_net import VNODES, MemberNet, peer, update

from murmuration.node.wire.codec import encode_peer
from murmuration.ring.events import MessageReceived
from murmuration.ring.facts import Liveness
from murmuration.ring.membership.settings import MembershipSettings
from murmuration.ring.membership.swim import Membership
from murmuration.ring.messages import Gossip, PushPull, RingMessage
from murmuration.ring.terms import PeerId

STEP_S = 0.05
"""How exactly times are measured."""
CALM_S = 180.0
"""As long as the longest pause between two exchanges of tables."""
CUT_S = 60.0
LIMIT_S = 600.0

RULES = {
    "SWIM": MembershipSettings(awareness_worst=0, suspicion_spread=1),
    "SWIM, awareness": MembershipSettings(suspicion_spread=1),
    "SWIM, slow suspicion": MembershipSettings(awareness_worst=0),
    "Lifeguard": MembershipSettings(),
}
SLOWED = (1, 4, 8, 16)
SLOW_ROUNDS, SLOW_S, AWAKE_S = 20, 12.0, 0.3


class CountingNet(MemberNet):
    """A network that counts bytes by kind of message instead of keeping messages, and lets machines be unchecked."""

    def __init__(self, seed: int, settings: MembershipSettings | None = None) -> None:
        super().__init__(seed, settings=settings)
        self.bytes: Counter[str] = Counter()
        self.is_news_lost = False
        self._doubter: Membership | None = None

    def look(self, machine: Membership) -> None:
        """Trust the machine: to check a table of 1,000 after each event takes longer than all else."""

    def note(self, source: PeerId, to: PeerId, message: RingMessage) -> None:
        """Count the bytes of a message."""
        self.bytes[type(message).__name__] += len(encode_peer(source, to, message))

    def _send(self, source: PeerId, to: PeerId, url: str, message: RingMessage) -> None:
        if not (self.is_news_lost and isinstance(message, Gossip | PushPull)):
            super()._send(source, to, url, message)

    def seconds_until(self, holds: Callable[[Membership], bool], but: PeerId | None = None) -> float:
        """Tell how long it takes until something holds for all machines but one."""
        began = self.now
        while not self._all(holds, but):
            self.run(STEP_S)
            if self.now - began > LIMIT_S:
                raise TimeoutError(f"it does not hold everywhere after {LIMIT_S} s")
        return self.now - began

    def _all(self, holds: Callable[[Membership], bool], but: PeerId | None) -> bool:
        if self._doubter is not None and self._doubter in self.peers.values() and not holds(self._doubter):
            return False
        self._doubter = next((m for at, m in self.peers.items() if at != but and not holds(m)), None)
        return self._doubter is None


def settled(size: int, seed: int, settings: MembershipSettings | None = None) -> CountingNet:
    """Give so many peers that all know all, whose start is over and whose news is old."""
    net = CountingNet(seed, settings)
    net.is_news_lost = True
    whole = tuple(update(number) for number in range(size))
    for number in range(size):
        net.start(number, seeds=())
        own = whole[number : number + 1]
        table = PushPull(vnodes=VNODES, members=(*own, *whole), reply_wanted=False)
        net.happen(number, MessageReceived(sender=peer((number + 1) % size), message=table))
        while net.peers[peer(number)]._news.take(0):  # noqa: SLF001 -- told often enough
            continue
        net.changes.clear()
    net.run(30.0)
    net.is_news_lost = False
    net.run(5.0)
    net.changes.clear()
    net.bytes.clear()
    return net


@dataclass(slots=True)
class Figures:
    """What was measured at one size, in seconds and bytes."""

    calm_bytes: float = 0.0
    table_bytes: float = 0.0
    suspected: list[float] = field(default_factory=list)
    suspected_by_all: list[float] = field(default_factory=list)
    dead: list[float] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    healed: list[float] = field(default_factory=list)


def measure(size: int, seed: int) -> Figures:
    """Measure one size: calm, crashes, joins, and a cut through the middle."""
    figures = Figures()
    net = settled(size, seed)
    net.run(CALM_S)
    figures.table_bytes = net.bytes.pop("PushPull", 0) / size / CALM_S
    figures.calm_bytes = net.bytes.total() / size / CALM_S
    times = max(3, min(20, 1000 // size))
    for _ in range(1 if size > 100 else 3):
        cut_and_heal(net, figures)
    for round_ in range(times):
        crash_and_return(net, 1 + round_ % (size - 1), 2 + round_, figures)
    while len(figures.joined) < times:
        net = net if size > 100 else settled(size, seed + len(figures.joined))
        for number in range(size, size + min(times, size // 10)):
            join(net, number, figures)
    return figures


def crash_and_return(net: CountingNet, number: int, start: int, figures: Figures) -> None:
    """Crash a peer, time what the others believe of it, and start it again."""
    victim = peer(number)
    net.run(net.rng.uniform(0.0, 1.0))
    began = net.now
    net.changes.clear()
    net.crash(number)
    net.seconds_until(lambda machine: machine.liveness(victim) is not Liveness.ALIVE)
    figures.suspected.append(next(at for at, _, changed in net.changes if changed.member.id == victim) - began)
    figures.suspected_by_all.append(net.now - began)
    net.seconds_until(lambda machine: machine.liveness(victim) is Liveness.DEAD)
    figures.dead.append(net.now - began)
    net.start(number, seeds=(0,), start=start)
    net.seconds_until(lambda machine: machine.liveness(victim) is Liveness.ALIVE)
    net.run(10.0)


def join(net: CountingNet, number: int, figures: Figures) -> None:
    """Let a new peer join through the first, and time until everybody knows it and it knows everybody."""
    newcomer = net.start(number, seeds=(0,))
    count = len(net.peers)
    everybody = lambda machine: machine.liveness(peer(number)) is Liveness.ALIVE and len(newcomer.members) == count  # noqa: E731
    figures.joined.append(net.seconds_until(everybody))
    net.run(5.0)


def cut_and_heal(net: CountingNet, figures: Figures) -> None:
    """Cut a tenth off, five at least, for long enough to die; mend it, and time until all see all alive."""
    lost = set(list(net.peers)[: max(5, len(net.peers) // 10)])
    net.is_cut = lambda source, to: (source in lost) != (to in lost)
    net.run(CUT_S)
    net.is_cut = lambda *_: False
    everybody = lambda machine: all(held.liveness is Liveness.ALIVE for held in machine.members.values())  # noqa: E731
    figures.healed.append(net.seconds_until(everybody))
    net.run(20.0)


def told(seconds: list[float]) -> str:
    """Give the median and the worst but one in ten of some times."""
    high = quantiles(seconds, n=10)[-1] if len(seconds) > 9 else max(seconds)
    return f"{median(seconds):.1f} / {high:.1f} s"


def print_scale(sizes: list[int], seed: int) -> None:
    """Print the table of scale, row by row."""
    titles = ("peers", "first suspects", "all suspect", "dead for all", "join known to all", "cut healed")
    print("| " + " | ".join((*titles, "bytes per peer and s", "of tables")) + " |")
    print("|" + "---|" * (len(titles) + 2))
    for size in sizes:
        found = measure(size, seed)
        times = (found.suspected, found.suspected_by_all, found.dead, found.joined, found.healed)
        bytes_ = (f"{found.calm_bytes:.0f}", f"{found.table_bytes:.0f}")
        print("| " + " | ".join((str(size), *map(told, times), *bytes_)) + " |", flush=True)


def false_deaths(settings: MembershipSettings, peers: int, slowed: int, seed: int, *, is_stopped: bool) -> int:
    """Count how often a peer that is not slow was taken for dead by one that is not slow either."""
    net = settled(peers, seed, settings)
    slow = range(peers - slowed, peers)
    for _ in range(SLOW_ROUNDS):
        (net.frozen if is_stopped else net.stuck).update(map(peer, slow))
        net.run(SLOW_S)
        for number in slow:
            net.thaw(number)
        net.run(AWAKE_S)
    return sum(
        changed.liveness is Liveness.DEAD and int(changed.member.id, 16) < slow[0] and int(at, 16) < slow[0]
        for _, at, changed in net.changes
    )


def print_slow(peers: int, seeds: int) -> None:
    """Print the table of false deaths, row by row."""
    print(f"False deaths among the healthy of {peers}, in {SLOW_ROUNDS * (SLOW_S + AWAKE_S):.0f} s, mean of {seeds}\n")
    print("| slow peers | " + " | ".join(RULES) + " |")
    print("|" + "---|" * (len(RULES) + 1))
    for is_stopped in (False, True):
        for slowed in SLOWED:
            found = [
                sum(false_deaths(settings, peers, slowed, seed, is_stopped=is_stopped) for seed in range(seeds)) / seeds
                for settings in RULES.values()
            ]
            how = "stopped" if is_stopped else "messages stuck"
            print(f"| {slowed}, {how} | " + " | ".join(f"{each:.1f}" for each in found) + " |", flush=True)


def main() -> None:
    """Print one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", action="store_true", help="false deaths with some peers slow, in place of scale")
    parser.add_argument("--peers", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if options.slow:
        print_slow(options.peers, options.seeds)
    else:
        print_scale(options.sizes, options.seed)


if __name__ == "__main__":
    main()
