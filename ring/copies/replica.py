"""Give each store operation its meaning: what it reads, what it writes and what it reports, as one pure step.

Layout of the stored keys; every value is msgpack.

    v/<key>                    Versions: this peer's copy of a key
    h/<target>/v/<key>         Versions: what is kept of that key for an absent primary
    h/<target>/c/<digest>      int: the bytes of a chunk that is kept for an absent primary
    c/<digest>                 int: the bytes of a chunk that is kept here
    p/<key>                    AcceptorState: what this peer promised and accepted for a register
    r/<key>                    int: how often this peer's copy of a key was corrupt and had to be replaced
    m/<peer>                   Update: what was last heard of a member, alive or left
    e/<end><key>               empty: a value of that key ends then (8 bytes, milliseconds since 1970)
    g/<digest>, x/lived        see `marks`

The caller runs a step in one transaction: nothing else may write between its reads and its writes. A row that cannot
be read fails the operation: to take it for absent would bring deleted values back. Only a merge replaces a corrupt
copy, by what another peer holds, or a mint where nobody holds a sound one. It may not know of all the dots that this
peer has minted for that key, so from then on this peer mints there under a new name, and uses no dot twice.

A value that has ended by the clock of this disk is given out as a tombstone, and set down as one with the next write
of its key or by `ExpireVersions`.
"""

from typing import TypeAlias, assert_never

from ..errors import CallerError, Corrupt
from ..facts import Update, Versions
from ..namespaces import RECORD_PREFIX, ending_register
from ..operations import (
    AcceptBallot,
    CompareVersions,
    DropHint,
    ExpireVersions,
    ForgetMember,
    ListChunks,
    ListHints,
    ListMembers,
    ListNames,
    ListOpenRecords,
    ListVersions,
    MergeVersions,
    MintVersion,
    NoteChunk,
    NoteMember,
    Operation,
    PromiseBallot,
    ReadVersions,
    ScrubRows,
    WeighVersions,
)
from ..outcomes import (
    AcceptorState,
    Hint,
    HintsListed,
    MembersListed,
    MintConflict,
    Noted,
    OpenRecordsListed,
    StoreFailed,
    VersionsExpired,
    VersionsMerged,
    VersionsRead,
)
from ..terms import VNODES, Condition, PeerId
from . import comparing
from . import versions as sets
from .index import in_step
from .inspection import Inspection, inspect
from .marks import Marking, keep_marks, note_chunk
from .names import list_names
from .scrubbing import scrub_rows
from .stored import Copies, Read, Scan, Step, Writes, decode, encode, hint_prefix, page_of, read_row

MEMBERS_MAX = 4096
"""Rows of the member table that are read after a start: what a push-pull carries."""

_END_ROW_HEAD = 10
"""Bytes of an `e/` row before its key."""

_OfCopies: TypeAlias = ExpireVersions | ListVersions | NoteChunk | ListHints | DropHint
_OfRows: TypeAlias = (
    NoteMember
    | ForgetMember
    | ListMembers
    | ListOpenRecords
    | PromiseBallot
    | AcceptBallot
    | ScrubRows
    | CompareVersions
    | WeighVersions
    | ListChunks
    | ListNames
    | _OfCopies
)


def apply(operation: Operation, read: Read, scan: Scan, *, unix_ms: int = 0, vnodes: int = VNODES) -> Step:
    """Work out the writes of an operation (None deletes the key) and its outcome.

    `read` gives one stored value, or raises `Corrupt`. `scan(prefix, after, limit)` gives stored rows in the order of
    their keys, of those that begin with `prefix` and sort after `after`; the value of a damaged one is None. An
    operation that fails writes nothing. `unix_ms` is the clock's time, by which values end. Whatever is written of
    copies and chunks, the trees and the index (see `index`) are kept in step.
    """
    copies = Copies(read)
    try:
        writes, outcome = _apply(operation, copies, scan, unix_ms, vnodes)
        return writes | in_step(writes, copies, scan, vnodes), outcome
    except CallerError as error:
        return {}, StoreFailed(reason=str(error))
    except Corrupt as error:
        return {}, StoreFailed(reason=str(error), is_corrupt=True)


def _apply(operation: Operation, copies: Copies, scan: Scan, unix_ms: int, vnodes: int) -> Step:
    match operation:
        case ReadVersions(key=key):
            versions = copies.versions(b"v/" + key)
            return {}, VersionsRead(versions=None if versions is None else sets.expired(versions, unix_ms))
        case MintVersion():
            return _mint(operation, copies, unix_ms)
        case MergeVersions():
            return _merge(operation, copies, unix_ms)
        case _ if isinstance(operation, Marking):
            return keep_marks(operation, copies.read, scan)
        case _ if isinstance(operation, Inspection):
            return inspect(operation, copies.read, scan, vnodes)
        case _:
            return _apply_to_rows(operation, copies.read, scan, unix_ms)


