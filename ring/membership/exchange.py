"""Decide with whom whole member tables are exchanged, and when: joining, healing, and what gossip has missed."""

from collections.abc import Iterable
from math import ceil, log2
from random import Random

from ..facts import Liveness, Standing, Update
from ..terms import PeerId
from .beliefs import Beliefs
from .news import size_of
from .settings import MembershipSettings

GROWTH = 1.5
ROUNDS_COUNTED_MAX = 64
"""Rounds that lengthen the pause; far above what reaches any cap, and far below a float's overflow."""

STRETCHED_ABOVE_MEMBERS = 32


def exchange_cap_s(members: int, settings: MembershipSettings, *, alone: bool) -> float:
    """Tell the longest pause between two exchanges; above 32 members it grows, as memberlist's does."""
    if alone:
        return settings.exchange_alone_s
    if members <= settings.small_members:
        return settings.exchange_small_s
    if members <= STRETCHED_ABOVE_MEMBERS:
        return settings.exchange_s
    return settings.exchange_s * (ceil(log2(members) - log2(STRETCHED_ABOVE_MEMBERS)) + 1)


def exchange_pause_s(rounds: int, cap_s: float, settings: MembershipSettings) -> float:
    """Tell the pause after so many rounds: short at first, so that a start is quick though messages are lost.

    Once it has grown to that of a lonely peer, the start is over, and the next pause is the longest.
    """
    grown_s: float = settings.exchange_first_s * GROWTH ** min(rounds, ROUNDS_COUNTED_MAX)
    return grown_s if grown_s < min(cap_s, settings.exchange_alone_s) else cap_s


def pages(own: Update, others: Iterable[Update], bytes_max: int) -> list[tuple[Update, ...]]:
    """Cut a table into pages of about so many bytes; each begins with `own`, by which its sender is known."""
    cut: list[tuple[Update, ...]] = []
    page, room = [own], bytes_max - size_of(own)
    for update in others:
        size = size_of(update)
        if size > room and len(page) > 1:
            cut.append(tuple(page))
            page, room = [own], bytes_max - size_of(own)
        page.append(update)
        room -= size
    return [*cut, tuple(page)]


class Exchanges:
    """The seeds, and the rounds since this peer was last left alone or ceased to be."""

    def __init__(self, beliefs: Beliefs, settings: MembershipSettings, rng: Random) -> None:
        self._beliefs = beliefs
        self._settings = settings
        self._rng = rng
        self._seeds: tuple[str, ...] = ()
        self._alone = True
        self._rounds = 0

    def start(self, seeds: tuple[str, ...]) -> None:
        """Remember where to join."""
        self._seeds = tuple(dict.fromkeys(url for url in seeds if url != self._beliefs.own.member.url))

    def begin_anew(self) -> None:
        """Exchange as often as after a start, for this peer has missed much."""
        self._rounds = 0

    def pause_s(self) -> float:
        """Tell how long to wait for the next round, and count this one; jittered by a tenth."""
        alone = not self._beliefs.others(Liveness.ALIVE)
        if alone != self._alone:
            self._alone, self._rounds = alone, 0
        cap_s = exchange_cap_s(len(self._beliefs.all), self._settings, alone=alone)
        pause_s = exchange_pause_s(self._rounds, cap_s, self._settings)
        self._rounds += 1
        return pause_s * self._rng.uniform(0.9, 1.1)

    def peers(self) -> list[PeerId]:
        """Choose one living member; while none is known to live, several of the others."""
        living = self._beliefs.others(Liveness.ALIVE)
        if living:
            return [self._rng.choice(living)]
        lost = self._beliefs.others(Liveness.SUSPECT, Liveness.DEAD)
        return self._rng.sample(lost, min(self._settings.exchange_lost_fanout, len(lost)))

    def urls(self) -> list[str]:
        """Choose the seeds to try: all while alone, else one at which no member was ever seen."""
        if not self._beliefs.others(Liveness.ALIVE):
            return list(self._seeds)
        known = {held.member.url for held in self._beliefs.all.values() if held.standing is not Standing.REMOVED}
        unseen = [url for url in self._seeds if url not in known]
        return [self._rng.choice(unseen)] if unseen else []
