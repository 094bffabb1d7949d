"""Serve ranges of bytes from a thread of its own, so that no transfer ever holds up a peer's loop."""

import os
import threading
from collections import Counter
from functools import partial
from typing import Final, assert_never

import zmq

from ...ring.errors import Corrupt, RemoteError, WorldError
from ...scheduling.splits import cut_lines
from ..wire.bulk import BulkReply, BulkRequest, ChunkCut, CutChunk, Fetch, Fetched, Locate, Located, Unavailable
from ..wire.codec import decode_bulk_request, encode_bulk_reply
from ..wire.limits import BULK_REQUEST_BYTES_MAX
from .addresses import parse_listen_address
from .host import host_id
from .shelves import Shelf
from .sockets import bind, open_socket

ANY_PORT: Final = "tcp://127.0.0.1:0"
UNREAD_MAX: Final = 32
"""Replies of up to 1 MiB kept for one who asks but does not read; more are dropped, and its pull runs out of time."""
BORDERS_MAX: Final = 100_000
REASON_CHARACTERS_MAX: Final = 1024


class BulkServer:
    """The bulk socket of one process: it answers, and never speaks first."""

    def __init__(self, shelf: Shelf, listen_url: str = ANY_PORT) -> None:
        """Listen, and begin to serve from `shelf`; `url` tells where.

        Raises:
            CallerError: the address is not one, or others than this machine could reach it.
            WorldError: the port is taken.
        """
        address = parse_listen_address(listen_url)
        self._shelf = shelf
        self.dropped: Counter[str] = Counter()
        self._router = open_socket(zmq.ROUTER, BULK_REQUEST_BYTES_MAX, ipv6=address.is_ipv6)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._router.setsockopt(zmq.SNDHWM, UNREAD_MAX)
        self.url = bind(self._router, address, "choose another port")
        self._stop_here, self._stop_there = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="bulk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving; transfers under way are cut off. Closing twice is harmless."""
        if not self._thread.is_alive():
            return
        os.write(self._stop_there, b"\0")
        self._thread.join()
        os.close(self._stop_there)

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._stop_here, zmq.POLLIN)
        try:
            while self._stop_here not in (ready := dict(poller.poll())):
                if self._router in ready:
                    self._answer(self._router.recv_multipart())
        finally:
            self._router.close()
            os.close(self._stop_here)

    def _answer(self, parts: list[bytes]) -> None:
        route = parts[0]
        try:
            number, request = _question(parts)
        except RemoteError:
            self.dropped["malformed"] += 1
            return
        reply, payload = self._reply(request)
        try:
            self._router.send_multipart([route, encode_bulk_reply(number, reply), *payload], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self.dropped["queue full"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.dropped["asker gone"] += 1

    def _reply(self, request: BulkRequest) -> tuple[BulkReply, list[bytes]]:
        try:
            match request:
                case Fetch(ref=ref, offset=offset, length=length):
                    return Fetched(), [self._shelf.read(ref, offset, length)]
                case Locate(ref=ref):
                    place = self._shelf.locate(ref)
                    return Located(size=place.size, host=host_id(), path=place.path, offset=place.offset), []
                case CutChunk(ref=ref, split_size=split_size):
                    return ChunkCut(borders=self._cut(ref, split_size)), []
                case _:
                    assert_never(request)
        except WorldError as error:
            reason = str(error)[:REASON_CHARACTERS_MAX]
            return Unavailable(reason=reason, corrupt=isinstance(error, Corrupt)), []

    def _cut(self, ref: str, split_size: int) -> tuple[tuple[int, int], ...]:
        size = self._shelf.locate(ref).size
        if size // split_size >= BORDERS_MAX:
            raise WorldError(f"{ref} has {size} bytes: too many splits of {split_size}; choose a larger split size")
        return cut_lines(partial(self._shelf.read, ref), size, split_size).borders


def _question(parts: list[bytes]) -> tuple[int, BulkRequest]:
    if len(parts) != 2:
        raise RemoteError(f"a question is one frame, not {len(parts) - 1}")
    return decode_bulk_request(parts[1])
