"""Pull bytes from where they are served, by blocking calls for threads; the puller's pace is the server's credit."""

import os
import stat
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from types import TracebackType
from typing import BinaryIO, Final, Self

import zmq

from ...ring.errors import Corrupt, RemoteError, WorldError
from ...ring.terms import Source
from ..wire.bulk import (
    RANGE_BYTES_MAX,
    BulkReply,
    BulkRequest,
    ChunkCut,
    CutChunk,
    Fetch,
    Fetched,
    Locate,
    Located,
    Unavailable,
)
from ..wire.codec import decode_bulk_reply, encode_bulk_request
from ..wire.limits import BULK_FRAME_BYTES_MAX
from .addresses import parse_address
from .host import host_id
from .passage import FREE, Passage
from .sockets import BROKEN, close_watched, open_socket, read_events, watch

WINDOW: Final = 4
"""Ranges asked for ahead: enough to keep the wire busy, and the most that a slow puller lets pile up."""
PATIENCE_S: Final = 5.0
"""Time without any progress after which a source is given up."""


def pull(source: Source, length: int, *, patience_s: float = PATIENCE_S, passage: Passage = FREE) -> Iterator[bytes]:
    """Give `length` bytes of a source in order, in pieces of at most 1 MiB.

    A file that this host can open itself is read where it lies, if the passage shows it.

    Raises:
        Corrupt: the source has the bytes, but damaged.
        WorldError: the source does not have them all, is gone, or made no progress within `patience_s`.
        RemoteError: the source does not keep to the protocol.
    """
    file = _open_here(source, length) if passage.shows_files(source.url) else None
    if file is not None:
        with file:
            yield from _read_pieces(file, source.path, length)
        return
    with _Dialogue(source.url, patience_s, passage) as dialogue:
        yield from _fetch_pieces(dialogue, source, length)


def locate(source: Source, *, patience_s: float = PATIENCE_S, passage: Passage = FREE) -> Located:
    """Ask a source where its bytes lie and how many they are.

    Raises:
        Corrupt: the source has the bytes, but damaged.
        WorldError: the source does not have them, is gone, or did not answer within `patience_s`.
        RemoteError: the source does not keep to the protocol.
    """
    reply = _ask_once(source.url, Locate(ref=source.ref), patience_s, passage)
    if not isinstance(reply, Located):
        raise _unexpected(source.url, reply)
    return reply


def cut_chunk(source: Source, split_size: int, *, patience_s: float = PATIENCE_S) -> ChunkCut:
    """Ask a source for the line borders in what it serves, nearest after each multiple of `split_size`.

    Raises:
        Corrupt: the source has the bytes, but damaged.
        WorldError: the source does not have them, is gone, or did not answer within `patience_s`.
        RemoteError: the source does not keep to the protocol.
    """
    reply = _ask_once(source.url, CutChunk(ref=source.ref, split_size=split_size), patience_s, FREE)
    if not isinstance(reply, ChunkCut):
        raise _unexpected(source.url, reply)
    return reply


class _Dialogue:
    """Questions to one bulk server, answered in order."""

    def __init__(self, url: str, patience_s: float, passage: Passage) -> None:
        address = parse_address(url)
        passage.admit(url, 0, time.monotonic(), patience_s)  # where nothing passes, nothing is asked
        self.url = url
        self._patience_s = patience_s
        self._passage = passage
        self._asked_at: deque[float] = deque()
        self._socket = open_socket(zmq.DEALER, BULK_FRAME_BYTES_MAX, ipv6=address.is_ipv6)
        self._monitor = watch(self._socket)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._asked = self._answered = 0
        try:
            self._socket.connect(address.endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise WorldError(f"{url} cannot be connected to: {error.strerror}") from error

    def ask(self, request: BulkRequest) -> None:
        """Send a question; a few may be under way at once."""
        self._asked += 1
        self._asked_at.append(time.monotonic())
        self._socket.send(encode_bulk_request(self._asked, request))

    def answer(self) -> tuple[BulkReply, bytes]:
        """Wait for the answer to the oldest open question."""
        parts = self._receive()
        self._passage.admit(self.url, sum(map(len, parts)), self._asked_at.popleft(), self._patience_s)
        number, reply = decode_bulk_reply(parts[0])
        self._answered += 1
        if number != self._answered or len(parts) != 1 + isinstance(reply, Fetched):
            raise RemoteError(f"{self.url} answered what was not asked")
        if isinstance(reply, Unavailable):
            raise (Corrupt if reply.corrupt else WorldError)(f"{self.url}: {reply.reason}")
        return reply, parts[-1]

    def close(self) -> None:
        """Leave; what is still on its way is dropped."""
        close_watched(self._socket, self._monitor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self) -> list[bytes]:
        while ready := dict(self._poller.poll(round(self._patience_s * 1000))):
            if self._socket in ready:
                return self._socket.recv_multipart()
            if any(event & BROKEN for event in read_events(self._monitor)):
                raise WorldError(f"{self.url} is gone; another source must do")
        raise WorldError(f"{self.url} made no progress for {self._patience_s:g} s; another source must do")


def _ask_once(url: str, request: BulkRequest, patience_s: float, passage: Passage) -> BulkReply:
    with closing(_Dialogue(url, patience_s, passage)) as dialogue:
        dialogue.ask(request)
        return dialogue.answer()[0]


def _fetch_pieces(dialogue: _Dialogue, source: Source, length: int) -> Iterator[bytes]:
    """Keep a window of questions open: a new one goes out only when a piece was taken."""
    offsets = iter(range(0, length, RANGE_BYTES_MAX))
    open_lengths: deque[int] = deque()
    taken = 0
    while taken < length:
        while len(open_lengths) < WINDOW and (offset := next(offsets, None)) is not None:
            wanted = min(RANGE_BYTES_MAX, length - offset)
            dialogue.ask(Fetch(ref=source.ref, offset=source.offset + offset, length=wanted))
            open_lengths.append(wanted)
        reply, piece = dialogue.answer()
        if not isinstance(reply, Fetched):
            raise _unexpected(dialogue.url, reply)
        if len(piece) != open_lengths.popleft():
            raise WorldError(f"{source.ref} at {dialogue.url} ended after {taken + len(piece)} of {length} bytes")
        taken += len(piece)
        yield piece


def _open_here(source: Source, length: int) -> BinaryIO | None:
    """Open the file of a source on this host at its first byte, if it is as long as it should be."""
    if not source.path or source.host != host_id():
        return None
    try:
        file = os.fdopen(os.open(source.path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
    except OSError:
        return None
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size < source.offset + length:
        file.close()
        return None
    file.seek(source.offset)
    return file


def _read_pieces(file: BinaryIO, path: str, length: int) -> Iterator[bytes]:
    rest = length
    while rest:
        try:
            piece = file.read(min(RANGE_BYTES_MAX, rest))
        except OSError as error:
            raise WorldError(f"{path} cannot be read: {error.strerror}") from error
        if not piece:
            raise WorldError(f"{path} ended after {length - rest} of {length} bytes")
        rest -= len(piece)
        yield piece


def _unexpected(url: str, reply: BulkReply) -> RemoteError:
    return RemoteError(f"{url} answered with {type(reply).__name__}, which was not asked for")
