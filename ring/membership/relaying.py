"""Ping members on behalf of others, and say so in time where there is no answer.

asker ── PingRequest ──> relay ── Ping ──> target
asker <── Ack ────────── relay <── Ack ─── target            the target lives
asker <── Nack ───────── relay             no Ack in time    the asker at least is not cut off (Lifeguard, section 3.1)
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..effects import RingEffect, Send, WakeAt
from ..events import RelayExpired
from ..facts import Update
from ..messages import Ack, Nack, Ping, PingRequest
from ..terms import Instant, PeerId
from .settings import MembershipSettings

RELAYED_MAX = 1024
"""Pings on behalf of others that are remembered; the oldest is forgotten first."""

NACK_SHARE = 0.8
"""The part of a probe's time-out after which a relay says that it has no answer: the word must still be in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relayed:
    asker: PeerId
    sequence: int


class Relays:
    """The pings under way on behalf of others, by this peer's own sequence."""

    def __init__(self, sequences: Iterator[int], settings: MembershipSettings) -> None:
        self._sequences = sequences
        self._wait_s = NACK_SHARE * settings.probe_timeout_s
        self._open: dict[int, _Relayed] = {}

    def ping(self, now: Instant, asker: PeerId, request: PingRequest, news: tuple[Update, ...]) -> list[RingEffect]:
        """Ping a member under a sequence of our own."""
        if len(self._open) >= RELAYED_MAX:
            del self._open[next(iter(self._open))]
        sequence = next(self._sequences)
        self._open[sequence] = _Relayed(asker=asker, sequence=request.sequence)
        return [
            Send(to=PeerId(request.target), message=Ping(sequence=sequence, target=request.target, news=news)),
            WakeAt(at=Instant(now + self._wait_s), event=RelayExpired(sequence=sequence)),
        ]

    def is_for_another(self, sequence: int) -> bool:
        """Tell whether an ack answers a ping on behalf of another."""
        return sequence in self._open

    def forward(self, sequence: int, news: tuple[Update, ...]) -> list[RingEffect]:
        """Pass an ack on to who asked for it."""
        relayed = self._open.pop(sequence)
        return [Send(to=relayed.asker, message=Ack(sequence=relayed.sequence, news=news))]

    def expired(self, sequence: int) -> list[RingEffect]:
        """Tell who asked that there is no answer yet; one that comes late is passed on all the same."""
        relayed = self._open.get(sequence)
        return [] if relayed is None else [Send(to=relayed.asker, message=Nack(sequence=relayed.sequence))]
