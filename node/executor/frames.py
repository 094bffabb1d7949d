"""Cut a stream of bytes into frames: four bytes of length, big-endian, then a msgpack document."""

from collections.abc import Iterator
from struct import Struct

from ...ring.errors import RemoteError
from .tasks import FRAME_BYTES_MAX

LENGTH = Struct(">I")


def frame(document: bytes) -> bytes:
    """Put the length before a document."""
    return LENGTH.pack(len(document)) + document


class FrameReader:
    """Takes bytes as they come and gives whole documents."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Give the documents that are complete now.

        Raises `RemoteError` if the other side announces a frame above the limit.
        """
        self._buffer += received
        begin = 0
        while len(self._buffer) - begin >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer, begin)
            if length > FRAME_BYTES_MAX:
                raise RemoteError(f"a frame of {length} bytes is announced; the limit is {FRAME_BYTES_MAX}")
            end = begin + LENGTH.size + length
            if len(self._buffer) < end:
                break
            yield bytes(self._buffer[begin + LENGTH.size : end])
            begin = end
        del self._buffer[:begin]
