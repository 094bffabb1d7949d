"""Give each store operation its meaning: what it reads, what it writes and what it reports, as one pure step.

Layout of the stored keys; every value is msgpack.

    v/<key>                    Versions: this peer's copy of a key
    h/<target>/v/<key>         Versions: what is kept of that key for an absent primary
    h/<target>/c/<digest>      int: the bytes of a chunk that is kept for an absent primary
    p/<key>                    AcceptorState: what this peer promised and accepted for a register

The caller runs a step in one transaction: nothing else may write between its reads and its writes. A row that cannot
be decoded fails the operation: to take it for absent would bring deleted values back and dots into use again.
"""

from collections.abc import Callable
from typing import TypeVar, assert_never

import msgspec

from . import versions as sets
from .errors import CallerError, WorldError
from .messages import Versions
from .operations import (
    AcceptBallot,
    AcceptorState,
    DropHint,
    Hint,
    HintsListed,
    ListHints,
    ListVersions,
    MergeVersions,
    MintVersion,
    NoteChunkHint,
    Noted,
    Operation,
    PromiseBallot,
    ReadVersions,
    StoreFailed,
    StoreOutcome,
    VersionsListed,
    VersionsMerged,
    VersionsRead,
)
from .terms import PeerId

Read = Callable[[bytes], bytes | None]
Scan = Callable[[bytes, bytes, int], list[tuple[bytes, bytes]]]
Writes = dict[bytes, bytes | None]
Step = tuple[Writes, StoreOutcome]
Row = TypeVar("Row", Versions, AcceptorState, int)

_encode = msgspec.msgpack.Encoder().encode


class _CorruptRowError(WorldError):
    """A stored row cannot be decoded."""


def apply(operation: Operation, read: Read, scan: Scan) -> Step:
    """Work out the writes of an operation (None deletes the key) and its outcome.

    `read` gives one stored value. `scan(prefix, after, limit)` gives stored rows in the order of their keys, of those
    that begin with `prefix` and sort after `after`. An operation that fails writes nothing.
    """
    try:
        return _apply(operation, read, scan)
    except (CallerError, _CorruptRowError) as error:
        return {}, StoreFailed(reason=str(error))


def _apply(operation: Operation, read: Read, scan: Scan) -> Step:
    match operation:
        case ReadVersions(key=key):
            return {}, VersionsRead(versions=_read(read, b"v/" + key, Versions))
        case MintVersion():
            return _mint(operation, read)
        case MergeVersions():
            return _merge(operation, read)
        case ListVersions():
            return _list_versions(operation, scan)
        case NoteChunkHint(digest=digest, size=size, hint_for=target):
            return {_hint_prefix(target, b"c") + digest: _encode(size)}, Noted()
        case ListHints(target=target, limit=limit):
            return _list_hints(target, limit, scan)
        case DropHint():
            return _drop_hint(operation, read)
        case PromiseBallot():
            return _promise(operation, read)
        case AcceptBallot():
            return _accept(operation, read)
        case _:
            assert_never(operation)


def _mint(operation: MintVersion, read: Read) -> Step:
    row = b"v/" + operation.key
    held = _read(read, row, Versions) or sets.EMPTY
    minted = sets.mint(held, operation.context, operation.value, operation.actor)
    return {row: _encode(minted)}, VersionsMerged(versions=minted)


def _merge(operation: MergeVersions, read: Read) -> Step:
    row = b"v/" + operation.key
    writes, merged = _joined(row, operation.versions, read)
    if operation.hint_for is not None:
        hint_writes, _ = _joined(_hint_prefix(operation.hint_for, b"v") + operation.key, operation.versions, read)
        writes |= hint_writes
    return writes, VersionsMerged(versions=merged)


def _joined(row: bytes, versions: Versions, read: Read) -> tuple[Writes, Versions]:
    """Join into one row; a merge that brings nothing new writes nothing, which makes doubled messages cheap."""
    held = _read(read, row, Versions)
    merged = sets.join(held or sets.EMPTY, versions)
    sets.require_bounded(merged)
    return ({} if merged == held else {row: _encode(merged)}), merged


def _list_versions(operation: ListVersions, scan: Scan) -> Step:
    rows = scan(b"v/" + operation.prefix, b"v/" + operation.after, operation.limit + 1)
    entries = tuple((row[2:], sets.stripped(_decode(row, raw, Versions))) for row, raw in rows[: operation.limit])
    return {}, VersionsListed(entries=entries, more=len(rows) > operation.limit)


def _list_hints(target: PeerId, limit: int, scan: Scan) -> Step:
    """List hints of both kinds; either may fill half a page, so that one that is stuck does not starve the other."""
    values, chunks = _hint_prefix(target, b"v"), _hint_prefix(target, b"c")
    value_rows, chunk_rows = scan(values, values, limit), scan(chunks, chunks, limit)
    value_rows = value_rows[: max(limit - len(chunk_rows), (limit + 1) // 2)]
    chunk_rows = chunk_rows[: limit - len(value_rows)]
    hints = [
        Hint(key=row[len(values) :], versions=_decode(row, raw, Versions), chunk_size=0) for row, raw in value_rows
    ]
    hints += [Hint(key=row[len(chunks) :], versions=None, chunk_size=_decode(row, raw, int)) for row, raw in chunk_rows]
    return {}, HintsListed(hints=tuple(hints))


def _drop_hint(operation: DropHint, read: Read) -> Step:
    if operation.versions is None:
        return {_hint_prefix(operation.target, b"c") + operation.key: None}, Noted()
    row = _hint_prefix(operation.target, b"v") + operation.key
    held = _read(read, row, Versions)
    delivered = held is not None and sets.covers(operation.versions, held)
    return ({row: None} if delivered else {}), Noted()


def _promise(operation: PromiseBallot, read: Read) -> Step:
    """Promise a ballot unless a higher one is promised (Lamport 2001, phase 1b)."""
    row = b"p/" + operation.key
    state = _read(read, row, AcceptorState)
    if state is not None and state.promised >= operation.ballot:
        return {}, state
    accepted, value = (None, None) if state is None else (state.accepted, state.value)
    promised = AcceptorState(promised=operation.ballot, accepted=accepted, value=value)
    return {row: _encode(promised)}, promised


def _accept(operation: AcceptBallot, read: Read) -> Step:
    """Accept a value unless a higher ballot is promised (Lamport 2001, phase 2b); once accepted at one it stays."""
    row = b"p/" + operation.key
    state = _read(read, row, AcceptorState)
    if state is not None and (state.promised > operation.ballot or state.accepted == operation.ballot):
        return {}, state
    accepted = AcceptorState(promised=operation.ballot, accepted=operation.ballot, value=operation.value)
    return {row: _encode(accepted)}, accepted


def _hint_prefix(target: PeerId, kind: bytes) -> bytes:
    return b"h/" + target.encode() + b"/" + kind + b"/"


def _read(read: Read, row: bytes, kind: type[Row]) -> Row | None:
    raw = read(row)
    return None if raw is None else _decode(row, raw, kind)


def _decode(row: bytes, raw: bytes, kind: type[Row]) -> Row:
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise _CorruptRowError(f"corrupt row {row!r}: {error}") from error
