"""Know who the members are and who of them lives: SWIM with Lifeguard's suspicion (Das 2002; arXiv 1707.00788).

    every second      Ping ──> next member ── no Ack in 0.5 s ──> PingRequest to 3 others ── no Ack ──> suspect
    suspect           gossiped; refuted by its subject at a higher incarnation, else dead after some seconds
    every 200 ms      Gossip of queued news to 3 members; at once when the news is fresh
    every 5 to 30 s   PushPull of whole tables with a living and a dead member; with the seeds while alone

Nobody is ever forgotten, so a cut of any length heals. What is believed of another never moves data: ownership
follows the set of members, and only routing and scheduling follow their liveness.
"""

from collections.abc import Iterable, Mapping
from random import Random

from msgspec.structs import replace

from ..alarm import Alarm
from ..effects import MemberChanged, RingEffect, Send, SendTo
from ..errors import InvariantBroken
from ..events import (
    ExchangeDue,
    GossipDue,
    LeaveRequested,
    LinkBroke,
    MessageReceived,
    ProbeDue,
    ProbeExpired,
    Started,
    SuspicionExpired,
)
from ..messages import Ack, Gossip, Liveness, Ping, PingRequest, PushPull, RingMessage, Update
from ..terms import Incarnation, Instant, Member, PeerId
from .beliefs import Beliefs, clashes, subject
from .exchange import Exchanges
from .learning import Learner, softened
from .news import NewsQueue
from .probing import Probing
from .settings import MembershipSettings

__all__ = ["Membership", "MembershipEvent", "MembershipSettings"]

MembershipEvent = (
    Started
    | MessageReceived
    | LinkBroke
    | LeaveRequested
    | ProbeDue
    | ProbeExpired
    | SuspicionExpired
    | GossipDue
    | ExchangeDue
)


