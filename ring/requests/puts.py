"""Get the writes of this process done: find a coordinator for each, and another if that one falls silent.

    this peer ── CoordinatePut ──> best live primary      (itself, if it is a primary)
              <── PutCoordinated ──                       or, on silence or death, the next, same request id

Only a primary mints dots, so that a key's version vector stays as short as its preference list; a fallback does it
only when no primary is left to ask and the quorum is sloppy. Conditional puts all go to the best live primary, for
they are told apart surely only where they meet.

Where every coordinator finds its own copy corrupt, one of them is told to write over it: else the key could never be
written again. The answer says that what was there is lost.
"""

from dataclasses import dataclass, field
from itertools import chain

from ..alarm import RequestAlarms
from ..copies.versions import context_of
from ..effects import Completed, Failed, PutConflict, PutDone, RingEffect, Send
from ..events import MessageReceived, PutRequested, RequestDue, RingEvent
from ..facts import Versions
from ..messages import CoordinatePut, PutCoordinated
from ..owners import Owner
from ..placement.roster import Roster
from ..terms import Condition, Instant, PeerId
from .quorum import QuorumSettings

_SHARE_OF_PATIENCE = 0.9
"""A coordinator gets a little less time than is left here, so that its own account of a failure arrives."""

_NOBODY = "nothing was written: no home of the key is alive"

_PATIENCE_MAX_S = 600.0
"""What the wire carries; a longer wait is served by asking again with the same request id."""


@dataclass(slots=True, kw_only=True)
class _Put:
    """One write that this process waits for."""

    event: PutRequested
    deadline: Instant
    asked: PeerId | None = None
    due: Instant
    tried: list[PeerId] = field(default_factory=list)
    """Who was asked in this round."""
    ordered: set[PeerId] = field(default_factory=set)
    """Who was ever asked, and has not said that it wrote nothing."""
    refusals: dict[PeerId, PutCoordinated] = field(default_factory=dict)
    over_corrupt: bool = False