def _apply_to_rows(operation: _OfRows, read: Read, scan: Scan, unix_ms: int) -> Step:
    match operation:
        case NoteMember() | ForgetMember() | ListMembers():
            return _keep_members(operation, scan)
        case ListOpenRecords():
            return _list_open_records(operation, read, scan)
        case PromiseBallot():
            return _promise(operation, read)
        case AcceptBallot():
            return _accept(operation, read)
        case ScrubRows():
            return scrub_rows(operation, read, scan)
        case CompareVersions():
            return {}, comparing.compare(operation, read)
        case WeighVersions():
            return {}, comparing.weigh(operation, scan)
        case ListChunks():
            return {}, comparing.list_chunks(operation, scan)
        case ListNames():
            return {}, list_names(operation, scan)
        case _:
            return _apply_to_copies(operation, read, scan, unix_ms)


def _apply_to_copies(operation: _OfCopies, read: Read, scan: Scan, unix_ms: int) -> Step:
    match operation:
        case ExpireVersions(limit=limit):
            return _expire(limit, read, scan, unix_ms)
        case ListVersions():
            return {}, comparing.list_versions(operation, scan, unix_ms)
        case NoteChunk():
            return note_chunk(operation, read)
        case ListHints(target=target, limit=limit):
            return _list_hints(target, limit, read, scan)
        case DropHint():
            return _drop_hint(operation, read)
        case _:
            assert_never(operation)


def _mint(operation: MintVersion, copies: Copies, unix_ms: int) -> Step:
    marker = b"r/" + operation.key
    repairs = read_row(copies.read, marker, int) or 0
    writes: Writes = {}
    try:
        held = copies.versions(b"v/" + operation.key) or sets.EMPTY
    except Corrupt:
        if not operation.over_corrupt:
            raise
        held, repairs = sets.EMPTY, repairs + 1
        writes[marker] = encode(repairs)
    held = sets.expired(held if operation.known is None else sets.join(held, operation.known), unix_ms)
    if not sets.holds(operation.condition, operation.context, held):
        return {}, MintConflict(versions=held)
    actor = f"{operation.actor}~{repairs}" if repairs else operation.actor
    context = sets.context_of(held) if operation.condition is Condition.IF_ABSENT else operation.context
    minted = sets.expired(sets.mint(held, context, operation.value, actor, operation.expires_at), unix_ms)
    is_replaced = marker in writes
    writes |= _copy(operation.key, minted, copies)
    for target in operation.hints_for:
        writes |= _hint(hint_prefix(target, b"v") + operation.key, minted, copies.read)
    return writes, VersionsMerged(versions=minted, actor=actor, replaced_corrupt=is_replaced)


def _merge(operation: MergeVersions, copies: Copies, unix_ms: int) -> Step:
    """Join into the copy; a merge that brings nothing new writes nothing, which makes doubled messages cheap."""
    brought = sets.expired(operation.versions, unix_ms)
    writes: Writes = {}
    try:
        held = copies.versions(b"v/" + operation.key)
        merged = _joined(held, brought)
        is_news = merged != held
    except Corrupt:
        marker = b"r/" + operation.key
        merged, is_news = brought, True
        writes[marker] = encode((read_row(copies.read, marker, int) or 0) + 1)
    if is_news:
        writes |= _copy(operation.key, sets.expired(merged, unix_ms), copies)
    if operation.hint_for is not None:
        writes |= _hint(hint_prefix(operation.hint_for, b"v") + operation.key, brought, copies.read)
    return writes, VersionsMerged(versions=merged)


def _copy(key: bytes, versions: Versions, copies: Copies) -> Writes:
    """Write this peer's copy of a key, and when its values end."""
    writes: Writes = {_end_row(end, key): b"" for end in sets.endings(versions)}
    writes[b"v/" + key] = copies.encode(versions)
    return writes


def _expire(limit: int, read: Read, scan: Scan, unix_ms: int) -> Step:
    """Set down as tombstones what has ended; a corrupt copy is told of its end anew by the merge that mends it."""
    rows = [row for row, _ in scan(b"e/", b"e/", limit) if row < _end_row(unix_ms + 1, b"")]
    writes: Writes = {}
    count = 0
    for row in rows:
        key = row[_END_ROW_HEAD:]
        writes[row] = None
        try:
            versions = read_row(read, b"v/" + key, Versions)
        except Corrupt:
            continue
        ended = versions if versions is None else sets.expired(versions, unix_ms)
        if ended is not None and ended is not versions:
            writes[b"v/" + key] = encode(ended)
            count += 1
    return writes, VersionsExpired(expired=count, more=len(rows) == limit)


