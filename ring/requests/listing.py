"""List live keys over all peers, page by page, exactly: no key twice, none deleted, none left out.

Every member gives a page of its own keys, and the pages merge key by key by joining versions, so that a tombstone
at one peer hides a value at another. A merged key counts only up to the *frontier*, the least last key among the peers
that have more: beyond it some page may lack a key. What lies after the frontier is asked for again in the next round.

Living members are waited for; those that are only suspected, as all are to a peer that has just been started, for a
short grace. Who is silent then may be left out while it cannot hide anything: an acknowledged write is at W of the N
primaries of its vnode, or at fallbacks in their place. Where W primaries of any vnode are silent, nobody can tell
which keys there are, and that is the answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..alarm import Alarm
from ..copies.versions import EMPTY, join, live_values
from ..effects import Completed, Failed, KeysDone, RingEffect, Send
from ..events import KeysRequested, MessageReceived, RequestDue, RingEvent
from ..facts import Versions
from ..messages import KeysListed, ListKeys
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .quorum import QuorumSettings, required_of

PAGE_MAX = 1000
"""What one `ListKeys` may ask for."""

GRACE_PATIENCES = 2
"""For so many replica patiences members are waited for that are not known to live."""

PAGE_MIN = 64
"""Tombstones take up room in a page, so a small page is not asked for key by key."""


_NAMED_MAX = 5


@dataclass(slots=True, kw_only=True)
class _Listing:
    """One page that is being gathered, round by round; `id` names the current round."""

    id: str
    event: KeysRequested
    after: bytes
    grace_ends: Instant
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
                return self._begin(now, event)
            case MessageReceived(sender=sender, message=KeysListed(request=id_) as page) if id_ in self._open:
                return self._take(now, self._open[id_], sender, page)
            case RequestDue(request=id_) if id_ in self._open and self._open[id_].alarm.rings(now):
                return [*self._wake(now, self._open[id_]), *self._end_round(now, id_)]
            case _:
                return []

    def members_changed(self, now: Instant) -> list[RingEffect]:
        """Wait no longer for peers that cannot answer, and ask those that can by now."""
        effects: list[RingEffect] = []
        for listing in list(self._open.values()):
            before = listing.waiting
            listing.waiting = set(self._roster.present_peers) - listing.pages.keys()
            effects += self._ask(listing, listing.waiting - before)
            effects += self._end_round(now, listing.id)
        return effects

    def _begin(self, now: Instant, event: KeysRequested) -> list[RingEffect]:
        id_ = next(self._ids)
        grace_s = GRACE_PATIENCES * self._settings.replica_patience_s
        self._open[id_] = listing = _Listing(
            id=id_,
            event=event,
            after=event.after,
            grace_ends=Instant(now + grace_s),
            deadline=Instant(now + event.patience_s),
            ask_again_at=now,
            alarm=Alarm(RequestDue(request=id_)),
            waiting=set(self._roster.present_peers),
        )
        return self._wake(now, listing)

    def _begin_next_round(self, now: Instant, last: _Listing, after: bytes, keys: list[bytes]) -> list[RingEffect]:
        id_ = next(self._ids)
        del self._open[last.id]
        self._open[id_] = listing = replace(
            last,
            id=id_,
            after=after,
            ask_again_at=now,
            alarm=Alarm(RequestDue(request=id_)),
            waiting=set(self._roster.present_peers),
            pages={},
            keys=keys,
        )
        return self._wake(now, listing)

    def _wake(self, now: Instant, listing: _Listing) -> list[RingEffect]:
        """Ask those who have not answered, at first and again after each replica patience, for messages get lost."""
        if now >= listing.deadline and listing.keys:  # up to here they are complete
            return self._complete(listing, KeysDone(keys=tuple(listing.keys[: listing.event.limit]), more=True))
        if now >= listing.deadline:
            hiding, silent = self._hiding(listing), ", ".join(sorted(listing.waiting))
            reason = _doubt(hiding) if hiding else f"no list of keys in time from {silent}"
            return self._complete(listing, Failed(reason=reason))
        effects: list[RingEffect] = []
        if now >= listing.ask_again_at:
            effects += self._ask(listing, listing.waiting)
            listing.ask_again_at = Instant(now + self._settings.replica_patience_s)
        dues = (listing.ask_again_at, listing.deadline, listing.grace_ends)
        return [*effects, *listing.alarm.set(min(due for due in dues if due > now))]

    def _ask(self, listing: _Listing, peers: Iterable[PeerId]) -> list[RingEffect]:
        limit = min(PAGE_MAX, max(PAGE_MIN, listing.event.limit + 1 - len(listing.keys)))
        ask = ListKeys(request=listing.id, prefix=listing.event.prefix, after=listing.after, limit=limit)
        return [Send(to=peer, message=ask) for peer in sorted(peers)]

    def _take(self, now: Instant, listing: _Listing, sender: PeerId, page: KeysListed) -> list[RingEffect]:
        if sender not in listing.waiting:
            return []
        listing.waiting.remove(sender)
        listing.pages[sender] = page
        return self._end_round(now, listing.id)

    def _end_round(self, now: Instant, id_: str) -> list[RingEffect]:
        listing = self._open.get(id_)
        if listing is None or any(map(self._roster.alive, listing.waiting)):
            return []
        hiding = self._hiding(listing)
        if (listing.waiting or hiding) and now < listing.grace_ends:
            return []
        if hiding:
            return [] if listing.waiting else self._complete(listing, Failed(reason=_doubt(hiding)))
        frontier = _frontier(listing.pages.values())
        keys = listing.keys + _live_keys(listing.pages.values(), frontier)
        limit = listing.event.limit
        if frontier is None or len(keys) > limit:
            return self._complete(listing, KeysDone(keys=tuple(keys[:limit]), more=len(keys) > limit))
        return self._begin_next_round(now, listing, frontier, keys)

    def _hiding(self, listing: _Listing) -> list[PeerId]:
        """List the homes that gave no page, if they are so many that all copies of some key may be theirs."""
        homes = {home.id for home in self._roster.homes}
        silent, replicas = homes - listing.pages.keys(), listing.event.quorum.replicas
        enough = required_of(listing.event.quorum.writes_required, min(replicas, len(homes)))
        if len(silent) < enough:
            return []
        placement = self._roster.placement
        primaries = (placement.primaries(vnode, replicas) for vnode in range(placement.vnodes))
        return sorted(silent) if any(len(silent.intersection(peers)) >= enough for peers in primaries) else []

    def _complete(self, listing: _Listing, answer: KeysDone | Failed) -> list[RingEffect]:
        del self._open[listing.id]
        return [Completed(request=listing.event.request, answer=answer)]


def _doubt(silent: list[PeerId]) -> str:
    named = ", ".join(peer[:8] for peer in silent[:_NAMED_MAX]) + (" and more" if len(silent) > _NAMED_MAX else "")
    return (
        f"cannot tell which keys there are: {len(silent)} peers that may hold the only copies of some do not answer "
        f"({named}): start them again, or `murmur remove` those that are gone for good"
    )


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
