"""List, compare and weigh copies without their values: what moving keys asks of a store beside reading them."""

from typing import Final

from ..errors import Corrupt
from ..facts import Versions
from ..operations import CompareVersions, ListChunks, ListVersions, WeighVersions
from ..outcomes import ChunksListed, VersionsCompared, VersionsListed, VersionsWeighed
from . import versions as sets
from .stored import STEP_BYTES_MAX, Read, Scan, decode, page_of, read_row, rows_after

LISTED_BYTES_MAX: Final = 1 << 20
"""Bytes of keys and versions, without values, that one list gives."""


def compare(operation: CompareVersions, read: Read) -> VersionsCompared:
    """Find the keys of which an offer knows more than the copy here; one that cannot be read knows nothing."""
    wanted = (key for key, offered in operation.entries if not _covers(read, key, offered))
    return VersionsCompared(wanted=tuple(wanted))


def list_versions(operation: ListVersions, scan: Scan, unix_ms: int) -> VersionsListed:
    """List keys with their versions, values stripped, and name in between those whose copy cannot be read.

    A page is full when it has what was asked for, when its step has read enough, or when it would fill a frame.
    """
    sound: list[tuple[bytes, Versions]] = []
    corrupt: list[bytes] = []
    weight = given = 0
    for row, raw in rows_after(scan, b"v/" + operation.prefix, b"v/" + operation.after):
        is_full = len(sound) == operation.limit or weight >= STEP_BYTES_MAX or given >= LISTED_BYTES_MAX
        if sound and is_full:
            return VersionsListed(entries=tuple(sound), more=True, corrupt=tuple(corrupt))
        weight += len(row) + len(raw or b"")
        try:
            versions = decode(row, raw, Versions)
        except Corrupt:
            corrupt.append(row[2:])
            continue
        given += len(row) + len(raw or b"") - sets.bytes_of(versions)
        sound.append((row[2:], sets.stripped(sets.expired(versions, unix_ms))))
    return VersionsListed(entries=tuple(sound), more=False, corrupt=tuple(corrupt))


def weigh(operation: WeighVersions, scan: Scan) -> VersionsWeighed:
    """List keys with the bytes of their rows; those of damaged ones count as none."""
    entries: list[tuple[bytes, int]] = []
    weight = 0
    for row, raw in rows_after(scan, b"v/", b"v/" + operation.after):
        if len(entries) == operation.limit or weight >= STEP_BYTES_MAX:
            return VersionsWeighed(entries=tuple(entries), more=True)
        entries.append((row[2:], len(raw or b"")))
        weight += len(raw or b"")
    return VersionsWeighed(entries=tuple(entries), more=False)


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
