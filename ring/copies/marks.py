"""Mark chunks that nobody names, and tell when a mark is old enough for its chunk to be removed.

    g/<digest>    Mark: the chunk was named by nobody then, or it was collected then
    x/lived       float: for how many seconds this peer has run, over all its starts

Times are seconds that this peer itself has run: no clock can jump over a grace, and a peer that was down does not wake
up to marks that have ripened meanwhile. A mark or a count that cannot be read counts for nothing: the grace begins
anew. A chunk that may be of a job under way is held: what lies here unnamed while a job is open may be its output, and
becomes nameless only with the job's end; so the grace begins anew once none of those jobs is open. Jobs that came after
the mark do not hold it, for whatever they store is asked for, which takes the mark off.
"""

from typing import Final, TypeVar

import msgspec

from ..errors import Corrupt
from ..operations import ClearNotes, CountLife, ForgetChunk, MarkChunks, NoteChunk, WeighCopy
from ..outcomes import ChunksMarked, CopyWeighed, LifeCounted, Noted, NotesCleared
from .stored import Read, Scan, Step, Writes, encode, hint_prefix

MARK_PREFIX: Final = b"g/"
LIVED: Final = b"x/lived"

Kept = TypeVar("Kept")


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """When a chunk was first found unnamed, and which jobs were open then; or when it `was_collected`."""

    lived_s: float
    owners: tuple[bytes, ...] = ()
    was_collected: bool = False


_mark = msgspec.msgpack.Decoder(Mark)
_seconds = msgspec.msgpack.Decoder(float)

Marking = WeighCopy | CountLife | MarkChunks | ForgetChunk | ClearNotes


def keep_marks(operation: Marking, read: Read, scan: Scan) -> Step:
    """Work out one of these operations."""
    match operation:
        case WeighCopy(digest=digest):
            return {}, CopyWeighed(is_refused=_was_collected(_mark_of(digest, read)))
        case CountLife(seconds=seconds):
            lived_s = (_decoded(read, LIVED, _seconds) or 0.0) + seconds
            return {LIVED: encode(lived_s)}, LifeCounted(lived_s=lived_s)
        case MarkChunks():
            return _mark_chunks(operation, read)
        case ForgetChunk(digest=digest, lived_s=lived_s, hinted=hinted):
            hints = (hint_prefix(peer, b"c") + digest for peer in hinted)
            gone: Writes = {row: None for row in (b"c/" + digest, *hints) if _is_there(row, read)}
            return gone | {MARK_PREFIX + digest: encode(Mark(lived_s, was_collected=True))}, Noted()
        case ClearNotes():
            return _clear_notes(operation, scan)


def note_chunk(operation: NoteChunk, read: Read) -> Step:
    """Set down that a chunk is kept, and take its mark off; a mere copy leaves it on, and ends a collection's note."""
    size = encode(operation.size)
    writes: Writes = {b"c/" + operation.digest: size}
    if operation.hint_for is not None:
        writes[hint_prefix(operation.hint_for, b"c") + operation.digest] = size
    row = MARK_PREFIX + operation.digest
    if _is_there(row, read) and not (operation.is_copy and _is_mark(_mark_of(operation.digest, read))):
        writes[row] = None
    return writes, Noted()


def _mark_chunks(operation: MarkChunks, read: Read) -> Step:
    writes: Writes = {row: None for digest in operation.named if _is_there(row := MARK_PREFIX + digest, read)}
    ripe: list[tuple[bytes, int]] = []
    waiting, held, dues = [], 0, []
    for digest, size in operation.unnamed:
        mark = _standing(_mark_of(digest, read), operation.lived_s)
        if mark is None:
            mark = Mark(operation.lived_s, tuple(sorted(operation.open_jobs)))
            writes[MARK_PREFIX + digest] = encode(mark)
        elif mark.owners and operation.open_jobs.isdisjoint(mark.owners):
            mark = Mark(operation.lived_s)
            writes[MARK_PREFIX + digest] = encode(mark)
        left_s = mark.lived_s + operation.grace_s - operation.lived_s
        is_new = MARK_PREFIX + digest in writes
        if not mark.owners and left_s <= 0 and not is_new:
            ripe.append((digest, size))
            continue
        waiting.append(size)
        held += bool(mark.owners)
        dues += [] if mark.owners else [max(0.0, left_s)]
    outcome = ChunksMarked(
        ripe=tuple(ripe),
        waiting=len(waiting),
        waiting_bytes=sum(waiting),
        held=held,
        due_in_s=min(dues, default=None),
    )
    return {} if operation.is_dry else writes, outcome


def _clear_notes(operation: ClearNotes, scan: Scan) -> Step:
    rows = scan(MARK_PREFIX, MARK_PREFIX + operation.after, operation.limit)
    writes: Writes = {}
    for row, raw in rows:
        try:
            note = None if raw is None else _mark.decode(raw)
        except msgspec.DecodeError:
            note = None
        is_over = row[len(MARK_PREFIX) :] in operation.named or (note is not None and note.lived_s < operation.before_s)
        if note is None or (note.was_collected and is_over):
            writes[row] = None
    return writes, NotesCleared(after=rows[-1][0][len(MARK_PREFIX) :] if len(rows) == operation.limit else None)


def _standing(mark: Mark | None, lived_s: float) -> Mark | None:
    """Give a mark that still means what it says: of a chunk not collected since, and not made in a later life."""
    return mark if mark is not None and not mark.was_collected and mark.lived_s <= lived_s else None


def _mark_of(digest: bytes, read: Read) -> Mark | None:
    return _decoded(read, MARK_PREFIX + digest, _mark)


def _decoded(read: Read, row: bytes, decoder: "msgspec.msgpack.Decoder[Kept]") -> Kept | None:
    """Read a row of this peer's own notes; one that is damaged is none."""
    try:
        raw = read(row)
        return None if raw is None else decoder.decode(raw)
    except (Corrupt, msgspec.DecodeError):
        return None


def _is_there(row: bytes, read: Read) -> bool:
    try:
        return read(row) is not None
    except Corrupt:
        return True


def _is_mark(mark: Mark | None) -> bool:
    return mark is not None and not mark.was_collected


def _was_collected(mark: Mark | None) -> bool:
    return mark is not None and mark.was_collected