class Membership:
    """Turns what happens into beliefs about members, and into the messages that spread them."""

    def __init__(
        self, me: Member, incarnation: Incarnation, vnodes: int, settings: MembershipSettings, rng: Random
    ) -> None:
        own = Update(member=me, liveness=Liveness.ALIVE, incarnation=incarnation)
        self._me = subject(own)
        self._vnodes = vnodes
        self._settings = settings
        self._rng = rng
        self._beliefs = Beliefs(own, settings.members_max)
        self._news = NewsQueue(settings)
        self._probing = Probing(self._beliefs, self._news, settings, rng)
        self._exchanges = Exchanges(self._beliefs, settings, rng)
        self._probe_alarm = Alarm(ProbeDue())
        self._gossip_alarm = Alarm(GossipDue())
        self._exchange_alarm = Alarm(ExchangeDue())
        self._learner = Learner(self._beliefs, self._news, self._probing, self._gossip_alarm, settings)
        self._told: dict[PeerId, Instant] = {}

    @property
    def members(self) -> Mapping[PeerId, Update]:
        """Everybody ever heard of, this peer included, in whatever state."""
        return self._beliefs.all

    @property
    def changes(self) -> int:
        """How often `members` has changed."""
        return self._beliefs.changes

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation of this peer, refutations included."""
        return self._beliefs.own.incarnation

    def liveness(self, peer: PeerId) -> Liveness | None:
        """Tell in what state a peer is believed to be; None is for one never heard of."""
        return self._beliefs.liveness(peer)

    def handle(self, now: Instant, event: MembershipEvent) -> list[RingEffect]:
        """Take one event, and return what is to be done about it."""
        if self._leaving and not isinstance(event, MessageReceived | GossipDue):
            return []
        match event:
            case MessageReceived(sender=sender, message=message):
                return self._receive(now, sender, message)
            case ProbeDue() | ProbeExpired() | SuspicionExpired() | GossipDue() | ExchangeDue():
                return self._wake(now, event)
            case LinkBroke(peer=peer):
                return self._probing.probe(now, peer)
            case Started(seeds=seeds):
                return self._start(now, seeds)
            case LeaveRequested():
                return self._leave(now)

    def recall(self, now: Instant, noted: Iterable[Update]) -> list[RingEffect]:
        """Take up the members that were known before this start; to be called before `Started`."""
        return [effect for each in noted for effect in self._learner.recall(now, each)]

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: it does not; the message lists the beliefs.
        """
        suspects = set(self._beliefs.others(Liveness.SUSPECT))
        probed = suspects | set(self._beliefs.others(Liveness.ALIVE))
        rules = {
            "this peer is alive or has left": self._beliefs.own.liveness in (Liveness.ALIVE, Liveness.LEFT),
            "every suspect, and nobody else, has a time to refute": self._learner.suspects == suspects,
            "all who are not dead or gone, and nobody else, are probed": self._probing.rota.members == probed,
            "the table is within its limit": len(self.members) <= self._settings.members_max,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise InvariantBroken(f"{'; '.join(broken)}: not so at {self._me} with {dict(self.members)}")

    # --- start and end ---

    @property
    def _leaving(self) -> bool:
        return self._beliefs.own.liveness == Liveness.LEFT

    def _start(self, now: Instant, seeds: tuple[str, ...]) -> list[RingEffect]:
        self._exchanges.start(seeds)
        first_probe = Instant(now + self._rng.uniform(0.0, self._settings.probe_interval_s))
        return [
            MemberChanged(update=self._beliefs.own),
            *self._probe_alarm.set(first_probe),
            *self._exchange(now),
        ]

    def _leave(self, now: Instant) -> list[RingEffect]:
        left = replace(self._beliefs.own, liveness=Liveness.LEFT)
        effects = self._learner.believe(now, left)
        told = self._sample(self._settings.leave_fanout)
        return [*effects, *(Send(to=peer, message=Gossip(news=(left,))) for peer in told)]

    # --- timers ---

    def _wake(
        self, now: Instant, event: ProbeDue | ProbeExpired | SuspicionExpired | GossipDue | ExchangeDue
    ) -> list[RingEffect]:
        match event:
            case ProbeDue():
                return self._probe_next(now)
            case ProbeExpired(sequence=sequence, stage=0):
                return self._probing.ask_relays(sequence)
            case ProbeExpired(sequence=sequence):
                failed = self._probing.give_up(now, sequence)
                return [] if failed is None else self._learner.accuse(now, failed)
            case SuspicionExpired(peer=peer, incarnation=incarnation):
                return self._learner.bury(now, peer, incarnation)
            case GossipDue():
                return self._gossip(now)
            case ExchangeDue():
                return self._exchange(now) if self._exchange_alarm.rings(now) else []

    def _probe_next(self, now: Instant) -> list[RingEffect]:
        if not self._probe_alarm.rings(now):
            return []
        effects = self._probing.next(now)
        return [*effects, *self._probe_alarm.set(Instant(now + self._probing.interval_s))]

    def _gossip(self, now: Instant) -> list[RingEffect]:
        if not self._gossip_alarm.rings(now):
            return []
        effects: list[RingEffect] = []
        for peer in self._sample(self._settings.gossip_fanout):
            news = self._probing.take_news()
            effects += [Send(to=peer, message=Gossip(news=news))] if news else []
        if effects and self._news:
            effects += self._gossip_alarm.set(Instant(now + self._settings.gossip_interval_s))
        return effects

    def _exchange(self, now: Instant) -> list[RingEffect]:
        table = self._table(reply_wanted=True)
        return [
            *(Send(to=peer, message=table) for peer in self._exchanges.peers()),
            *(SendTo(url=url, message=table) for url in self._exchanges.urls()),
            *self._exchange_alarm.set(Instant(now + self._exchanges.pause_s())),
        ]

    # --- messages ---

    def _receive(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        if sender == self._me or (isinstance(message, PushPull) and message.vnodes != self._vnodes):
            return []
        before = self._beliefs.own
        effects = self._absorb(now, sender, message)
        if self.liveness(sender) is None:
            return effects
        if self._beliefs.own != before or self._is_outdated(message):
            effects.append(Send(to=sender, message=Gossip(news=(self._beliefs.own,))))
        return [*effects, *self._answer(sender, message), *self._tell_its_state(now, sender)]

    def _absorb(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        match message:
            case Ping(news=news) | PingRequest(news=news) | Ack(news=news) | Gossip(news=news):
                return self._learner.hear(now, news)
            case PushPull(members=members):
                return self._learner.hear(now, (softened(update, sender) for update in members))
            case _:
                return []

    def _is_outdated(self, message: RingMessage) -> bool:
        """Tell whether a probe takes this peer for suspect by what its sender knew before its own start."""
        if not isinstance(message, Ping):
            return False
        own, of_me = self._beliefs.own, [heard for heard in message.news if subject(heard) == self._me]
        lower = [heard for heard in of_me if heard.incarnation < own.incarnation and not clashes(own, heard)]
        return any(heard.liveness != own.liveness for heard in lower)

    def _answer(self, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        match message:
            case Ping(sequence=sequence, target=self._me) | PingRequest(sequence=sequence, target=self._me):
                return [Send(to=sender, message=Ack(sequence=sequence, news=self._probing.take_news()))]
            case PingRequest():
                return self._probing.relay(sender, message)
            case Ack(sequence=sequence):
                return self._probing.answered(sequence)
            case PushPull(reply_wanted=True) if not self._is_usurped(sender, message):
                return [Send(to=sender, message=self._table(reply_wanted=False))]
            case _:
                return []

    def _is_usurped(self, sender: PeerId, message: PushPull) -> bool:
        """Tell whether the sender calls itself by the id of another process, to which a reply would go astray."""
        held = self.members[sender]
        return any(subject(heard) == sender and clashes(held, heard) for heard in message.members)

    def _tell_its_state(self, now: Instant, sender: PeerId) -> list[RingEffect]:
        """Tell a peer that speaks though it is believed dead, now and then, for only itself can refute that."""
        held = self.members[sender]
        if held.liveness not in (Liveness.SUSPECT, Liveness.DEAD):
            self._told.pop(sender, None)
            return []
        last = self._told.get(sender)
        if last is not None and now - last < self._settings.probe_timeout_s:
            return []
        self._told[sender] = now
        return [Send(to=sender, message=Gossip(news=(held,)))]

    # --- outgoing ---

    def _table(self, *, reply_wanted: bool) -> PushPull:
        return PushPull(vnodes=self._vnodes, members=tuple(self.members.values()), reply_wanted=reply_wanted)

    def _sample(self, count: int) -> list[PeerId]:
        present = self._beliefs.others(Liveness.ALIVE, Liveness.SUSPECT)
        return self._rng.sample(present, min(count, len(present)))
