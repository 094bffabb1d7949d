"""Know who the members are and who of them lives: SWIM with Lifeguard's suspicion (Das 2002; arXiv 1707.00788).

    every second      Ping ──> next member ── no Ack in 0.5 s ──> PingRequest to 3 others ── no Ack ──> suspect
                      (a slow peer takes its time: see `awareness`)
    suspect           gossiped; refuted by its subject at a higher incarnation, else dead after some seconds
    every 200 ms      Gossip of queued news to 3 members; at once when the news is fresh
    every 5 to 30 s   PushPull of whole tables with a living member; with the seeds while alone
    every 5 s         Ping ──> a member believed dead, or suspected by this peer itself ── Ack ──> PushPull

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
    LinkBroke,
    MessageReceived,
    ProbeDue,
    ProbeExpired,
    RelayExpired,
    Started,
    StopRequested,
    SuspicionExpired,
)
from ..facts import Liveness, Standing, Update
from ..messages import Ack, Gossip, Nack, Ping, PingRequest, PushPull, RingMessage
from ..terms import Incarnation, Instant, Member, PeerId
from .awareness import Awareness
from .beliefs import Beliefs, subject, with_senior_standing
from .correcting import corrections, news_in
from .doubles import claim_in, is_elsewhere, word_to_older
from .exchange import Exchanges, pages
from .learning import Learner, softened
from .news import NewsQueue
from .probing import Probing
from .settings import MembershipSettings

__all__ = ["Membership", "MembershipEvent", "MembershipSettings"]

MembershipEvent = (
    Started
    | MessageReceived
    | LinkBroke
    | StopRequested
    | ProbeDue
    | ProbeExpired
    | RelayExpired
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
        self._awareness = Awareness(settings.awareness_worst)
        self._probing = Probing(self._beliefs, self._news, self._awareness, settings, rng)
        self._exchanges = Exchanges(self._beliefs, settings, rng)
        self._probe_alarm = Alarm(ProbeDue())
        self._gossip_alarm = Alarm(GossipDue())
        self._exchange_alarm = Alarm(ExchangeDue())
        self._learner = Learner(
            beliefs=self._beliefs,
            news=self._news,
            probing=self._probing,
            awareness=self._awareness,
            gossip_alarm=self._gossip_alarm,
            settings=settings,
        )
        self._told: dict[PeerId, Instant] = {}
        self._paged: tuple[int, list[tuple[Update, ...]]] = (-1, [])
        """The pages of the table, and how often it had changed when it was cut."""

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

    @property
    def awareness(self) -> int:
        """How slow this peer takes itself to be: 0 is healthy."""
        return self._awareness.score

    @property
    def news_queued(self) -> int:
        """How many pieces of news wait to be spread further."""
        return len(self._news)

    def liveness(self, peer: PeerId) -> Liveness | None:
        """Tell in what state a peer is believed to be; None is for one never heard of."""
        return self._beliefs.liveness(peer)

    def handle(self, now: Instant, event: MembershipEvent) -> list[RingEffect]:
        """Take one event, and return what is to be done about it."""
        if self._learner.is_usurped or (self._leaving and not isinstance(event, MessageReceived | GossipDue)):
            return []
        match event:
            case MessageReceived(sender=sender, message=message):
                return self._receive(now, sender, message)
            case ProbeDue() | ProbeExpired() | RelayExpired() | SuspicionExpired() | GossipDue() | ExchangeDue():
                return self._wake(now, event)
            case LinkBroke(peer=peer):
                return self._probing.probe(now, peer)
            case Started(seeds=seeds):
                return self._start(now, seeds)
            case StopRequested():
                return self._stop(now)

    @property
    def own(self) -> Update:
        """What this peer says of itself."""
        return self._beliefs.own

    def is_removed(self, peer: PeerId) -> bool:
        """Tell whether a peer is no member any more."""
        held = self._beliefs.get(peer)
        return held is not None and held.standing is Standing.REMOVED

    def declare(self, now: Instant, peer: PeerId, standing: Standing, epoch: int) -> list[RingEffect]:
        """Give a member another standing; a removal is told at once, for who removes itself has no time left."""
        held = self._beliefs.all[peer]
        update = with_senior_standing(replace(held, standing=standing, epoch=epoch), None)
        if update == held:
            return []
        effects = self._learner.believe(now, update)
        told = self._sample(self._settings.leave_fanout) if standing is Standing.REMOVED else []
        return [*effects, *(Send(to=other, message=Gossip(news=(update,))) for other in told)]

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

    def _stop(self, now: Instant) -> list[RingEffect]:
        left = replace(self._beliefs.own, liveness=Liveness.LEFT)
        effects = self._learner.believe(now, left)
        told = self._sample(self._settings.leave_fanout)
        return [*effects, *(Send(to=peer, message=Gossip(news=(left,))) for peer in told)]

    # --- timers ---

    def _wake(
        self, now: Instant, event: ProbeDue | ProbeExpired | RelayExpired | SuspicionExpired | GossipDue | ExchangeDue
    ) -> list[RingEffect]:
        match event:
            case ProbeDue():
                return self._probe_next(now)
            case ProbeExpired(sequence=sequence, stage=0):
                return self._probing.ask_relays(sequence)
            case ProbeExpired(sequence=sequence):
                failed = self._probing.give_up(now, sequence)
                return [] if failed is None else self._learner.accuse(now, failed)
            case RelayExpired(sequence=sequence):
                return self._probing.relay_expired(sequence)
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
        return [*effects, *self._probe_alarm.set(Instant(now + self._settings.probe_interval_s))]

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
        tables = self._tables(reply_wanted=True)
        return [
            *(Send(to=peer, message=table) for peer in self._exchanges.peers() for table in tables),
            *(SendTo(url=url, message=table) for url in self._exchanges.urls() for table in tables),
            *self._exchange_alarm.set(Instant(now + self._exchanges.pause_s())),
        ]

    # --- messages ---

    def _receive(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        if isinstance(message, PushPull) and message.vnodes != self._vnodes:
            return []
        if sender == self._me:
            return self._meet_double(now, message)
        known, before = self.members.get(sender), self._beliefs.own
        effects = self._absorb(now, sender, message)
        if self.liveness(sender) is None:
            return effects
        is_risen, better = self._beliefs.own != before, corrections(self.members, message)
        if is_risen and self._beliefs.own not in better:
            better = [self._beliefs.own, *better]
        effects += [Send(to=sender, message=Gossip(news=tuple(better)))] if better else []
        effects += self._catch_up(now, message) if is_risen else []
        if isinstance(message, PushPull):
            effects += word_to_older(known, self.members[sender], claim_in(message, sender))
        return [*effects, *self._answer(now, sender, message), *self._tell_its_state(now, sender)]

    def _meet_double(self, now: Instant, message: RingMessage) -> list[RingEffect]:
        """Settle with another process of this identity, which has sent its table here, who of the two ends."""
        claim = claim_in(message, self._me) if isinstance(message, PushPull) else None
        if claim is None or not is_elsewhere(claim, self._beliefs.own):
            return []
        return word_to_older(None, self._beliefs.own, claim) or self._learner.meet_double(now, claim)

    def _absorb(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        news = news_in(message)
        if isinstance(message, PushPull):
            return self._learner.hear(now, (softened(update, sender) for update in news))
        return self._learner.hear(now, news) if news else []

    def _catch_up(self, now: Instant, message: RingMessage) -> list[RingEffect]:
        """Exchange tables soon if this peer was taken for dead: it has been cut off, and what it missed is old news."""
        if not any(subject(heard) == self._me and heard.liveness is Liveness.DEAD for heard in news_in(message)):
            return []
        self._exchanges.begin_anew()
        return self._exchange_alarm.set(Instant(now + self._settings.gossip_interval_s))

    def _answer(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        match message:
            case Ping(sequence=sequence, target=self._me) | PingRequest(sequence=sequence, target=self._me):
                return [Send(to=sender, message=Ack(sequence=sequence, news=self._probing.take_news()))]
            case PingRequest():
                return self._probing.relay(now, sender, message)
            case Ack(sequence=sequence) if self._probing.is_reunion(sequence):
                return [Send(to=sender, message=table) for table in self._tables(reply_wanted=True)]
            case Ack(sequence=sequence):
                return self._probing.answered(sequence)
            case Nack(sequence=sequence):
                self._probing.denied(sender, sequence)
                return []
            case PushPull(reply_wanted=True) if not is_elsewhere(claim_in(message, sender), self.members[sender]):
                return [Send(to=sender, message=table) for table in self._tables(reply_wanted=False)]
            case _:
                return []

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

    def _tables(self, *, reply_wanted: bool) -> list[PushPull]:
        """Put all beliefs into as many messages as it takes; one answer to them all is enough."""
        if self._paged[0] != self._beliefs.changes:
            others = (held for peer, held in self.members.items() if peer != self._me)
            self._paged = (self._beliefs.changes, pages(self._beliefs.own, others, self._settings.table_bytes_max))
        return [
            PushPull(vnodes=self._vnodes, members=page, reply_wanted=reply_wanted and number == 0)
            for number, page in enumerate(self._paged[1])
        ]

    def _sample(self, count: int) -> list[PeerId]:
        present = self._beliefs.others(Liveness.ALIVE, Liveness.SUSPECT)
        return self._rng.sample(present, min(count, len(present)))
