"""Name bytes by their content: BLAKE2b of 256 bits, for chunks, runs and parts alike."""

from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 32


class ChunkHasher:
    """Builds the digest of bytes that come in pieces."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self.size = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece; `size` counts the bytes so far."""
        self._hash.update(piece)
        self.size += len(piece) if isinstance(piece, bytes) else piece.nbytes

    def digest(self) -> bytes:
        """Give the digest of all pieces so far."""
        return self._hash.digest()


def chunk_digest(data: bytes | memoryview) -> bytes:
    """Give the 32 bytes that name this content."""
    return blake2b(data, digest_size=DIGEST_BYTES).digest()
