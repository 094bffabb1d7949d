"""Give each store operation its meaning: what it reads, what it writes and what it reports, as one pure step.

Layout of the stored keys; every value is msgpack.

    v/<key>                    Versions: this peer's copy of a key
    h/<target>/v/<key>         Versions: what is kept of that key for an absent primary
    h/<target>/c/<digest>      int: the bytes of a chunk that is kept for an absent primary
    p/<key>                    AcceptorState: what this peer promised and accepted for a register
    r/<key>                    int: how often this peer's copy of a key was corrupt and had to be replaced
    m/<peer>                   Update: what was last heard of a member, alive or left

The caller runs a step in one transaction: nothing else may write between its reads and its writes. A row that cannot
be read fails the operation: to take it for absent would bring deleted values back. Only a merge replaces a corrupt
copy, by what another peer holds. It may not know of all the dots that this peer has minted for that key, so from then
on this peer mints there under a new name, and uses no dot twice.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar, assert_never

import msgspec

from ..errors import CallerError, Corrupt
from ..messages import Update, Versions
from ..operations import (
    AcceptBallot,
    AcceptorState,
    DropHint,
    ForgetMember,
    Hint,
    HintsListed,
    ListHints,
    ListMembers,
    ListOpenRecords,
    ListVersions,
    MembersListed,
    MergeVersions,
    MintVersion,
    NoteChunkHint,
    Noted,
    NoteMember,
    OpenRecordsListed,
    Operation,
    PromiseBallot,
    ReadVersions,
    StoreFailed,
    StoreOutcome,
    VersionsListed,
    VersionsMerged,
    VersionsRead,
)
from ..terms import PeerId
from . import versions as sets
from .records import RECORD_PREFIX, ending_register

MEMBERS_MAX = 4096
"""Rows of the member table that are read after a start: what a push-pull carries."""

Read = Callable[[bytes], bytes | None]
Scan = Callable[[bytes, bytes, int], Sequence[tuple[bytes, bytes | None]]]
Writes = dict[bytes, bytes | None]
Step = tuple[Writes, StoreOutcome]
Row = TypeVar("Row", Versions, AcceptorState, Update, int)

_encode = msgspec.msgpack.Encoder().encode


def apply(operation: Operation, read: Read, scan: Scan) -> Step:
    """Work out the writes of an operation (None deletes the key) and its outcome.

    `read` gives one stored value, or raises `Corrupt`. `scan(prefix, after, limit)` gives stored rows in the order of
    their keys, of those that begin with `prefix` and sort after `after`; the value of a damaged one is None. An
    operation that fails writes nothing.
    """
    try:
        return _apply(operation, read, scan)
    except (CallerError, Corrupt) as error:
        return {}, StoreFailed(reason=str(error))


def _apply(operation: Operation, read: Read, scan: Scan) -> Step:
    match operation:
        case NoteMember() | ForgetMember() | ListMembers():
            return _keep_members(operation, scan)
        case ListOpenRecords():
            return _list_open_records(operation, read, scan)
        case PromiseBallot():
            return _promise(operation, read)
        case AcceptBallot():
            return _accept(operation, read)
        case _:
            return _apply_to_copies(operation, read, scan)


def _apply_to_copies(
    operation: ReadVersions | MintVersion | MergeVersions | ListVersions | NoteChunkHint | ListHints | DropHint,
    read: Read,
    scan: Scan,
) -> Step:
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
        case _:
            assert_never(operation)


def _mint(operation: MintVersion, read: Read) -> Step:
    row = b"v/" + operation.key
    held = _read(read, row, Versions) or sets.EMPTY
    repairs = _read(read, b"r/" + operation.key, int) or 0
    actor = f"{operation.actor}~{repairs}" if repairs else operation.actor
    minted = sets.mint(held, operation.context, operation.value, actor)
    return {row: _encode(minted)}, VersionsMerged(versions=minted, actor=actor)


def _merge(operation: MergeVersions, read: Read) -> Step:
    writes, merged = _joined(b"v/" + operation.key, operation.versions, read)
    if merged is None:
        marker = b"r/" + operation.key
        merged = operation.versions
        writes[marker] = _encode((_read(read, marker, int) or 0) + 1)
    if operation.hint_for is not None:
        hint_writes, _ = _joined(_hint_prefix(operation.hint_for, b"v") + operation.key, operation.versions, read)
        writes |= hint_writes
    return writes, VersionsMerged(versions=merged)


def _joined(row: bytes, versions: Versions, read: Read) -> tuple[Writes, Versions | None]:
    """Join into one row; a merge that brings nothing new writes nothing, which makes doubled messages cheap.

    A corrupt row is replaced, and then there is nothing joined to speak of.
    """
    try:
        held = _read(read, row, Versions)
    except Corrupt:
        return {row: _encode(versions)}, None
    merged = sets.join(held or sets.EMPTY, versions)
    sets.require_bounded(merged)
    return ({} if merged == held else {row: _encode(merged)}), merged


def _list_versions(operation: ListVersions, scan: Scan) -> Step:
    rows, corrupt = _page(scan, b"v/" + operation.prefix, b"v/" + operation.after, operation.limit + 1, Versions)
    entries = tuple((row[2:], sets.stripped(versions)) for row, versions in rows[: operation.limit])
    bad_keys = tuple(row[2:] for row in corrupt)
    return {}, VersionsListed(entries=entries, more=len(rows) > operation.limit, corrupt=bad_keys)


def _list_hints(target: PeerId, limit: int, scan: Scan) -> Step:
    """List hints of both kinds; either may fill half a page, so that one that is stuck does not starve the other."""
    values, chunks = _hint_prefix(target, b"v"), _hint_prefix(target, b"c")
    value_rows, _ = _page(scan, values, values, limit, Versions)
    chunk_rows, _ = _page(scan, chunks, chunks, limit, int)
    value_rows = value_rows[: max(limit - len(chunk_rows), (limit + 1) // 2)]
    chunk_rows = chunk_rows[: limit - len(value_rows)]
    hints = [Hint(key=row[len(values) :], versions=versions, chunk_size=0) for row, versions in value_rows]
    hints += [Hint(key=row[len(chunks) :], versions=None, chunk_size=size) for row, size in chunk_rows]
    return {}, HintsListed(hints=tuple(hints))


def _page(
    scan: Scan, prefix: bytes, after: bytes, limit: int, kind: type[Row]
) -> tuple[list[tuple[bytes, Row]], list[bytes]]:
    """Read `limit` sound rows, or all there are; beside them name the corrupt ones that were passed over."""
    sound: list[tuple[bytes, Row]] = []
    corrupt: list[bytes] = []
    while len(sound) < limit:
        wanted = limit - len(sound)
        rows = scan(prefix, after, wanted)
        for row, raw in rows:
            try:
                sound.append((row, _decode(row, raw, kind)))
            except Corrupt:
                corrupt.append(row)
        if len(rows) < wanted:
            break
        after = rows[-1][0]
    return sound, corrupt


def _drop_hint(operation: DropHint, read: Read) -> Step:
    if operation.versions is None:
        return {_hint_prefix(operation.target, b"c") + operation.key: None}, Noted()
    row = _hint_prefix(operation.target, b"v") + operation.key
    held = _read(read, row, Versions)
    delivered = held is not None and sets.covers(operation.versions, held)
    return ({row: None} if delivered else {}), Noted()


def _promise(operation: PromiseBallot, read: Read) -> Step:
    """Promise a ballot unless a higher one is promised (Lamport 2001, phase 1b); one of round 0 only asks."""
    row = b"p/" + operation.key
    state = _read(read, row, AcceptorState)
    if state is None and operation.ballot.round == 0:
        return {}, AcceptorState(promised=operation.ballot, accepted=None, value=None)
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


def _keep_members(operation: NoteMember | ForgetMember | ListMembers, scan: Scan) -> Step:
    match operation:
        case NoteMember(update=update):
            return {b"m/" + update.member.id.encode(): _encode(update)}, Noted()
        case ForgetMember(peer=peer):
            return {b"m/" + peer.encode(): None}, Noted()
        case ListMembers():
            rows, _ = _page(scan, b"m/", b"m/", MEMBERS_MAX, Update)
            return {}, MembersListed(members=tuple(update for _, update in rows))
        case _:
            assert_never(operation)


def _list_open_records(operation: ListOpenRecords, read: Read, scan: Scan) -> Step:
    rows = scan(b"v/" + RECORD_PREFIX, b"v/" + operation.after, operation.limit)
    found = []
    for row, raw in rows:
        try:
            values = sets.live_values(_decode(row, raw, Versions))
        except Corrupt:
            continue  # a reader of the record will have it mended
        if values and not _has_ended(read, row[2:]):
            found.append((row[2:], values))
    after = rows[-1][0][2:] if len(rows) == operation.limit else None
    return {}, OpenRecordsListed(records=tuple(found), after=after)


def _has_ended(read: Read, key: bytes) -> bool:
    try:
        state = _read(read, b"p/" + ending_register(key), AcceptorState)
    except Corrupt:
        return False
    return state is not None and state.accepted is not None


def _hint_prefix(target: PeerId, kind: bytes) -> bytes:
    return b"h/" + target.encode() + b"/" + kind + b"/"


def _read(read: Read, row: bytes, kind: type[Row]) -> Row | None:
    raw = read(row)
    return None if raw is None else _decode(row, raw, kind)


def _decode(row: bytes, raw: bytes | None, kind: type[Row]) -> Row:
    if raw is None:
        raise Corrupt(f"corrupt row {row!r}: its checksum does not match")
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise Corrupt(f"corrupt row {row!r}: {error}") from error
