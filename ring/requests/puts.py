"""Get the writes of this process done: find a coordinator for each, and another if that one falls silent.

    this peer ── CoordinatePut ──> best live primary      (itself, if it is a primary)
              <── PutCoordinated ──                       or, on silence or death, the next, same request id

Only a primary mints dots, so that a key's version vector stays as short as its preference list; a fallback does it
only when no primary is left to ask and the quorum is sloppy.
"""

from dataclasses import dataclass, field
from itertools import chain

from ..alarm import Alarm
from ..effects import Completed, Failed, PutDone, RingEffect, Send
from ..events import MessageReceived, PutRequested, RequestDue, RingEvent
from ..messages import CoordinatePut, PutCoordinated
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .quorum import QuorumSettings

_SHARE_OF_PATIENCE = 0.9
"""A coordinator gets a little less time than is left here, so that its own account of a failure arrives."""

_PATIENCE_MAX_S = 600.0
"""What the wire carries; a longer wait is served by asking again with the same request id."""


@dataclass(slots=True, kw_only=True)
class _Put:
    """One write that this process waits for."""

    event: PutRequested
    deadline: Instant
    alarm: Alarm
    asked: PeerId | None = None
    due: Instant
    tried: list[PeerId] = field(default_factory=list)
    refusals: dict[PeerId, str] = field(default_factory=dict)


class Puts:
    """Holds the open writes of this process until a coordinator has answered or their patience is over."""

    def __init__(self, *, roster: Roster, settings: QuorumSettings) -> None:
        self._roster = roster
        self._settings = settings
        self._open: dict[str, _Put] = {}

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a request, an answer to it or a wake; all else is no business of this part."""
        match event:
            case PutRequested(request=request) if request not in self._open:
                return self._begin(now, event)
            case MessageReceived(sender=sender, message=PutCoordinated() as message) if message.request in self._open:
                return self._answered(now, sender, self._open[message.request], message)
            case RequestDue(request=request) if request in self._open and self._open[request].alarm.rings(now):
                return self._advance(now, self._open[request])
            case _:
                return []

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Turn to the next coordinator where the one asked is no longer alive, or where there was none."""
        return [effect for put in list(self._open.values()) for effect in self._advance(now, put)]

    def _begin(self, now: Instant, event: PutRequested) -> list[RingEffect]:
        deadline = Instant(now + event.patience_s)
        alarm = Alarm(RequestDue(request=event.request))
        self._open[event.request] = put = _Put(event=event, deadline=deadline, alarm=alarm, due=now)
        return self._advance(now, put)

    def _advance(self, now: Instant, put: _Put) -> list[RingEffect]:
        if now >= put.deadline:
            return self._fail(put, "no coordinator has answered")
        if put.asked is not None and self._roster.alive(put.asked) and now < put.due:
            return put.alarm.set(put.due)
        return self._ask(now, put)

    def _ask(self, now: Instant, put: _Put) -> list[RingEffect]:
        candidates = self._candidates(put)
        if candidates and all(peer in put.refusals for peer in candidates):
            return self._fail(put, f"nothing was written: {put.refusals[candidates[0]]}")
        fresh = [peer for peer in candidates if peer not in put.tried]
        if not fresh:
            put.tried.clear()
        put.asked = next(chain(fresh, candidates), None)
        put.due = min(Instant(now + self._settings.coordinator_patience_s), put.deadline)
        wake = put.alarm.set(put.due)
        if put.asked is None:
            return wake
        put.tried.append(put.asked)
        return [Send(to=put.asked, message=_order(put, now)), *wake]

    def _candidates(self, put: _Put) -> list[PeerId]:
        """List who may coordinate, best first: this peer if it is a primary, live primaries, then live fallbacks."""
        preference = self._roster.preference(put.event.key)
        count = put.event.quorum.replicas
        primaries = sorted(preference[:count], key=lambda peer: peer != self._roster.me)
        fallbacks = () if put.event.quorum.strict else preference[count:]
        return [peer for peer in (*primaries, *fallbacks) if self._roster.alive(peer)]

    def _answered(self, now: Instant, sender: PeerId, put: _Put, message: PutCoordinated) -> list[RingEffect]:
        if message.error and not message.replicas:
            put.refusals[sender] = message.error
            return self._ask(now, put) if sender == put.asked else []
        if message.error:
            return self._fail(put, message.error)
        del self._open[message.request]
        done = PutDone(
            context=message.context,
            replicas=message.replicas,
            primaries=message.primaries,
            fallbacks=message.fallbacks,
        )
        return [Completed(request=message.request, answer=done)]

    def _fail(self, put: _Put, reason: str) -> list[RingEffect]:
        del self._open[put.event.request]
        return [Completed(request=put.event.request, answer=Failed(reason=reason))]


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
        patience_s=min(_PATIENCE_MAX_S, (put.deadline - now) * _SHARE_OF_PATIENCE),
    )
