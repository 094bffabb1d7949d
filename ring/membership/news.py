"""Queue what others must hear, so that every message carries the freshest news within bounded bytes.

Each piece is sent `multiplier * ceil(log10(N + 1))` times and then dropped: that many reach all members with high
probability (SWIM, section 4.1), and push-pull reaches the rest. A newer piece about a member replaces the older one.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import ceil, log10
from typing import NamedTuple

from ..facts import Update
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
    return len("".join((*texts, update.accuser)).encode()) + 64


class _Piece(NamedTuple):
    update: Update
    size: int


class NewsQueue:
    """Hands out news, the least often sent first and among those what was queued or sent last."""

    def __init__(self, settings: MembershipSettings) -> None:
        self._settings = settings
        self._sent: dict[PeerId, int] = {}
        """How often the piece about each member was sent."""
        self._by_sent: defaultdict[int, dict[PeerId, _Piece]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._sent)

    def put(self, update: Update) -> None:
        """Queue a piece of news in place of any older one about the same member."""
        peer = subject(update)
        if peer in self._sent:
            del self._by_sent[self._sent[peer]][peer]
        self._sent[peer] = 0
        self._by_sent[0][peer] = _Piece(update, size_of(update))

    def take(self, members: int) -> tuple[Update, ...]:
        """Fill one message, and count each piece in it as sent once more; `members` sets how often each is.

        The first piece goes whatever its size, or it would bar the way of all the others.
        """
        if not self._sent:
            return ()
        chosen = self._choose()
        limit = transmissions_max(members, self._settings.retransmit_multiplier)
        for peer in reversed(chosen):
            self._count(peer, limit)
        return tuple(piece.update for piece in chosen.values())

    def _choose(self) -> dict[PeerId, _Piece]:
        chosen: dict[PeerId, _Piece] = {}
        room = self._settings.news_bytes_max
        for peer, piece in self._in_order():
            room -= piece.size
            if chosen and (room < 0 or len(chosen) == self._settings.news_entries_max):
                break
            chosen[peer] = piece
        return chosen

    def _in_order(self) -> Iterator[tuple[PeerId, _Piece]]:
        for times in sorted(self._by_sent):
            yield from reversed(self._by_sent[times].items())

    def _count(self, peer: PeerId, limit: int) -> None:
        times = self._sent.pop(peer)
        pieces = self._by_sent[times]
        piece = pieces.pop(peer)
        if not pieces:
            del self._by_sent[times]
        if times + 1 < limit:
            self._sent[peer] = times + 1
            self._by_sent[times + 1][peer] = piece
