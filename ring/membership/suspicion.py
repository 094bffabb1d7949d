"""Decide how long a suspected member has to refute (Lifeguard, section 3.2).

The fewer members share the suspicion, the likelier it is that the accuser is the slow one; so a lone suspicion lasts
long, and each independent confirmation shortens it, down to the least.
"""

from dataclasses import dataclass, field
from math import log, log10

from ..terms import Incarnation, Instant, PeerId
from .settings import MembershipSettings


def suspicion_least_s(members: int, multiplier: int, interval_s: float) -> float:
    """Tell the least time to refute: news and its refutation need some log N rounds to cross the cluster."""
    return multiplier * max(1.0, log10(max(1, members))) * interval_s


def confirmations_wanted(members: int, multiplier: int) -> int:
    """Tell how many others must confirm before the least time holds; none where too few others exist."""
    wanted = max(0, multiplier - 2)
    return wanted if members - 2 >= wanted else 0


def suspicion_s(confirmations: int, wanted: int, least_s: float, most_s: float) -> float:
    """Tell the whole time of a suspicion, in seconds from its start."""
    if confirmations >= wanted:
        return least_s
    return most_s - (most_s - least_s) * log(confirmations + 1) / log(wanted + 1)


@dataclass(slots=True, kw_only=True)
class _Suspicion:
    incarnation: Incarnation
    begun: Instant
    wanted: int
    least_s: float
    most_s: float
    accusers: set[str] = field(default_factory=set)

    def due(self) -> Instant:
        confirmations = len(self.accusers) - 1
        return Instant(self.begun + suspicion_s(confirmations, self.wanted, self.least_s, self.most_s))


class Suspicions:
    """The members now suspected, each with its accusers and the instant at which it is taken for dead."""

    def __init__(self, settings: MembershipSettings) -> None:
        self._settings = settings
        self._open: dict[PeerId, _Suspicion] = {}

    @property
    def peers(self) -> set[PeerId]:
        """Everybody under suspicion."""
        return set(self._open)

    def begin(self, now: Instant, peer: PeerId, incarnation: Incarnation, accuser: str, members: int) -> Instant:
        """Open a suspicion in a cluster of so many members; return when it ripens unless confirmed."""
        settings = self._settings
        least_s = suspicion_least_s(members, settings.suspicion_multiplier, settings.probe_interval_s)
        wanted = confirmations_wanted(members, settings.suspicion_multiplier)
        self._open[peer] = _Suspicion(
            incarnation=incarnation,
            begun=now,
            wanted=wanted,
            least_s=least_s,
            most_s=least_s * settings.suspicion_spread,
            accusers={accuser},
        )
        return self._open[peer].due()

    def confirm(self, peer: PeerId, accuser: str) -> Instant | None:
        """Count one more accuser; return the earlier instant, or None if it changes nothing."""
        held = self._open[peer]
        if not accuser or accuser in held.accusers or len(held.accusers) > held.wanted:
            return None
        held.accusers.add(accuser)
        return held.due()

    def clear(self, peer: PeerId) -> None:
        """Forget a suspicion that was refuted or has ripened."""
        self._open.pop(peer, None)

    def ripe(self, now: Instant, peer: PeerId, incarnation: Incarnation) -> bool:
        """Tell whether the member has had its time to refute the suspicion at that incarnation."""
        held = self._open.get(peer)
        return held is not None and held.incarnation == incarnation and now >= held.due()

    def overslept_s(self, now: Instant, peer: PeerId) -> float:
        """Tell by how many seconds the instant of a ripe suspicion was missed."""
        return now - self._open[peer].due()

    def renew(self, now: Instant, peer: PeerId) -> Instant:
        """Give a suspect the least time once more, for this peer itself was not there to hear it refute."""
        held = self._open[peer]
        held.begun, held.most_s = now, held.least_s
        return held.due()
