"""Carry control frames through a gate: cut, lost, doubled, late, overtaken or slow, as the link rules say."""

import random
from collections.abc import Callable

from ...scheduling.status import Condition
from ..transport.control import Arrivals, ControlTransport
from .neighbours import Neighbours
from .orders import Direction
from .rules import Rules, endpoint_of
from .tally import Tally
from .ways import Ways, one_way

_Outgoing = tuple[str, bytes]
_Incoming = tuple[bytes, bytes]


class GatedTransport(ControlTransport):
    """The control sockets of a peer behind a gate. Clients pass freely, both ways."""

    def __init__(
        self,
        listen_url: str,
        on_frames: Callable[[Arrivals], None],
        on_link_broken: Callable[[str], None],
        *,
        neighbours: Neighbours,
        tally: Tally,
        rng: random.Random,
    ) -> None:
        self._hand_on = on_frames
        self._tell_broken = on_link_broken
        self._neighbours = neighbours
        self._tally = tally
        self._outward: Ways[_Outgoing] = Ways(self._let_out, tally, rng)
        self._inward: Ways[_Incoming] = Ways(self._let_in, tally, rng)
        super().__init__(listen_url, self._arrived, self._broken)

    def order(self, rules: Rules) -> None:
        """Replace all link rules."""
        self._outward.order(one_way(rules, Direction.TO))
        self._inward.order(one_way(rules, Direction.FROM))

    def send(self, url: str, frame: bytes) -> None:
        """Send a frame to the process that listens at `url`, as far as the rules let it through."""
        self._outward.take(endpoint_of(url), (url, frame), len(frame))

    async def knock(self, url: str) -> Condition:
        """Knock, but not across a cut."""
        endpoint = endpoint_of(url)
        if self._outward.is_cut(endpoint) or self._inward.is_cut(endpoint):
            return Condition.UNREACHABLE
        return await super().knock(url)

    def _let_out(self, outgoing: _Outgoing) -> None:
        url, frame = outgoing
        self._tally.messages_out += 1
        self._tally.bytes_out += len(frame)
        super().send(url, frame)

    def _arrived(self, arrivals: Arrivals) -> None:
        for route, frame in arrivals:
            sender = self._neighbours.sender_of(frame)
            if sender is None:
                self._hand_on([(route, frame)])
            else:
                self._inward.take(self._neighbours.home_of(sender, frame), (route, frame), len(frame))

    def _let_in(self, incoming: _Incoming) -> None:
        self._tally.messages_in += 1
        self._tally.bytes_in += len(incoming[1])
        self._hand_on([incoming])

    def _broken(self, url: str) -> None:
        """Tell of a broken connection, but not across a cut: there nobody hears that the other process has died."""
        endpoint = endpoint_of(url)
        if not self._outward.is_cut(endpoint) and not self._inward.is_cut(endpoint):
            self._tell_broken(url)
