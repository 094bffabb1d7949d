"""List live keys over all peers, page by page, exactly: no key twice, none deleted, none left out.

Every live member gives a page of its own keys, and the pages merge key by key by joining versions, so that a tombstone
at one peer hides a value at another. A merged key counts only up to the *frontier*, the least last key among the peers
that have more: beyond it some page may lack a key. What lies after the frontier is asked for again in the next round.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..alarm import Alarm
from ..copies.versions import EMPTY, join, live_values
from ..effects import Completed, Failed, KeysDone, RingEffect, Send
from ..events import KeysRequested, MessageReceived, RequestDue, RingEvent
from ..facts import Versions
from ..messages import KeysListed, ListKeys
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .quorum import QuorumSettings

PAGE_MAX = 1000
"""What one `ListKeys` may ask for."""

PAGE_MIN = 64
"""Tombstones take up room in a page, so a small page is not asked for key by key."""


@dataclass(slots=True, kw_only=True)
class _Listing:
    """One page that is being gathered, round by round; `id` names the current round."""

    id: str
    event: KeysRequested
    after: bytes
    deadline: Instant
    ask_again_at: Instant
    alarm: Alarm
    waiting: set[PeerId]
    pages: dict[PeerId, KeysListed] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)


class Listings:
    """Holds the open listings of this process."""

    def __init__(self, *, roster: Roster, ids: Iterator[str], settings: QuorumSettings) -> None:
        self._roster = roster
        self._ids = ids
        self._settings = settings
        self._open: dict[str, _Listing] = {}

    def handle(self, now: Instant, event: RingEvent) -> list[RingEffect]:
        """Take a request, a page for it or a wake; all else is no business of this part."""
        match event:
            case KeysRequested():
                return self._begin_round(now, event, event.after, Instant(now + event.patience_s), [])
            case MessageReceived(sender=sender, message=KeysListed(request=id_) as page) if id_ in self._open:
                return self._take(now, self._open[id_], sender, page)
            case RequestDue(request=id_) if id_ in self._open and self._open[id_].alarm.rings(now):
                return self._wake(now, self._open[id_])
            case _:
                return []

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Wait no longer for peers that are no longer alive."""
        effects: list[RingEffect] = []
        for listing in list(self._open.values()):
            listing.waiting = set(filter(self._roster.alive, listing.waiting))
            effects += self._end_round(now, listing)
        return effects

    def _begin_round(
        self, now: Instant, event: KeysRequested, after: bytes, deadline: Instant, keys: list[bytes]
    ) -> list[RingEffect]:
        id_ = next(self._ids)
        listing = _Listing(
            id=id_,
            event=event,
            after=after,
            deadline=deadline,
            ask_again_at=now,
            alarm=Alarm(RequestDue(request=id_)),
            waiting=set(self._roster.alive_peers),
            keys=keys,
        )
        self._open[id_] = listing
        return self._wake(now, listing)

    def _wake(self, now: Instant, listing: _Listing) -> list[RingEffect]:
        """Ask those who have not answered, at first and again after each replica patience, for messages get lost."""
        if now >= listing.deadline:
            silent = ", ".join(sorted(listing.waiting))
            return self._complete(listing, Failed(reason=f"no list of keys in time from {silent}"))
        effects: list[RingEffect] = []
        if now >= listing.ask_again_at:
            limit = min(PAGE_MAX, max(PAGE_MIN, listing.event.limit + 1 - len(listing.keys)))
            ask = ListKeys(request=listing.id, prefix=listing.event.prefix, after=listing.after, limit=limit)
            effects += [Send(to=peer, message=ask) for peer in sorted(listing.waiting)]
            listing.ask_again_at = Instant(now + self._settings.replica_patience_s)
        return [*effects, *listing.alarm.set(min(listing.ask_again_at, listing.deadline))]

    def _take(self, now: Instant, listing: _Listing, sender: PeerId, page: KeysListed) -> list[RingEffect]:
        if sender not in listing.waiting:
            return []
        listing.waiting.remove(sender)
        listing.pages[sender] = page
        return self._end_round(now, listing)

    def _end_round(self, now: Instant, listing: _Listing) -> list[RingEffect]:
        if listing.waiting:
            return []
        frontier = _frontier(listing.pages.values())
        keys = listing.keys + _live_keys(listing.pages.values(), frontier)
        limit = listing.event.limit
        if frontier is None or len(keys) > limit:
            return self._complete(listing, KeysDone(keys=tuple(keys[:limit]), more=len(keys) > limit))
        del self._open[listing.id]
        return self._begin_round(now, listing.event, frontier, listing.deadline, keys)

    def _complete(self, listing: _Listing, answer: KeysDone | Failed) -> list[RingEffect]:
        del self._open[listing.id]
        return [Completed(request=listing.event.request, answer=answer)]


def _frontier(pages: Iterable[KeysListed]) -> bytes | None:
    """Tell up to which key the pages are complete; None if they are to the end."""
    return min((page.entries[-1][0] for page in pages if page.more and page.entries), default=None)


def _live_keys(pages: Iterable[KeysListed], frontier: bytes | None) -> list[bytes]:
    merged: dict[bytes, Versions] = {}
    for page in pages:
        for key, versions in page.entries:
            merged[key] = join(merged.get(key, EMPTY), versions)
    known = sorted(key for key in merged if frontier is None or key <= frontier)
    return [key for key in known if live_values(merged[key])]
