"""Compare copies without their values, and weigh them: what moving keys asks of a store beside reading them."""

from ..errors import Corrupt
from ..facts import Versions
from ..operations import CompareVersions, ListChunks, WeighVersions
from ..outcomes import ChunksListed, VersionsCompared, VersionsWeighed
from . import versions as sets
from .stored import Read, Scan, page_of, read_row


def compare(operation: CompareVersions, read: Read) -> VersionsCompared:
    """Find the keys of which an offer knows more than the copy here; one that cannot be read knows nothing."""
    wanted = (key for key, offered in operation.entries if not _covers(read, key, offered))
    return VersionsCompared(wanted=tuple(wanted))


def weigh(operation: WeighVersions, scan: Scan) -> VersionsWeighed:
    """List keys with the bytes of their rows; those of damaged ones count as none."""
    rows = scan(b"v/", b"v/" + operation.after, operation.limit)
    entries = tuple((row[2:], len(raw or b"")) for row, raw in rows)
    return VersionsWeighed(entries=entries, more=len(rows) == operation.limit)


def list_chunks(operation: ListChunks, scan: Scan) -> ChunksListed:
    """List chunks by their rows; a damaged row is passed over, for the scrub makes it anew."""
    rows, _ = page_of(scan, b"c/", b"c/" + operation.after, operation.limit, int)
    entries = tuple((row[2:], size) for row, size in rows)
    return ChunksListed(entries=entries, more=len(rows) == operation.limit)


def _covers(read: Read, key: bytes, offered: Versions) -> bool:
    try:
        held = read_row(read, b"v/" + key, Versions)
    except Corrupt:
        return False
    return held is not None and sets.covers(held, offered)