def _end_row(unix_ms: int, key: bytes) -> bytes:
    return b"e/" + unix_ms.to_bytes(8, "big") + key


def _hint(row: bytes, versions: Versions, read: Read) -> Writes:
    """Join into what is kept for another peer; a hint that is corrupt is replaced."""
    try:
        held = read_row(read, row, Versions)
        merged = _joined(held, versions)
    except Corrupt:
        return {row: encode(versions)}
    return {} if merged == held else {row: encode(merged)}


def _joined(held: Versions | None, versions: Versions) -> Versions:
    merged = sets.join(held or sets.EMPTY, versions)
    sets.require_portable(merged)
    return merged


def _list_hints(target: PeerId, limit: int, read: Read, scan: Scan) -> Step:
    """List hints of both kinds; either may fill half a page, so that one that is stuck does not starve the other.

    A hint is given out with all that is known here by now: so none brings back what was deleted meanwhile.
    """
    values, chunks = hint_prefix(target, b"v"), hint_prefix(target, b"c")
    value_rows, _ = page_of(scan, values, values, limit, Versions)
    chunk_rows, _ = page_of(scan, chunks, chunks, limit, int)
    value_rows = value_rows[: max(limit - len(chunk_rows), (limit + 1) // 2)]
    chunk_rows = chunk_rows[: limit - len(value_rows)]
    kept = [(row[len(values) :], versions) for row, versions in value_rows]
    hints = [Hint(key=key, versions=_known(key, versions, read), chunk_size=0) for key, versions in kept]
    hints += [Hint(key=row[len(chunks) :], versions=None, chunk_size=size) for row, size in chunk_rows]
    return {}, HintsListed(hints=tuple(hints))


def _known(key: bytes, versions: Versions, read: Read) -> Versions:
    try:
        return sets.join(versions, read_row(read, b"v/" + key, Versions) or sets.EMPTY)
    except Corrupt:
        return versions


def _drop_hint(operation: DropHint, read: Read) -> Step:
    if operation.versions is None:
        return {hint_prefix(operation.target, b"c") + operation.key: None}, Noted()
    row = hint_prefix(operation.target, b"v") + operation.key
    held = read_row(read, row, Versions)
    delivered = held is not None and sets.covers(operation.versions, held)
    return ({row: None} if delivered else {}), Noted()


def _promise(operation: PromiseBallot, read: Read) -> Step:
    """Promise a ballot unless a higher one is promised (Lamport 2001, phase 1b); one of round 0 only asks."""
    row = b"p/" + operation.key
    state = read_row(read, row, AcceptorState)
    if state is None and operation.ballot.round == 0:
        return {}, AcceptorState(promised=operation.ballot, accepted=None, value=None)
    if state is not None and state.promised >= operation.ballot:
        return {}, state
    accepted, value = (None, None) if state is None else (state.accepted, state.value)
    promised = AcceptorState(promised=operation.ballot, accepted=accepted, value=value)
    return {row: encode(promised)}, promised


def _accept(operation: AcceptBallot, read: Read) -> Step:
    """Accept a value unless a higher ballot is promised (Lamport 2001, phase 2b); once accepted at one it stays."""
    row = b"p/" + operation.key
    state = read_row(read, row, AcceptorState)
    if state is not None and (state.promised > operation.ballot or state.accepted == operation.ballot):
        return {}, state
    accepted = AcceptorState(promised=operation.ballot, accepted=operation.ballot, value=operation.value)
    return {row: encode(accepted)}, accepted


def _keep_members(operation: NoteMember | ForgetMember | ListMembers, scan: Scan) -> Step:
    match operation:
        case NoteMember(update=update):
            return {b"m/" + update.member.id.encode(): encode(update)}, Noted()
        case ForgetMember(peer=peer):
            return {b"m/" + peer.encode(): None}, Noted()
        case ListMembers():
            rows, _ = page_of(scan, b"m/", b"m/", MEMBERS_MAX, Update)
            return {}, MembersListed(members=tuple(update for _, update in rows))
        case _:
            assert_never(operation)


def _list_open_records(operation: ListOpenRecords, read: Read, scan: Scan) -> Step:
    rows = scan(b"v/" + RECORD_PREFIX, b"v/" + operation.after, operation.limit)
    found = []
    for row, raw in rows:
        try:
            values = sets.live_values(decode(row, raw, Versions))
        except Corrupt:
            continue  # a reader of the record will have it mended
        if values and not _has_ended(read, row[2:]):
            found.append((row[2:], values))
    after = rows[-1][0][2:] if len(rows) == operation.limit else None
    return {}, OpenRecordsListed(records=tuple(found), after=after)


def _has_ended(read: Read, key: bytes) -> bool:
    try:
        state = read_row(read, b"p/" + ending_register(key), AcceptorState)
    except Corrupt:
        return False
    return state is not None and state.accepted is not None
