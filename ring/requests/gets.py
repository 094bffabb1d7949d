"""Read keys for this process: ask R of the N primaries, answer at R, then repair the copies that were behind.

DeCandia 2007, sections 4.5 and 4.6. This peer is asked first if it is a primary. The other primaries are asked where
the first are too few, too slow or without a copy, and for one read in `full_read_every`, which so finds copies that
are behind. A silent replica is hedged after a while by the next peer of the preference list.

A fallback without a copy proves nothing, so it counts towards R only while no primary is up. That a key is absent is
said only when a primary has answered, and all have or have had their time, the next N fallbacks included: after a
placement change these are the old primaries. With R = 1 so the first copy found answers, which is right for records
that never change.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce

from ..alarm import RequestAlarms
from ..copies.versions import EMPTY, context_of, covers, join
from ..effects import Completed, Failed, GetDone, RingEffect, Send
from ..events import GetRequested, MessageReceived, RequestDue, RingEvent
from ..facts import Versions
from ..messages import FetchVersions, StoreVersions, VersionsFetched
from ..owners import Owner
from ..placement.roster import Roster
from ..terms import Instant, PeerId, Quorum
from .quorum import QuorumSettings, required_of

MENDED_HOMES_MAX = 16
"""A peer so far down the preference list has no business with the key; its copy may stay corrupt."""

NOBODY = ""
"""In whose name a read is made that only mends."""


@dataclass(slots=True, kw_only=True)
class _Get:
    """One read; it outlives its answer until the stragglers are in or have had their time."""

    id: str
    event: GetRequested
    primaries: tuple[PeerId, ...]
    reserve: list[PeerId]
    spare: list[PeerId]
    rest_at: Instant
    deadline: Instant
    patience_ends: Instant
    hedge_at: dict[PeerId, Instant] = field(default_factory=dict)
    answers: dict[PeerId, Versions | None] = field(default_factory=dict)
    unreadable: dict[PeerId, str] = field(default_factory=dict)
    is_widened: bool = False
    is_answered: bool = False

    @property
    def required(self) -> int:
        """R, but no more than N as it really is."""
        return required_of(self.event.quorum.reads_required, len(self.primaries))

    @property
    def merged(self) -> Versions:
        """Join all copies found so far."""
        found = [copy for copy in self.answers.values() if copy is not None]
        return reduce(join, found) if found else EMPTY

    @property
    def is_found(self) -> bool:
        """Tell whether anybody holds a copy, be it of a tombstone."""
        return any(copy is not None for copy in self.answers.values())


class Gets:
    """Holds the open reads of this process."""

    def __init__(self, *, roster: Roster, ids: Iterator[str], settings: QuorumSettings) -> None:
        self._roster = roster
        self._ids = ids
        self._settings = settings
        self._open: dict[str, _Get] = {}
        self._alarms = RequestAlarms(Owner.GETS)
        self._begun = 0

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a request, an answer to it or a wake; all else is no business of this part."""
        match event:
            case GetRequested():
                return self._begin(now, event)
            case MessageReceived(sender=sender, message=VersionsFetched() as message) if message.request in self._open:
                return self._answered(now, sender, self._open[message.request], message)
            case RequestDue(owner=Owner.GETS):
                due = [effect for id_ in self._alarms.rung(now) for effect in self._advance(now, self._open[id_])]
                return [*due, *self._alarms.wake()]
            case _:
                return []

    def awaits(self, request: str) -> bool:
        """Tell whether answers of that request are for a read that is open here."""
        return request in self._open

    def mend(self, now: Instant, key: bytes) -> list[RingEffect]:
        """Read a key whose copy here is corrupt, so that it is replaced by what the better homes hold; tell nobody."""
        preference = self._roster.preference(key)
        homes = preference.index(self._roster.me) + 1 if self._roster.me in preference else len(preference)
        if homes > MENDED_HOMES_MAX:
            return []
        quorum = Quorum(replicas=homes, reads_required=1)
        patience_s = self._settings.coordinator_patience_s
        return self._begin(now, GetRequested(request=NOBODY, key=key, quorum=quorum, patience_s=patience_s))

    def _begin(self, now: Instant, event: GetRequested) -> list[RingEffect]:
        preference = self._roster.preference(event.key)
        count = max(1, event.quorum.replicas)
        id_ = next(self._ids)
        primaries = preference[:count]
        first = self._first(event, primaries)
        get = _Get(
            id=id_,
            event=event,
            primaries=primaries,
            reserve=[peer for peer in primaries if peer not in first],
            spare=[] if event.quorum.strict else list(preference[count:]),
            rest_at=Instant(now + self._settings.rest_after_s),
            deadline=Instant(now + event.patience_s),
            patience_ends=Instant(now + self._settings.replica_patience_s),
        )
        self._open[id_] = get
        asked = [effect for peer in first for effect in self._ask(now, get, peer)]
        return [*asked, *self._advance(now, get)]

    def _answered(self, now: Instant, sender: PeerId, get: _Get, message: VersionsFetched) -> list[RingEffect]:
        if sender not in get.hedge_at:
            return []
        if not message.error:
            get.answers[sender] = message.versions
            return self._advance(now, get)
        get.unreadable[sender] = message.error
        return [*self._ask_spare(now, get), *self._advance(now, get)]

    # --- whom to ask ---

    def _first(self, event: GetRequested, primaries: tuple[PeerId, ...]) -> list[PeerId]:
        """Choose whom to ask at once: R live primaries, this peer among them; now and then, or if need be, all."""
        self._begun += 1
        if self._begun % self._settings.full_read_every == 0 or event.request == NOBODY:
            return list(primaries)
        required = required_of(event.quorum.reads_required, len(primaries))
        living = [peer for peer in primaries if self._roster.alive(peer)]
        if len(living) < required:
            return list(primaries)
        return sorted(living, key=lambda peer: peer != self._roster.me)[:required]

    def _ask_rest(self, now: Instant, get: _Get) -> list[RingEffect]:
        """Ask the other primaries where those asked are silent for long, have nothing, or cannot read it."""
        silent = self._silent(get)
        is_slow = bool(silent) and (now >= get.rest_at or not all(map(self._roster.alive, silent)))
        if not get.reserve or not (is_slow or get.unreadable or not (silent or get.is_found)):
            return []
        rest, get.reserve = get.reserve, []
        return [effect for peer in rest for effect in self._ask(now, get, peer)]

    def _ask(self, now: Instant, get: _Get, peer: PeerId) -> list[RingEffect]:
        """Ask a peer, or at once the next one in its place if it is not alive."""
        get.hedge_at[peer] = Instant(now + self._settings.hedge_after_s)
        if not self._roster.alive(peer):
            return self._ask_spare(now, get)
        return [Send(to=peer, message=FetchVersions(request=get.id, key=get.event.key))]

    def _ask_spare(self, now: Instant, get: _Get) -> list[RingEffect]:
        spare = next(filter(self._roster.alive, get.spare), None)
        if spare is None:
            return []
        get.spare.remove(spare)
        return self._ask(now, get, spare)

    def _hedge(self, now: Instant, get: _Get) -> list[RingEffect]:
        """Ask one more peer for each that was silent too long, or that peer again where there is no other."""
        effects: list[RingEffect] = []
        for peer in [peer for peer in self._silent(get) if now >= get.hedge_at[peer]]:
            get.hedge_at[peer] = Instant(now + self._settings.hedge_after_s)
            effects += self._ask_spare(now, get) or (self._ask(now, get, peer) if self._roster.alive(peer) else [])
        return effects

    def _widen(self, now: Instant, get: _Get) -> list[RingEffect]:
        """Ask the next N peers as well before a key is called absent."""
        if get.is_widened or get.is_found or any(map(self._roster.alive, self._silent(get))):
            return []
        get.is_widened = True
        return [effect for _ in get.primaries for effect in self._ask_spare(now, get)]

    def _silent(self, get: _Get) -> list[PeerId]:
        return [peer for peer in get.hedge_at if peer not in get.answers and peer not in get.unreadable]

    # --- what to say ---

    def _advance(self, now: Instant, get: _Get) -> list[RingEffect]:
        effects: list[RingEffect] = []
        if not get.is_answered:
            effects += [*self._ask_rest(now, get), *self._hedge(now, get), *self._widen(now, get)]
            effects += self._answer(now, get)
        if get.is_answered and self._have_all_had_their_time(now, get):
            del self._open[get.id]
            self._alarms.drop(get.id)
            return [*effects, *self._repair(get)]
        dues = [get.hedge_at[peer] for peer in self._silent(get)] if not get.is_answered else []
        dues += [get.rest_at] if get.reserve and dues else []
        ends = [end for end in (get.patience_ends, get.deadline) if end > now]
        return [*effects, *self._alarms.set(get.id, min(dues + ends))]

    def _answer(self, now: Instant, get: _Get) -> list[RingEffect]:
        counted = self._counted(get)
        answer: GetDone | Failed
        if counted >= get.required and self._is_certain(now, get):
            merged = get.merged
            answer = GetDone(
                siblings=merged.siblings,
                context=context_of(merged),
                replicas=len(get.primaries),
                answered=counted,
                primaries=sum(peer in get.primaries for peer in get.answers),
            )
        elif now >= get.deadline:
            unreadable = "".join(f"; {peer} has an unreadable copy: {why}" for peer, why in get.unreadable.items())
            reason = f"{counted} replicas answered in time, {get.required} were wanted{unreadable}"
            if counted >= get.required and not unreadable:
                reason = f"cannot tell whether the key is there: none of its {len(get.primaries)} homes answers"
            answer = Failed(reason=reason, is_corrupt=bool(get.unreadable) and not get.is_found)
        else:
            return []
        get.is_answered = True
        return [] if get.event.request == NOBODY else [Completed(request=get.event.request, answer=answer)]

    def _counted(self, get: _Get) -> int:
        is_primary_up = any(map(self._roster.alive, get.primaries))
        return sum(peer in get.primaries or copy is not None or not is_primary_up for peer, copy in get.answers.items())

    def _is_certain(self, now: Instant, get: _Get) -> bool:
        """Tell whether something was found, or all who could have it had their time and nobody's copy is in doubt.

        Fallbacks alone never know that a key is absent: all its homes may have it, and be out of reach.
        """
        has_home_answered = any(peer in get.primaries for peer in get.answers)
        is_absent = has_home_answered and not get.unreadable
        return get.is_found or (is_absent and self._have_all_had_their_time(now, get))

    def _have_all_had_their_time(self, now: Instant, get: _Get) -> bool:
        return now >= get.patience_ends or not any(map(self._roster.alive, self._silent(get)))

    def _repair(self, get: _Get) -> list[RingEffect]:
        """Bring primaries up to date; never fallbacks, which would only hand the same copy back (riak_kv#1845)."""
        if not get.is_found:
            return []
        merged = get.merged
        behind = [
            peer
            for peer in get.primaries
            if peer in get.unreadable or (peer in get.answers and not _is_current(get.answers[peer], merged))
        ]
        store = StoreVersions(request=get.id, key=get.event.key, versions=merged)
        return [Send(to=peer, message=store) for peer in behind]


def _is_current(copy: Versions | None, merged: Versions) -> bool:
    return copy is not None and covers(copy, merged)
