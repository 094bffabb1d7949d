"""Place chunks for this process: offer each to its homes, which pull it themselves from where it is.

    this peer ── StoreChunk(source) ──> N best peers      pull, verify, keep; a fallback also notes a hint
              <── ChunkStored ──                          at W: the chunk is placed; late copies go on

A chunk never changes and is named by its content, so there are no versions here: copies are only ever added.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from ..alarm import Alarm
from ..effects import ChunkPlaced, Completed, Failed, RingEffect, Send
from ..events import ChunkOffered, MessageReceived, RequestDue, RingEvent
from ..messages import ChunkStored, StoreChunk
from ..placement.roster import Roster
from ..terms import Instant, PeerId, Quorum
from .quorum import Copy, QuorumSettings, Spread

_LINGER_PATIENCES = 2
"""An offer stays open for so many patiences at least, so that a late copy finds a fallback or leaves a hint."""


def chunk_key(digest: bytes) -> bytes:
    """Give the key whose preference list says where a chunk lives."""
    return b"chunk/" + digest


@dataclass(slots=True, kw_only=True)
class _Offer:
    """One chunk on its way to its homes; it outlives its answer until all N have it or the patience is over."""

    id: str
    event: ChunkOffered
    spread: Spread
    homes: tuple[PeerId, ...]
    """Who may be asked for a copy."""
    alarm: Alarm
    deadline: Instant
    closes: Instant
    last_error: str = ""
    heard: set[PeerId] = field(default_factory=set)
    """Who has answered, be it that it cannot keep the chunk."""
    is_answered: bool = False


class Chunks:
    """Holds the offers of this process."""

    def __init__(self, *, roster: Roster, ids: Iterator[str], settings: QuorumSettings) -> None:
        self._roster = roster
        self._ids = ids
        self._settings = settings
        self._open: dict[str, _Offer] = {}

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take an offer, an answer to it or a wake; all else is no business of this part."""
        match event:
            case ChunkOffered():
                return self._begin(now, event)
            case MessageReceived(sender=sender, message=ChunkStored() as message) if message.request in self._open:
                return self._stored(now, self._open[message.request], sender, message.error)
            case RequestDue(request=id_) if id_ in self._open and self._open[id_].alarm.rings(now):
                return self._advance(now, self._open[id_])
            case _:
                return []

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Ask others for the copies of peers that are no longer alive, and peers that are back for their own."""
        return [effect for offer in list(self._open.values()) for effect in self._advance(now, offer)]

    def _begin(self, now: Instant, event: ChunkOffered) -> list[RingEffect]:
        id_ = next(self._ids)
        patience_s = self._settings.patience_with_chunk(event.size)
        key = chunk_key(event.digest)
        homes = self._roster.preference(key)
        offer = _Offer(
            id=id_,
            event=event,
            spread=Spread(roster=self._roster, key=key, quorum=self._within_reach(event.quorum), patience_s=patience_s),
            homes=homes[: max(1, event.quorum.replicas)] if event.quorum.strict else homes,
            alarm=Alarm(RequestDue(request=id_)),
            deadline=Instant(now + event.patience_s),
            closes=Instant(now + max(event.patience_s, _LINGER_PATIENCES * patience_s)),
        )
        self._open[id_] = offer
        return self._advance(now, offer)

    def _within_reach(self, quorum: Quorum) -> Quorum:
        """Ask for no more acknowledgements than there are live peers: a chunk is what its name says, with one copy too.

        So a small cluster goes on storing files while a peer is away, and the answer names who really holds them.
        """
        live = sum(self._roster.alive(home.id) for home in self._roster.homes)
        return replace(quorum, writes_required=min(quorum.writes_required, max(1, live)))

    def _stored(self, now: Instant, offer: _Offer, sender: PeerId, error: str) -> list[RingEffect]:
        offer.heard.add(sender)
        if error:
            offer.last_error = f": {sender} says: {error}"
            offer.spread.refused(now, sender)
        else:
            offer.spread.acknowledged(sender)
        return self._advance(now, offer)

    def _advance(self, now: Instant, offer: _Offer) -> list[RingEffect]:
        spread = offer.spread
        effects = _store(offer, spread.advance(now))
        if not offer.is_answered and (spread.reached or now >= offer.deadline or self._is_hopeless(offer)):
            offer.is_answered = True
            effects += [Completed(request=offer.event.request, answer=_answer(offer))]
        if spread.complete or now >= offer.closes:
            del self._open[offer.id]
            return [*effects, *_store(offer, spread.hints_left())]
        return [*effects, *offer.alarm.set(min(spread.next_due, offer.closes if offer.is_answered else offer.deadline))]

    def _is_hopeless(self, offer: _Offer) -> bool:
        """Tell whether all live homes have answered and W was not reached, as when every disk is full."""
        return all(peer in offer.heard for peer in offer.homes if self._roster.alive(peer))


def _answer(offer: _Offer) -> ChunkPlaced | Failed:
    holders = offer.spread.holders
    if offer.spread.reached:
        return ChunkPlaced(holders=holders)
    return Failed(
        reason=f"only {len(holders)} of {offer.spread.required} copies of a chunk could be kept{offer.last_error}"
    )


def _store(offer: _Offer, copies: list[Copy]) -> list[RingEffect]:
    event = offer.event
    return [
        Send(
            to=copy.to,
            message=StoreChunk(
                request=offer.id,
                digest=event.digest,
                size=event.size,
                source=event.source,
                hint_for=copy.hint_for,
            ),
        )
        for copy in copies
    ]
