"""Lay out a run: where in its file the index and each partition's segment lie, in plain numbers.

A peer reads this much of a run, and never unpickles: whoever wants one partition from afar needs three ranges, the
footer, the index and the segment, and may write them to a sparse file at the same offsets.
"""

import struct

from ...ring.digests import DIGEST_BYTES
from .faults import InputUnreadable

MAGIC = b"MURMRUN1"
FOOTER = struct.Struct(">QQ8s")
ENTRY = struct.Struct(f">QQQ{DIGEST_BYTES}s")


def index_range(footer: bytes) -> tuple[int, int]:
    """Tell from the last `FOOTER.size` bytes of a run where its index lies: offset and length.

    Raises `InputUnreadable` if this is no footer.
    """
    if len(footer) != FOOTER.size or not footer.endswith(MAGIC):
        raise InputUnreadable("this file does not end as a run does")
    offset, length, _ = FOOTER.unpack(footer)
    return offset, length


def segment_range(index: bytes, partition: int) -> tuple[int, int]:
    """Tell from an index where a partition's segment lies: offset and length.

    Raises `InputUnreadable` if the index has no such partition.
    """
    if len(index) < (partition + 1) * ENTRY.size:
        raise InputUnreadable(f"the run has no partition {partition}")
    offset, length, _, _ = ENTRY.unpack_from(index, partition * ENTRY.size)
    return offset, length