class Puts:
    """Holds the open writes of this process until a coordinator has answered or their patience is over."""

    def __init__(self, *, roster: Roster, settings: QuorumSettings) -> None:
        self._roster = roster
        self._settings = settings
        self._open: dict[str, _Put] = {}
        self._alarms = RequestAlarms(Owner.PUTS)

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a request, an answer to it or a wake; all else is no business of this part."""
        match event:
            case PutRequested(request=request) if request not in self._open:
                return self._begin(now, event)
            case MessageReceived(sender=sender, message=PutCoordinated() as message) if message.request in self._open:
                return self._answered(now, sender, self._open[message.request], message)
            case RequestDue(owner=Owner.PUTS):
                due = [effect for put in self._alarms.rung(now) for effect in self._advance(now, self._open[put])]
                return [*due, *self._alarms.wake()]
            case _:
                return []

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Turn to the next coordinator where the one asked is no longer alive, or where there was none."""
        return [effect for put in list(self._open.values()) for effect in self._advance(now, put)]

    def _begin(self, now: Instant, event: PutRequested) -> list[RingEffect]:
        deadline = Instant(now + event.patience_s)
        self._open[event.request] = put = _Put(event=event, deadline=deadline, due=now)
        return self._advance(now, put)

    def _advance(self, now: Instant, put: _Put) -> list[RingEffect]:
        if now >= put.deadline:
            return self._fail(put, _silence(put))
        if put.asked is not None and self._roster.alive(put.asked) and now < put.due:
            return self._alarms.set(put.event.request, put.due)
        return self._ask(now, put)

    def _ask(self, now: Instant, put: _Put) -> list[RingEffect]:
        candidates = self._candidates(put)
        if candidates and all(peer in put.refusals for peer in candidates):
            return self._refused(now, put, candidates)
        fresh = [peer for peer in candidates if peer not in put.tried]
        if not fresh:
            put.tried.clear()
        put.asked = next(chain(fresh, candidates), None)
        put.due = min(Instant(now + self._settings.coordinator_patience_s), put.deadline)
        wake = self._alarms.set(put.event.request, put.due)
        if put.asked is None:
            return wake
        put.tried.append(put.asked)
        put.ordered.add(put.asked)
        return [Send(to=put.asked, message=_order(put, now)), *wake]

    def _refused(self, now: Instant, put: _Put, candidates: list[PeerId]) -> list[RingEffect]:
        """Give up what all have refused, but not yet where some only cannot read what they would write over."""
        corrupt = [peer for peer in candidates if put.refusals[peer].is_corrupt]
        if put.over_corrupt or not corrupt:
            return self._fail(put, _silence(put))
        put.over_corrupt = True
        put.tried = [peer for peer in candidates if peer not in corrupt]
        for peer in corrupt:
            del put.refusals[peer]
        return self._ask(now, put)

    def _candidates(self, put: _Put) -> list[PeerId]:
        """List who may coordinate, best first: this peer if it is a primary, live primaries, then live fallbacks."""
        preference = self._roster.preference(put.event.key)
        count = put.event.quorum.replicas
        if put.event.condition is not Condition.NONE:
            return [peer for peer in preference[:count] if self._roster.alive(peer)]
        primaries = sorted(preference[:count], key=lambda peer: peer != self._roster.me)
        fallbacks = () if put.event.quorum.strict else preference[count:]
        return [peer for peer in (*primaries, *fallbacks) if self._roster.alive(peer)]

    def _answered(self, now: Instant, sender: PeerId, put: _Put, message: PutCoordinated) -> list[RingEffect]:
        if message.conflict is not None:
            return self._conflicted(sender, put, message.conflict)
        if message.error and not message.replicas:
            put.refusals[sender] = message
            put.ordered.discard(sender)
            return self._ask(now, put) if sender == put.asked else []
        if message.error:
            return self._fail(put, message.error)
        self._close(put)
        done = PutDone(
            context=message.context,
            replicas=message.replicas,
            primaries=message.primaries,
            fallbacks=message.fallbacks,
            siblings=message.siblings,
            replaced_corrupt=message.replaced_corrupt,
        )
        return [Completed(request=message.request, answer=done)]

    def _conflicted(self, sender: PeerId, put: _Put, there: Versions) -> list[RingEffect]:
        """Tell what is there, unless it may be this very write, by a coordinator that has fallen silent since."""
        put.ordered.discard(sender)
        if put.ordered:
            return self._fail(put, "unknown whether it took effect: what is there now may be this write, or another")
        self._close(put)
        answer = PutConflict(siblings=there.siblings, context=context_of(there))
        return [Completed(request=put.event.request, answer=answer)]

    def _fail(self, put: _Put, reason: str) -> list[RingEffect]:
        """Give up: unless all who were ever asked have said that they wrote nothing, the write may take effect yet."""
        self._close(put)
        answer = Failed(reason=reason, is_unknown=bool(put.ordered))
        return [Completed(request=put.event.request, answer=answer)]

    def _close(self, put: _Put) -> None:
        del self._open[put.event.request]
        self._alarms.drop(put.event.request)


def _silence(put: _Put) -> str:
    if put.ordered:
        return "no coordinator has answered: unknown whether it took effect"
    return next((f"nothing was written: {refused.error}" for refused in put.refusals.values()), _NOBODY)


def _order(put: _Put, now: Instant) -> CoordinatePut:
    event = put.event
    return CoordinatePut(
        request=event.request,
        key=event.key,
        value=event.value,
        context=event.context,
        replicas=event.quorum.replicas,
        writes_required=event.quorum.writes_required,
        strict=event.quorum.strict,
        expires_at=event.expires_at,
        condition=event.condition,
        reads_required=event.quorum.reads_required,
        over_corrupt=put.over_corrupt,
        patience_s=min(_PATIENCE_MAX_S, (put.deadline - now) * _SHARE_OF_PATIENCE),
    )
