"""Turn news into beliefs: judge it, defend this peer against what is false, and time the suspicions that follow.

Independent confirmations shorten a suspicion (Lifeguard, section 3.2); and a peer that has slept through the end of one
gives it its time again, for it was not there to hear the refutation.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from ..alarm import Alarm
from ..effects import MemberChanged, RingEffect, WakeAt
from ..events import SuspicionExpired
from ..messages import Liveness, Update
from ..terms import Incarnation, Instant, PeerId, start_of
from .beliefs import Beliefs, Verdict, judge, subject
from .news import NewsQueue
from .probing import Probing
from .settings import MembershipSettings
from .suspicion import Suspicions


class Learner:
    """The one place where beliefs change; each change is reported, queued as news, and followed up."""

    def __init__(
        self, beliefs: Beliefs, news: NewsQueue, probing: Probing, gossip_alarm: Alarm, settings: MembershipSettings
    ) -> None:
        self._me = subject(beliefs.own)
        self._beliefs = beliefs
        self._news = news
        self._probing = probing
        self._gossip_alarm = gossip_alarm
        self._settings = settings
        self._suspicions = Suspicions(settings)

    @property
    def suspects(self) -> set[PeerId]:
        """Everybody whose time to refute runs."""
        return self._suspicions.peers

    def hear(self, now: Instant, news: Iterable[Update]) -> list[RingEffect]:
        """Take what a message brought, piece by piece."""
        return [effect for heard in news for effect in self._hear_one(now, heard)]

    def recall(self, now: Instant, noted: Update) -> list[RingEffect]:
        """Take up a member that was known before this start, as one that has not been heard of since.

        It is suspected one incarnation too low: so whatever it or others say of it outranks that, and nobody else is
        led to suspect it.
        """
        if self._beliefs.get(subject(noted)) is not None:
            return []
        if noted.liveness is Liveness.LEFT:
            return self.believe(now, noted)
        return self.believe(
            now, replace(noted, liveness=Liveness.SUSPECT, incarnation=max(0, noted.incarnation - 1), accuser="")
        )

    def accuse(self, now: Instant, held: Update) -> list[RingEffect]:
        """Suspect a member of which this peer's own probe has failed, or confirm the suspicion of others."""
        return self._hear_one(now, replace(held, liveness=Liveness.SUSPECT, accuser=self._me))

    def bury(self, now: Instant, peer: PeerId, incarnation: Incarnation) -> list[RingEffect]:
        """Take a suspect for dead, if it has had its whole time to refute."""
        if not self._suspicions.ripe(now, peer, incarnation):
            return []
        if self._suspicions.overslept_s(now, peer) > self._settings.probe_interval_s:
            self._probing.slow_down()
            return _await_refutation(peer, incarnation, self._suspicions.renew(now, peer))
        return self.believe(now, replace(self._beliefs.all[peer], liveness=Liveness.DEAD, accuser=""))

    def believe(self, now: Instant, update: Update) -> list[RingEffect]:
        """Change a belief, report it, and spread it."""
        if not self._beliefs.take(update):
            return []
        effects: list[RingEffect] = [MemberChanged(update=update)]
        if subject(update) != self._me:
            effects += self._watch(now, update)
        self._news.put(update)
        return [*effects, *self._gossip_alarm.set(Instant(now + self._settings.gossip_hurry_s))]

    def _hear_one(self, now: Instant, heard: Update) -> list[RingEffect]:
        peer = subject(heard)
        if peer == self._me:
            return self._refute(now, heard)
        match judge(self._beliefs.get(peer), heard):
            case Verdict.KEEP:
                return []
            case Verdict.CONFIRM:
                return self._confirm(heard)
            case Verdict.TAKE:
                return self.believe(now, heard)

    def _refute(self, now: Instant, heard: Update) -> list[RingEffect]:
        """Rise above what is wrong about this peer; news of another process under its id is not about it."""
        own = self._beliefs.own
        is_true = heard.liveness == own.liveness and heard.incarnation == own.incarnation
        is_foreign = heard.member.url != own.member.url
        if is_true or is_foreign or heard.incarnation < own.incarnation or own.liveness == Liveness.LEFT:
            return []
        if start_of(heard.incarnation) == start_of(own.incarnation):
            self._probing.slow_down()
        return self.believe(now, replace(own, incarnation=heard.incarnation + 1))

    def _confirm(self, heard: Update) -> list[RingEffect]:
        peer = subject(heard)
        due = self._suspicions.confirm(peer, heard.accuser)
        if due is None:
            return []
        self._news.put(heard)
        return _await_refutation(peer, heard.incarnation, due)

    def _watch(self, now: Instant, update: Update) -> list[RingEffect]:
        """Probe a member, and time its suspicion, as its new state demands."""
        peer = subject(update)
        self._suspicions.clear(peer)
        if update.liveness in (Liveness.DEAD, Liveness.LEFT):
            self._probing.rota.drop(peer)
            return []
        self._probing.rota.add(peer)
        if update.liveness == Liveness.ALIVE:
            return []
        due = self._suspicions.begin(now, peer, update.incarnation, update.accuser, self._beliefs.present())
        return _await_refutation(peer, update.incarnation, due)


def softened(update: Update, sender: PeerId) -> Update:
    """Take a death that comes by push-pull as a suspicion only, for it may be as old as the cut that is healing."""
    if update.liveness != Liveness.DEAD:
        return update
    return replace(update, liveness=Liveness.SUSPECT, accuser=sender)


def _await_refutation(peer: PeerId, incarnation: Incarnation, due: Instant) -> list[RingEffect]:
    return [WakeAt(at=due, event=SuspicionExpired(peer=peer, incarnation=incarnation))]
