"""Find out at a start whether this disk is an old copy that was put back, before this peer says or decides anything.

    start       RecallStart to the other members ──> StartRecalled, with the last start that each knows of this id, and
                                                     the standing
    sound       none knows a later start than the one before this, which the disk has on record
    old         one does: that start, and all that was promised and acknowledged under it, is missing from this disk

Two rules follow, and no more is needed:

- An old disk never goes on under its id. The peer ends; its directory has a new id by then, and what lies there is set
  aside: it may hold what was deleted since, and forgotten by all (`reaping`). So it joins like any other with an empty
  disk: it counts for no quorum until it has what it owns, and it is an acceptor of no register of before: what it may
  have promised (Lamport 2001) and forgotten binds nobody any more.
- Until as many have answered as make a majority of the witnesses with this peer, it is no acceptor, and for `SILENCE_S`
  at most it says nothing of itself. Witnesses are the members that the disk knows, as long as they have not left,
  whoever answers before this peer has said anything of itself, and those that have been told of an earlier start:
  members of before may be gone for good. Who has heard of the present start alone is none, for it can know nothing of
  others. A peer that was never told of another, or whose directory is new, has nobody to ask and nothing to forget.

What no member knows is not found out: a copy that was taken while the peer ran, and put back before it was started
again, is as far as its last start is on record; and of a whole cluster that is put back, nobody knows better.
"""

from collections.abc import Iterator, Mapping

from ..alarm import Alarm
from ..effects import DiskOld, RingEffect, Send, SendTo
from ..events import MessageReceived, RequestDue
from ..facts import Liveness, Update
from ..messages import RecallStart, StartRecalled
from ..terms import REFUTATION_BITS, Incarnation, Instant, Member, PeerId, start_of
from .homecoming import Known, standing_to_resume

ASK_EVERY_S = 0.25
ASK_SELDOM_S = 2.0
_HALF_A_START = 1 << (REFUTATION_BITS - 1)
SILENCE_S = 3.0
"""How long a start waits for answers; then too few are there, or can be heard."""


