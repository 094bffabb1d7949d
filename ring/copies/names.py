"""Find the chunks that records name: manifests of files, records of jobs, and what is decided about a job's end.

A record may name chunks wherever it likes: every byte string in it that is as long as a digest counts as a name. That
is never too little, and needs no knowledge of what records mean. Every copy of a record counts, with all its concurrent
values, those kept for an absent home too (their copies are rows like all others), and so does an ending that this
peer has accepted, be it decided or not.
"""

import zlib
from typing import Any, Final

import msgspec

from ..digests import DIGEST_BYTES
from ..errors import Corrupt
from ..facts import Versions
from ..namespaces import FILE_PREFIX, RECORD_PREFIX, REGISTER_PREFIX
from ..operations import ListNames
from ..outcomes import AcceptorState, NamesListed
from .stored import Scan, decode, rows_after
from .versions import live_values

PAGE_BYTES_MAX: Final = 512 << 10
"""Bytes of rows after which a page ends: a step of the store should take milliseconds."""

_INFLATED_BYTES_MAX = 8 << 20
_ZLIB_FIRST = b"\x78"
_END = b"/end"
_ACCEPTED = b"p/" + REGISTER_PREFIX
_RANGES = (_ACCEPTED, b"v/" + FILE_PREFIX, b"v/" + RECORD_PREFIX)
_HEAD = 2

_plain = msgspec.msgpack.Decoder()


def names_in(value: bytes) -> frozenset[bytes]:
    """Give all that may be the name of a chunk in the value of a record.

    Raises:
        Corrupt: the value is no record.
    """
    try:
        found = _plain.decode(_inflated(value))
    except (msgspec.DecodeError, zlib.error, RecursionError, TypeError) as error:
        raise Corrupt(f"it is no record: {error}") from error
    names: set[bytes] = set()
    todo: list[Any] = [found]
    while todo:
        match todo.pop():
            case bytes() as name if len(name) == DIGEST_BYTES:
                names.add(name)
            case list() as items:
                todo += items
            case dict() as table:
                todo += [*table.keys(), *table.values()]
            case _:
                pass
    return frozenset(names)


def list_names(operation: ListNames, scan: Scan) -> NamesListed:
    """List a page of records and the chunks that they name; it ends before one that cannot be read."""
    entries: list[tuple[bytes, tuple[bytes, ...]]] = []
    weight = 0
    for prefix in _RANGES:
        if operation.after > prefix and not operation.after.startswith(prefix):
            continue
        for row, raw in rows_after(scan, prefix, max(operation.after, prefix)):
            try:
                names = _names_of(row, raw)
            except Corrupt as error:
                return NamesListed(entries=tuple(entries), after=None, unreadable=f"{_shown(row)}: {error}"[:1024])
            if names is not None:
                entries.append((row[_HEAD:], tuple(sorted(names))))
            weight += len(row) + len(raw or b"")
            if weight > PAGE_BYTES_MAX:
                return NamesListed(entries=tuple(entries), after=row)
    return NamesListed(entries=tuple(entries), after=None)


def _names_of(row: bytes, raw: bytes | None) -> frozenset[bytes] | None:
    """Tell what a row names; None where it holds no record.

    Raises:
        Corrupt: it cannot be told.
    """
    if row.startswith(_ACCEPTED):
        return _names_accepted(row, raw)
    values = live_values(decode(row, raw, Versions))
    return frozenset().union(*map(names_in, values)) if values else None


def _names_accepted(row: bytes, raw: bytes | None) -> frozenset[bytes] | None:
    """Tell what an ending names that was accepted here; where that is damaged, the job counts as open for this peer."""
    if not row.endswith(_END):
        return None
    try:
        state = decode(row, raw, AcceptorState)
    except Corrupt:
        return None
    return None if state.accepted is None else names_in(state.value or b"")


def _inflated(value: bytes) -> bytes:
    """Inflate a decision that is kept deflated; msgpack of a record never begins like zlib's stream."""
    if value[:1] != _ZLIB_FIRST:
        return value
    inflater = zlib.decompressobj()
    plain = inflater.decompress(value, _INFLATED_BYTES_MAX)
    if inflater.unconsumed_tail or not inflater.eof:
        raise zlib.error("it is cut off, or inflates beyond its limit")
    return plain


def _shown(row: bytes) -> str:
    return row[_HEAD:].decode("utf-8", "backslashreplace")
