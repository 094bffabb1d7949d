"""Queue what others must hear, so that every message carries the freshest news within bounded bytes.

Each piece is sent `multiplier * ceil(log10(N + 1))` times and then dropped: that many reach all members with high
probability (SWIM, section 4.1), and push-pull reaches the rest. A newer piece about a member replaces the older one.
"""

from math import ceil, log10

from ..messages import Update
from ..terms import PeerId
from .beliefs import subject
from .settings import MembershipSettings


def transmissions_max(members: int, multiplier: int) -> int:
    """Tell how often one piece of news is sent by each member that has it."""
    return multiplier * ceil(log10(members + 1))


def size_of(update: Update) -> int:
    """Estimate the bytes of an update on the wire from above: its strings in UTF-8, and a little for the rest."""
    member = update.member
    texts = (member.id, member.name, member.url, member.bulk_url, member.host, member.directory, member.zone)
    return sum(len(text.encode()) for text in (*texts, update.accuser)) + 64


class NewsQueue:
    """Hands out news, the least often sent first and among those the newest."""

    def __init__(self, settings: MembershipSettings) -> None:
        self._settings = settings
        self._updates: dict[PeerId, Update] = {}
        self._sent: dict[PeerId, int] = {}

    def __len__(self) -> int:
        return len(self._updates)

    def put(self, update: Update) -> None:
        """Queue a piece of news in place of any older one about the same member."""
        peer = subject(update)
        self._updates.pop(peer, None)
        self._updates[peer] = update
        self._sent[peer] = 0

    def take(self, members: int) -> tuple[Update, ...]:
        """Fill one message, and count each piece in it as sent once more; `members` sets how often each is.

        The first piece goes whatever its size, or it would bar the way of all the others.
        """
        chosen = self._choose()
        limit = transmissions_max(members, self._settings.retransmit_multiplier)
        for update in chosen:
            self._count(subject(update), limit)
        return chosen

    def _choose(self) -> tuple[Update, ...]:
        newest_first = reversed(self._updates.values())
        chosen: list[Update] = []
        room = self._settings.news_bytes_max
        for update in sorted(newest_first, key=lambda update: self._sent[subject(update)]):
            room -= size_of(update)
            if chosen and (room < 0 or len(chosen) == self._settings.news_entries_max):
                break
            chosen.append(update)
        return tuple(chosen)

    def _count(self, peer: PeerId, limit: int) -> None:
        self._sent[peer] += 1
        if self._sent[peer] >= limit:
            del self._updates[peer], self._sent[peer]
