"""Lay out a run: where in its file the index and each partition's segment and blocks lie, in plain numbers.

    segment 0 | segment 1 | ... | index: an entry for each segment | footer: offset, length of the index
    a segment: block | block | ... | table: size and sum of each block

The digest of the index names the run. An entry holds the digest of its segment's table, and the table sums of the
blocks: so every block can be checked by itself against the name of the run, and a segment larger than memory be read
block by block. Sums are XXH3 of 128 bits: all that is shuffled goes through them twice, and BLAKE2b would take longer
than dealing and sorting.

A run without any record has no file and no index: its name says it all, so nobody need look for it, and it is never
lost.

A peer reads this much of a run, and never unpickles: whoever wants one partition from afar needs three ranges, the
footer, the index and the segment, and may write them to a sparse file at the same offsets.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from ....ring.digests import DIGEST_BYTES, chunk_digest
from ..faults.wording import InputUnreadable

MAGIC = b"MURMRUN3"
FOOTER = struct.Struct(">QQ8s")
ENTRY = struct.Struct(f">QQQQ{DIGEST_BYTES}s")
BLOCK = struct.Struct(">Q16s")

NO_RECORDS = chunk_digest(b"")
"""The name of a run that holds no record."""

Read = Callable[[int, int], bytes]
"""Reads from a file: so many bytes at an offset."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An entry of the index: where a partition's segment lies, its records, its blocks, and their table's digest."""

    offset: int
    length: int
    records: int
    blocks: int
    digest: bytes


def index_range(footer: bytes) -> tuple[int, int]:
    """Tell from the last `FOOTER.size` bytes of a run where its index lies: offset and length.

    Raises `InputUnreadable` if this is no footer.
    """
    if len(footer) != FOOTER.size or not footer.endswith(MAGIC):
        raise InputUnreadable("this file does not end as a run does")
    offset, length, _ = FOOTER.unpack(footer)
    return offset, length


def segment_of(index: bytes, partition: int) -> Segment:
    """Find a partition's entry in the index.

    Raises `InputUnreadable` if the index has no such partition.
    """
    if len(index) < (partition + 1) * ENTRY.size:
        raise InputUnreadable(f"the run has no partition {partition}")
    return Segment(*ENTRY.unpack_from(index, partition * ENTRY.size))


def block_sum(block: bytes) -> bytes:
    """Give the 16 bytes by which damage to a block is seen."""
    return xxh3_128_digest(block)


def sound_blocks(read: Read, segment: Segment) -> Iterator[bytes]:
    """Give the blocks of a segment in order, each when it has proven to be what was written.

    Raises `InputUnreadable` if the table or a block is damaged.
    """
    size = segment.blocks * BLOCK.size
    table = read(segment.offset + segment.length - size, size)
    if chunk_digest(table) != segment.digest:
        raise InputUnreadable("a table of blocks is damaged")
    offset = segment.offset
    for length, total in BLOCK.iter_unpack(table):
        block = read(offset, length)
        if block_sum(block) != total:
            raise InputUnreadable(f"the block at byte {offset} is damaged")
        yield block
        offset += length
