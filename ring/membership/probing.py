"""Decide whom to probe and what an answer, or none, says about the probed one and about this peer itself.

Each interval the next member of a shuffled list is pinged; without an answer some relays are asked to ping it; without
an answer by the end of the interval it is to be suspected (SWIM, section 4.1 and 4.3). A peer that finds itself slow,
because its own timers came late or others suspected it, probes more slowly and accuses nobody (Lifeguard, section 3.1).
"""

from dataclasses import dataclass
from random import Random

from ..effects import RingEffect, Send, WakeAt
from ..events import ProbeExpired
from ..messages import Ack, Liveness, Ping, PingRequest, Update
from ..terms import Incarnation, Instant, PeerId
from .beliefs import Beliefs
from .news import NewsQueue
from .settings import MembershipSettings

RELAYED_MAX = 1024
"""Pings on behalf of others that are remembered; the oldest is forgotten first."""

SLOWNESS_MAX = 8


class Rota:
    """A shuffled round of members, so that each is probed within two rounds; newcomers enter at a random place."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._members: dict[PeerId, None] = {}
        self._round: list[PeerId] = []

    @property
    def members(self) -> set[PeerId]:
        """Everybody who is probed."""
        return set(self._members)

    def add(self, peer: PeerId) -> None:
        """Let a member take part from the present round on."""
        if peer not in self._members:
            self._members[peer] = None
            self._round.insert(self._rng.randint(0, len(self._round)), peer)

    def drop(self, peer: PeerId) -> None:
        """Probe a member no more."""
        if self._members.pop(peer, ...) is None and peer in self._round:
            self._round.remove(peer)

    def next(self) -> PeerId | None:
        """Name whose turn it is; None if there is nobody."""
        if not self._round:
            self._round = list(self._members)
            self._rng.shuffle(self._round)
        return self._round.pop() if self._round else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    target: PeerId
    incarnation: Incarnation
    ends: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relayed:
    asker: PeerId
    sequence: int


class Probing:
    """The probes under way, those relayed for others, and how slow this peer believes itself to be."""

    def __init__(self, beliefs: Beliefs, news: NewsQueue, settings: MembershipSettings, rng: Random) -> None:
        self._beliefs = beliefs
        self._news = news
        self._settings = settings
        self._rng = rng
        self._sequence = rng.getrandbits(40)
        self._probes: dict[int, _Probe] = {}
        self._relayed: dict[int, _Relayed] = {}
        self._slowness = 0
        self.rota = Rota(rng)

    @property
    def interval_s(self) -> float:
        """Tell the pause between probes, stretched by the slowness."""
        return self._settings.probe_interval_s * (1 + self._slowness)

    def next(self, now: Instant) -> list[RingEffect]:
        """Probe whose turn it is."""
        target = self.rota.next()
        return [] if target is None else self.probe(now, target)

    def probe(self, now: Instant, target: PeerId) -> list[RingEffect]:
        """Ping a member, unless a probe of it is under way or nobody expects it to live."""
        held = self._beliefs.get(target)
        if target not in self.rota.members or held is None:
            return []
        if any(probe.target == target for probe in self._probes.values()):
            return []
        sequence = self._next_sequence()
        ends = Instant(now + self.interval_s)
        direct_ends = Instant(now + self._settings.probe_timeout_s * (1 + self._slowness))
        self._probes[sequence] = _Probe(target=target, incarnation=held.incarnation, ends=ends)
        return [
            Send(to=target, message=Ping(sequence=sequence, target=target, news=self._news_for(held))),
            WakeAt(at=direct_ends, event=ProbeExpired(sequence=sequence, stage=0)),
            WakeAt(at=ends, event=ProbeExpired(sequence=sequence, stage=1)),
        ]

    def ask_relays(self, sequence: int) -> list[RingEffect]:
        """Ask others to ping a member that has not answered in time."""
        probe = self._probes.get(sequence)
        if probe is None:
            return []
        able = [peer for peer in self._beliefs.others(Liveness.ALIVE) if peer != probe.target]
        relays = self._rng.sample(able, min(self._settings.relays, len(able)))
        request = PingRequest(sequence=sequence, target=probe.target)
        return [Send(to=relay, message=request) for relay in relays]

    def give_up(self, now: Instant, sequence: int) -> Update | None:
        """End a probe; return the belief to accuse of, or None if it was answered, outdated, or our own fault."""
        probe = self._probes.pop(sequence, None)
        if probe is None:
            return None
        if now - probe.ends > self._settings.probe_interval_s:
            self.slow_down()
            return None
        held = self._beliefs.get(probe.target)
        is_same = held is not None and held.incarnation == probe.incarnation
        return held if is_same and probe.target in self.rota.members else None

    def answered(self, sequence: int) -> list[RingEffect]:
        """Close the probe that an ack answers, or forward the ack to who asked for it."""
        relayed = self._relayed.pop(sequence, None)
        if relayed is not None:
            return [Send(to=relayed.asker, message=Ack(sequence=relayed.sequence, news=self.take_news()))]
        if self._probes.pop(sequence, None) is not None:
            self._slowness = max(0, self._slowness - 1)
        return []

    def relay(self, asker: PeerId, request: PingRequest) -> list[RingEffect]:
        """Ping a member on behalf of another, under a sequence of our own."""
        target = PeerId(request.target)
        held = self._beliefs.get(target)
        if held is None:
            return []
        if len(self._relayed) >= RELAYED_MAX:
            del self._relayed[next(iter(self._relayed))]
        sequence = self._next_sequence()
        self._relayed[sequence] = _Relayed(asker=asker, sequence=request.sequence)
        return [Send(to=target, message=Ping(sequence=sequence, target=target, news=self._news_for(held)))]

    def slow_down(self) -> None:
        """Set down a sign that this peer, not the others, is slow."""
        self._slowness = min(SLOWNESS_MAX, self._slowness + 1)

    def take_news(self) -> tuple[Update, ...]:
        """Take what a message may carry along."""
        return self._news.take(self._beliefs.present())

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _news_for(self, held: Update) -> tuple[Update, ...]:
        """Tell a suspect first of all of the suspicion, so that its ack refutes it."""
        if held.liveness == Liveness.ALIVE:
            return self.take_news()
        return (held, *(update for update in self.take_news() if update.member.id != held.member.id))
