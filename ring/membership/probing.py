"""Decide whom to probe and what an answer, or none, says about the probed one and about this peer itself.

Each interval the next member of a shuffled list is pinged; without an answer some relays are asked to ping it; without
an answer by the end of the interval it is to be suspected (SWIM, section 4.1 and 4.3). Relays that say nothing at all
hint that this peer is the slow one, or cut off: then it probes more slowly (`awareness`). Of the dead, and of whom it
suspects itself, one is visited now and then, for it may have been cut off only.
"""

from dataclasses import dataclass, field
from itertools import count
from random import Random

from ..effects import RingEffect, Send, WakeAt
from ..events import ProbeExpired
from ..facts import Liveness, Update
from ..messages import Ping, PingRequest
from ..terms import Incarnation, Instant, PeerId
from .awareness import Awareness
from .beliefs import Beliefs
from .news import NewsQueue
from .relaying import Relays
from .settings import MembershipSettings


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

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._members

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


@dataclass(slots=True, kw_only=True)
class _Probe:
    target: PeerId
    incarnation: Incarnation
    ends: Instant
    asked: int = 0
    """How many relays were asked."""
    nacks: set[PeerId] = field(default_factory=set)


class Probing:
    """The probes under way, and those relayed for others."""

    def __init__(
        self, beliefs: Beliefs, news: NewsQueue, awareness: Awareness, settings: MembershipSettings, rng: Random
    ) -> None:
        self._beliefs = beliefs
        self._news = news
        self._awareness = awareness
        self._settings = settings
        self._rng = rng
        self._sequences = count(rng.getrandbits(40) + 1)
        self._probes: dict[int, _Probe] = {}
        self._relays = Relays(self._sequences, settings)
        self._visit: int | None = None
        """The sequence of the last visit."""
        self._visited_at: Instant | None = None
        self._probed_at: Instant | None = None
        self.rota = Rota(rng)

    @property
    def interval_s(self) -> float:
        """Tell the pause between probes, stretched while this peer is slow."""
        return self._awareness.stretched_s(self._settings.probe_interval_s)

    def next(self, now: Instant) -> list[RingEffect]:
        """Probe whose turn it is, and visit a lost one, if it is time; called every probe interval."""
        return [*(self._probe_next(now) if self._is_time(now) else []), *self._visit_lost(now)]

    def _is_time(self, now: Instant) -> bool:
        """Tell whether a peer as slow as this one should probe again; a visit accuses nobody, and need not wait."""
        return self._probed_at is None or now > self._probed_at + self.interval_s - self._settings.probe_interval_s / 2

    def _probe_next(self, now: Instant) -> list[RingEffect]:
        self._probed_at = now
        target = self.rota.next()
        return [] if target is None else self.probe(now, target)

    def probe(self, now: Instant, target: PeerId) -> list[RingEffect]:
        """Ping a member, unless a probe of it is under way or nobody expects it to live."""
        held = self._beliefs.get(target)
        if target not in self.rota or held is None:
            return []
        if any(probe.target == target for probe in self._probes.values()):
            return []
        sequence = next(self._sequences)
        ends = Instant(now + self.interval_s)
        direct_ends = Instant(now + self._awareness.stretched_s(self._settings.probe_timeout_s))
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
        probe.asked = len(relays)
        request = PingRequest(sequence=sequence, target=probe.target)
        return [Send(to=relay, message=request) for relay in relays]

    def give_up(self, now: Instant, sequence: int) -> Update | None:
        """End a probe; return the belief to accuse of, or None if it was answered, outdated, or our own fault."""
        probe = self._probes.pop(sequence, None)
        if probe is None:
            return None
        if now - probe.ends > self._settings.probe_interval_s:
            self._awareness.worsen()
            return None
        self._awareness.worsen(probe.asked - len(probe.nacks) if probe.asked else 1)
        held = self._beliefs.get(probe.target)
        is_same = held is not None and held.incarnation == probe.incarnation
        return held if is_same and probe.target in self.rota else None

    def answered(self, sequence: int) -> list[RingEffect]:
        """Close the probe that an ack answers, or forward the ack to who asked for it."""
        if self._relays.is_for_another(sequence):
            return self._relays.forward(sequence, self.take_news())
        if self._probes.pop(sequence, None) is not None:
            self._awareness.improve()
        return []

    def denied(self, relay: PeerId, sequence: int) -> None:
        """Take in that a relay was asked and has no answer either: so this peer is not cut off from the relay."""
        probe = self._probes.get(sequence)
        if probe is not None and len(probe.nacks) < probe.asked:
            probe.nacks.add(relay)

    def relay(self, now: Instant, asker: PeerId, request: PingRequest) -> list[RingEffect]:
        """Ping a member on behalf of another."""
        held = self._beliefs.get(PeerId(request.target))
        return [] if held is None else self._relays.ping(now, asker, request, self._news_for(held))

    def relay_expired(self, sequence: int) -> list[RingEffect]:
        """Tell who asked for a ping that it is not answered."""
        return self._relays.expired(sequence)

    def is_reunion(self, sequence: int) -> bool:
        """Tell whether an ack comes from a member that was visited as one of the lost."""
        return sequence == self._visit

    def take_news(self) -> tuple[Update, ...]:
        """Take what a message may carry along."""
        return self._news.take(self._beliefs.present())

    def _visit_lost(self, now: Instant) -> list[RingEffect]:
        """Ping one of the lost: if it lives, the news of its suspicion or death makes it refute."""
        if self._visited_at is not None and now < self._visited_at + self._settings.visit_s:
            return []
        lost = self._accused() or self._beliefs.others(Liveness.DEAD)
        if not lost:
            return []
        target = self._rng.choice(lost)
        self._visited_at, self._visit = now, next(self._sequences)
        news = self._news_for(self._beliefs.all[target])
        return [Send(to=target, message=Ping(sequence=self._visit, target=target, news=news))]

    def _accused(self) -> list[PeerId]:
        """List whom this peer itself suspects: in a cut perhaps nobody heard it, and the next regular probe is far."""
        me, beliefs = self._beliefs.own.member.id, self._beliefs.all
        return [peer for peer in self._beliefs.others(Liveness.SUSPECT) if beliefs[peer].accuser == me]

    def _news_for(self, held: Update) -> tuple[Update, ...]:
        """Tell a suspect first of all of the suspicion, so that its ack refutes it (Lifeguard, section 3.3)."""
        if held.liveness == Liveness.ALIVE:
            return self.take_news()
        return (held, *(update for update in self.take_news() if update.member.id != held.member.id))
