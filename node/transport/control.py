"""Carry control frames between processes: a ROUTER that hears all, and a link to each address that is spoken to.

The descriptor of a ZeroMQ socket tells of changes, not of frames that are there (it is edge-triggered). So it is
drained without blocking when it is readable, and looked at again after every send and every drain that was cut short.

What is to be sent leaves together at the end of the turn of the loop: each send may wake a thread of ZeroMQ, and one
that is awake already costs nothing to wake.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import zmq

from ...ring.errors import CallerError, WorldError
from ...scheduling.status import Condition
from ..wire.limits import CONTROL_FRAME_BYTES_MAX
from .addresses import parse_listen_address
from .knocking import knock
from .links import Link
from .sockets import bind, can_receive, has_more_parts, open_socket

BATCH_MAX: Final = 256
"""Frames taken in one turn of the loop, so that timers and disks get their turn under any load."""
BATCH_BYTES_MAX: Final = 1 << 20
"""Bytes after which such a turn ends: whoever sends frames of the largest size holds up nobody for long."""
UNREAD_MAX: Final = 64
"""Replies kept for one who asks but does not read; more are dropped, and it asks again."""
IDLE_S: Final = 60.0
"""A link that nobody has used for so long is closed."""

Arrivals = list[tuple[bytes, bytes]]
"""Frames with the routing id of the connection each came by, which is the way for a reply."""


class ControlTransport:
    """The control sockets of one peer. Everything here belongs to one event loop; nothing blocks it."""

    def __init__(
        self, listen_url: str, on_frames: Callable[[Arrivals], None], on_link_broken: Callable[[str], None]
    ) -> None:
        """Listen at a loopback address (port 0: any free one); from now on the running loop hands on what comes.

        `on_frames` takes batches in order. `on_link_broken` is told the address, as it was given to `send`, whose
        connection was lost or refused: at once where the process was killed, after seconds where it is stopped.

        Raises:
            CallerError: the address is not one, or others than this machine could reach it.
            WorldError: the port is taken.
        """
        address = parse_listen_address(listen_url)
        self._loop = asyncio.get_running_loop()
        self._on_frames = on_frames
        self._on_link_broken = on_link_broken
        self._links: dict[str, Link] = {}
        self._dropped: Counter[str] = Counter()
        self._router = open_socket(zmq.ROUTER, CONTROL_FRAME_BYTES_MAX, ipv6=address.is_ipv6)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)  # else a reply to a client that has gone vanishes unseen
        self._router.setsockopt(zmq.SNDHWM, UNREAD_MAX)
        self.url = bind(self._router, address, "choose another with --listen")
        self._loop.add_reader(self._router.FD, self._drain)
        self._leaving: list[tuple[str | bytes, bytes]] = []
        self._is_handing_on = False
        self._turn_end: asyncio.Handle | None = None
        self._end_turn_soon()
        self._look_for_idle: asyncio.TimerHandle = self._loop.call_later(IDLE_S, self._close_idle)

    @property
    def dropped(self) -> Counter[str]:
        """Count the frames that were not sent, by reason."""
        return sum((link.dropped for link in self._links.values()), self._dropped)

    def send(self, url: str, frame: bytes) -> None:
        """Send a frame to the process that listens at `url`, or drop it: it may be lost, but never blocks."""
        self._leave((url, frame))

    async def knock(self, url: str) -> Condition:
        """See how a peer is that answers nothing: whether its machine takes connections, refuses them, or is silent."""
        return await knock(url)

    def reply(self, routing_id: bytes, frame: bytes) -> None:
        """Send a frame back by the connection that it answers; if its client has gone, that is counted."""
        self._leave((routing_id, frame))

    def close(self) -> None:
        """Close all sockets; what is not sent yet is dropped."""
        self._let_leave()
        if self._turn_end is not None:
            self._turn_end.cancel()
        self._look_for_idle.cancel()
        self._loop.remove_reader(self._router.FD)
        self._router.close()
        for url in list(self._links):
            self._close(url)

    def _leave(self, outgoing: tuple[str | bytes, bytes]) -> None:
        if self._router.closed:
            return  # an alarm rang while the peer was ending
        self._leaving.append(outgoing)
        if not self._is_handing_on:
            self._end_turn_soon()

    def _end_turn_soon(self) -> None:
        if self._turn_end is None:
            self._turn_end = self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_end = None
        self._let_leave()
        if can_receive(self._router):
            self._drain()

    def _drain(self) -> None:
        """Hand on what has come, send what that brings about, and look again for what the descriptor will not tell."""
        arrivals = self._take()
        if not arrivals:
            return
        self._is_handing_on = True
        try:
            self._on_frames(arrivals)
        finally:
            self._is_handing_on = False
        self._let_leave()
        if can_receive(self._router):
            self._end_turn_soon()

    def _let_leave(self) -> None:
        leaving, self._leaving = self._leaving, []
        now = self._loop.time()
        for to, frame in leaving:
            if isinstance(to, bytes):
                self._answer(to, frame)
                continue
            link = self._links.get(to) or self._open(to)
            if link is not None:
                link.send(frame, now)

    def _answer(self, routing_id: bytes, frame: bytes) -> None:
        try:
            self._router.send_multipart([routing_id, frame], zmq.NOBLOCK)
        except zmq.Again:
            self._dropped["client's queue full"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self._dropped["client gone"] += 1

    def _take(self) -> Arrivals:
        arrivals: Arrivals = []
        size = 0
        for _ in range(BATCH_MAX):
            try:  # part by part: `recv_multipart` asks after each one whether there are more
                route, frame = self._router.recv(zmq.NOBLOCK), self._router.recv(zmq.NOBLOCK)
            except zmq.Again:
                return arrivals
            if has_more_parts(self._router):
                self._router.recv_multipart(zmq.NOBLOCK)
                self._dropped["malformed"] += 1
            else:
                arrivals.append((route, frame))
            size += len(frame)
            if size >= BATCH_BYTES_MAX:
                break
        self._end_turn_soon()
        return arrivals

    def _open(self, url: str) -> Link | None:
        try:
            link = Link(url, self._loop.time())
        except (CallerError, zmq.ZMQError):
            self._dropped["no address"] += 1
            return None
        except WorldError:
            self._dropped["no room for a link"] += 1
            return None
        self._links[url] = link
        for descriptor in link.descriptors:
            self._loop.add_reader(descriptor, self._turn, link)
        self._loop.call_soon(self._turn, link)
        return link

    def _turn(self, link: Link) -> None:
        if self._links.get(link.url) is link and link.turn():
            self._on_link_broken(link.url)

    def _close_idle(self) -> None:
        now = self._loop.time()
        for url in [url for url, link in self._links.items() if now - link.used_at > IDLE_S]:
            self._close(url)
        self._look_for_idle = self._loop.call_later(IDLE_S, self._close_idle)

    def _close(self, url: str) -> None:
        link = self._links.pop(url)
        for descriptor in link.descriptors:
            self._loop.remove_reader(descriptor)
        link.close()
        self._dropped += link.dropped
