"""Seal stored bytes with checksums, so that a damaged copy is known for what it is."""

from typing import Final

from xxhash import xxh3_64, xxh3_128

from ...ring.errors import Corrupt

SEAL_BYTES: Final = 16
BLOCK_BYTES: Final = 64 << 10
"""A chunk is checked block by block, so that a slice is verified without reading the whole."""
SUM_BYTES: Final = 8


def seal(key: bytes, value: bytes) -> bytes:
    """Put a checksum over key and value before the value; the key is in it so that swapped rows are seen."""
    checksum = xxh3_128(key)
    checksum.update(value)
    return checksum.digest() + value


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Give the value that was sealed under this key.

    Raises:
        Corrupt: key or value are not what they were.
    """
    value = sealed[SEAL_BYTES:]
    checksum = xxh3_128(key)
    checksum.update(value)
    if checksum.digest() != sealed[:SEAL_BYTES]:
        raise Corrupt(f"corrupt value of key {key!r}: its checksum does not match; mend it from a replica")
    return value


class BlockSummer:
    """Builds the checksums of a chunk's blocks, 8 bytes each, from bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._sums = bytearray()
        self._block = xxh3_64()
        self._filled = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece."""
        rest = memoryview(piece)
        while rest:
            part = rest[: BLOCK_BYTES - self._filled]
            rest = rest[len(part) :]
            self._block.update(part)
            self._filled += len(part)
            if self._filled == BLOCK_BYTES:
                self._close_block()

    def sums(self) -> bytes:
        """Give the checksums of all blocks; the last one may be short, and ends the chunk."""
        if self._filled:
            self._close_block()
        return bytes(self._sums)

    def _close_block(self) -> None:
        self._sums += self._block.digest()
        self._block = xxh3_64()
        self._filled = 0


def block_sums(blocks: bytes | memoryview) -> bytes:
    """Give the checksums of adjoining blocks that begin at a block's beginning."""
    summer = BlockSummer()
    summer.update(blocks)
    return summer.sums()
