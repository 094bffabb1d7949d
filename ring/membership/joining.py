"""Keep a peer from speaking for its cluster before it knows that cluster.

A peer that was given seeds, and knows no other member, neither of before its start nor from a push-pull, would take
itself for the only home of every key. Until it knows better, what clients ask of it waits a little, then fails.
"""

from dataclasses import dataclass

from ..effects import Completed, Failed, RingEffect, WakeAt
from ..events import ChunkOffered, ClusterAwaited, GetRequested, KeysRequested, PutRequested, RequestDue
from ..terms import Instant

HeldRequest = PutRequested | GetRequested | KeysRequested | ChunkOffered | ClusterAwaited

PATIENCE_S = 3.0
"""How long a request waits at most for the peer to join; a start takes less, if anybody is there."""

HELD_MAX = 1024
_SEEDS_NAMED_MAX = 3


@dataclass(frozen=True, slots=True)
class _Held:
    request: HeldRequest
    fails_at: Instant


class Joining:
    """Knows whether this peer may act for its cluster, and holds the requests that wait for it."""

    def __init__(self, own_url: str) -> None:
        self._own_url = own_url
        self._seeds: tuple[str, ...] = ()
        self._is_started = False
        self._has_joined = False
        self._held: dict[str, _Held] = {}

    @property
    def obstacle(self) -> str:
        """Say in one line why this peer may not act yet; empty if it may."""
        if self._has_joined:
            return ""
        if not self._is_started:
            return "this peer has not joined yet: it is still reading its member table"
        named = ", ".join(self._seeds[:_SEEDS_NAMED_MAX])
        return f"this peer has not joined yet: it waits for an answer from {named}; ask another peer, or start those"

    def start(self, seeds: tuple[str, ...], members: int) -> None:
        """Take note that the member table has been read: of so many members, this one included."""
        self._is_started = True
        self._seeds = tuple(url for url in seeds if url != self._own_url)
        self._has_joined = not self._seeds
        self.met(members)

    def met(self, members: int) -> None:
        """Take note of how many members are known, this one included; who has joined once stays so."""
        if self._is_started and members > 1:
            self._has_joined = True

    def hold(self, now: Instant, request: HeldRequest) -> list[RingEffect]:
        """Let a request wait for the peer to join, or fail at once where too many do."""
        if request.request in self._held:
            return []
        if len(self._held) >= HELD_MAX:
            return [Completed(request=request.request, answer=Failed(reason=self.obstacle))]
        fails_at = Instant(now + min(PATIENCE_S, request.patience_s))
        self._held[request.request] = _Held(request, fails_at)
        return [WakeAt(at=fails_at, event=RequestDue(request=request.request))]

    def wake(self, now: Instant, event: RequestDue) -> list[RingEffect]:
        """Fail a request that has waited long enough."""
        held = self._held.get(event.request)
        if held is None or now < held.fails_at:
            return []
        del self._held[event.request]
        return [Completed(request=event.request, answer=Failed(reason=self.obstacle))]

    def take_held(self) -> list[HeldRequest]:
        """Give the requests that may go on now."""
        if not self._has_joined:
            return []
        held, self._held = self._held, {}
        return [each.request for each in held.values()]
