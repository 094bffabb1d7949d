"""Turn news into beliefs: judge it, defend this peer against what is false, and time the suspicions that follow.

Independent confirmations shorten a suspicion (Lifeguard, section 3.2); and a peer that has slept through the end of one
gives it its time again, for it was not there to hear the refutation.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from ..alarm import Alarm
from ..effects import MemberChanged, RingEffect, Usurped, WakeAt
from ..events import SuspicionExpired
from ..facts import Liveness, Standing, Update
from ..terms import REFUTATION_BITS, Incarnation, Instant, Member, PeerId, start_of
from .awareness import Awareness
from .beliefs import Beliefs, Verdict, judge, seniority, subject, with_senior_standing
from .news import NewsQueue
from .probing import Probing
from .settings import MembershipSettings
from .suspicion import Suspicions


class Learner:
    """The one place where beliefs change; each change is reported, queued as news, and followed up."""

    def __init__(
        self,
        *,
        beliefs: Beliefs,
        news: NewsQueue,
        probing: Probing,
        awareness: Awareness,
        gossip_alarm: Alarm,
        settings: MembershipSettings,
    ) -> None:
        self._me = subject(beliefs.own)
        self._beliefs = beliefs
        self._news = news
        self._probing = probing
        self._awareness = awareness
        self._gossip_alarm = gossip_alarm
        self._settings = settings
        self._suspicions = Suspicions(settings)
        self.is_usurped = False
        """Whether another process has taken the place of this one, which has no say any more."""

    @property
    def suspects(self) -> set[PeerId]:
        """Everybody whose time to refute runs."""
        return self._suspicions.peers

    def hear(self, now: Instant, news: Iterable[Update]) -> list[RingEffect]:
        """Take what a message brought, piece by piece; most of it is known already."""
        held = self._beliefs.all
        return [effect for heard in news if heard != held.get(subject(heard)) for effect in self._hear_one(now, heard)]

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
            self._awareness.worsen()
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
        held = self._beliefs.get(peer)
        match judge(held, heard):
            case Verdict.TAKE:
                return self.believe(now, with_senior_standing(heard, held))
            case verdict:
                effects = [] if held is None else self._learn_standing(now, held, heard)
                return [*effects, *(self._confirm(heard) if verdict is Verdict.CONFIRM else [])]

    def _learn_standing(self, now: Instant, held: Update, heard: Update) -> list[RingEffect]:
        merged = with_senior_standing(held, heard)
        return [] if merged == held else self.believe(now, merged)

    def _hear_own_standing(self, now: Instant, heard: Update) -> list[RingEffect]:
        """Accept a removal, which is for ever; rise above all else that is wrong."""
        own = self._beliefs.own
        if seniority(heard) <= seniority(own) or own.liveness == Liveness.LEFT:
            return []
        if heard.standing is Standing.REMOVED:
            return self.believe(now, with_senior_standing(own, heard))
        return self.believe(now, replace(own, epoch=heard.epoch + 1))

    def _refute(self, now: Instant, heard: Update) -> list[RingEffect]:
        """Rise above what is wrong about this peer."""
        effects = self._hear_own_standing(now, heard)
        return [*effects, *self._refute_liveness(now, heard)]

    def _refute_liveness(self, now: Instant, heard: Update) -> list[RingEffect]:
        own = self._beliefs.own
        if heard.member.url != own.member.url:
            return self.meet_double(now, heard)
        is_true = heard.liveness == own.liveness and heard.incarnation == own.incarnation
        if is_true or heard.incarnation < own.incarnation or own.liveness == Liveness.LEFT:
            return []
        if start_of(heard.incarnation) == start_of(own.incarnation):
            self._awareness.worsen()
        return self.believe(now, replace(own, incarnation=heard.incarnation + 1))

    def meet_double(self, now: Instant, heard: Update) -> list[RingEffect]:
        """Settle what is heard of this peer's own identity at another address.

        A later start is the one that others talk to, so this process must end; of two equal starts the one that is
        told so. Where the other is dead or has stopped, this one rises above it: its disk had been put back. While it
        is only suspected, nothing is certain.
        """
        own = self._beliefs.own
        if start_of(heard.incarnation) < start_of(own.incarnation) or own.liveness is Liveness.LEFT:
            return []
        match heard.liveness:
            case Liveness.ALIVE:
                self.is_usurped = True
                return [Usurped(reason=_usurpation(heard.member))]
            case Liveness.SUSPECT:
                return []
            case Liveness.DEAD | Liveness.LEFT:
                risen = Incarnation(start_of(heard.incarnation) + 1 << REFUTATION_BITS)
                return self.believe(now, replace(own, incarnation=risen))

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


def _usurpation(other: Member) -> str:
    return (
        f"another process uses the identity of this one ({other.name}) at {other.url}, and was started later: this one "
        "ends; if one directory is a copy of the other, start this one on an empty directory"
    )


def softened(update: Update, sender: PeerId) -> Update:
    """Take a death that comes by push-pull as a suspicion only, for it may be as old as the cut that is healing."""
    if update.liveness != Liveness.DEAD:
        return update
    return replace(update, liveness=Liveness.SUSPECT, accuser=sender)


def _await_refutation(peer: PeerId, incarnation: Incarnation, due: Instant) -> list[RingEffect]:
    return [WakeAt(at=due, event=SuspicionExpired(peer=peer, incarnation=incarnation))]