class Lineage:
    """What this peer knows of its own last start, and others of theirs."""

    def __init__(self, me: Member, incarnation: Incarnation, recorded: int, ids: Iterator[str]) -> None:
        """Begin with the start on record from before this one; 0 where the directory is new."""
        self._me = me
        self._start = start_of(incarnation)
        self._recorded = recorded
        self._id = next(ids)
        self._alarm = Alarm(RequestDue(request=self._id))
        self._seeds: tuple[str, ...] = ()
        self._of_before: frozenset[PeerId] = frozenset()
        self._answered_early: set[PeerId] = set()
        """Who has answered before this peer said anything of itself."""
        self._answered: dict[PeerId, int] = {}
        """The last start of this peer that each knows who has answered; 0 for none."""
        self._standings: dict[PeerId, Known] = {}
        """What those who have answered know of this peer's standing."""
        self._silent_until = Instant(float("inf"))
        self._is_old = False
        self._latest: dict[PeerId, int] = {}
        self._earlier: dict[PeerId, int] = {}
        """The start before the one that is believed, of members that have started since this peer has."""
        self.may_vote = recorded == 0
        """Whether this peer may act as an acceptor: its disk holds all that it has ever promised."""

    def begin(self, now: Instant, members: Mapping[PeerId, Update], seeds: tuple[str, ...]) -> list[RingEffect]:
        """Ask whoever was a member before this start, and the seeds."""
        self._seeds = tuple(url for url in seeds if url != self._me.url)
        self._of_before = frozenset(self._others(members))
        self._count(members)
        if self.may_vote:
            return []
        self._silent_until = Instant(now + SILENCE_S)
        return [*self._ask(members), *self._alarm.set(Instant(now + ASK_EVERY_S))]

    def is_silent(self, now: Instant) -> bool:
        """Tell whether this peer must not speak of itself yet."""
        return self._is_old or (not self.may_vote and now < self._silent_until)

    def learn(self, update: Update) -> None:
        """Note the last start but one of a member, for it may ask for it.

        A member that is only remembered is suspected one incarnation too low, and so, if it has refuted nothing, by the
        start before: that is no start of its own. Nobody refutes half a million times.
        """
        peer, start = PeerId(update.member.id), start_of(Incarnation(update.incarnation + _HALF_A_START))
        latest = self._latest.get(peer, 0)
        if start > latest:
            self._latest[peer] = start
            self._earlier[peer] = latest

    def resumed(self, noted: Update | None) -> Update | None:
        """Give the standing to take up again, by this peer's own row and, once enough have answered, by the others."""
        return standing_to_resume(noted, self._standings.values() if self.may_vote else ())

    def handle(
        self, now: Instant, event: MessageReceived | RequestDue, members: Mapping[PeerId, Update]
    ) -> list[RingEffect]:
        """Take a question, an answer, or the time to ask again."""
        match event:
            case MessageReceived(
                sender=sender, message=StartRecalled(peer=self._me.id, asked_from=self._start) as answer
            ):
                return self._recalled(now, sender, answer, members)
            case MessageReceived(message=RecallStart() as question):
                return self._answer(question, members)
            case RequestDue(request=self._id) if self._alarm.rings(now) and not self.may_vote and not self._is_old:
                self._count(members)
                pause_s = ASK_EVERY_S if now < self._silent_until else ASK_SELDOM_S
                return [*self._ask(members), *self._alarm.set(Instant(now + pause_s))]
            case _:
                return []

    def _answer(self, message: RecallStart, members: Mapping[PeerId, Update]) -> list[RingEffect]:
        """Tell a member the last start of it that is known here, before the one from which it asks; 0 for none."""
        peer = PeerId(message.member.id)
        held = members.get(peer)
        known = self._latest.get(peer, 0)
        if known >= message.start:
            known = self._earlier.get(peer, 0)
        reply = StartRecalled(
            peer=peer,
            asked_from=message.start,
            known=known,
            standing=None if held is None else held.standing,
            epoch=0 if held is None else held.epoch,
        )
        return [SendTo(url=message.member.url, message=reply)]

    def _recalled(
        self, now: Instant, sender: PeerId, answer: StartRecalled, members: Mapping[PeerId, Update]
    ) -> list[RingEffect]:
        self._answered[sender] = answer.known
        if now < self._silent_until:
            self._answered_early.add(sender)
        if answer.standing is not None:
            self._standings[sender] = (answer.epoch, answer.standing)
        if self._is_old:
            return []
        if answer.known > self._recorded:
            self._is_old, self.may_vote = True, False
            return [DiskOld(recorded=self._recorded, known=answer.known)]
        self._count(members)
        return []

    def _count(self, members: Mapping[PeerId, Update]) -> None:
        """See whether enough have answered by now; members that have left are not waited for."""
        others = [*self._others(members), *(peer for peer in self._answered if peer not in members)]
        witnesses = [peer for peer in others if self._can_tell(peer)]
        if witnesses:
            wanted, found = (len(witnesses) + 1) // 2, sum(peer in self._answered for peer in witnesses)
        else:
            seeds = [peer for peer, held in members.items() if held.member.url in self._seeds]
            wanted, found = min(1, len(self._seeds)), sum(peer in self._answered for peer in seeds)
        self.may_vote = self.may_vote or found >= wanted

    def _can_tell(self, peer: PeerId) -> bool:
        """Tell whether a peer would know of a later start than that on record, if there was one and it was told."""
        return peer in self._of_before or peer in self._answered_early or self._answered.get(peer, 0) > 0

    def _ask(self, members: Mapping[PeerId, Update]) -> list[RingEffect]:
        question = RecallStart(member=self._me, start=self._start)
        return [
            *(Send(to=peer, message=question) for peer in self._others(members)),
            *(SendTo(url=url, message=question) for url in self._seeds),
        ]

    def _others(self, members: Mapping[PeerId, Update]) -> tuple[PeerId, ...]:
        """Give the members but this peer that have not left."""
        return tuple(
            peer for peer, held in members.items() if peer != self._me.id and held.liveness is not Liveness.LEFT
        )
