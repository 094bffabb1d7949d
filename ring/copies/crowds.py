"""List keys that many actors have written, and forget those actors of which nothing is current any more."""

from ..errors import Corrupt
from ..facts import Versions
from ..operations import ForgetActors, ListCrowds
from ..outcomes import ActorsForgotten, CrowdsListed
from . import versions as sets
from .index import TOMBSTONE_HEAD, tree_of_row
from .stored import STEP_BYTES_MAX, Read, Scan, Step, Writes, encode, hint_prefix, read_row


def list_crowds(operation: ListCrowds, read: Read, scan: Scan) -> CrowdsListed:
    """List such keys; one that cannot be read is mended first."""
    rows = scan(b"a/", b"a/" + operation.after, operation.limit)
    entries: list[tuple[int, bytes, Versions]] = []
    weight = 0
    for row, _ in rows:
        key = row[TOMBSTONE_HEAD:]
        try:
            versions = read_row(read, b"v/" + key, Versions)
        except Corrupt:
            continue
        if versions is None:
            continue
        entries.append((tree_of_row(row), key, sets.stripped(versions)))
        weight += len(versions.seen) + sets.bytes_of(versions)
        if weight >= STEP_BYTES_MAX:
            return CrowdsListed(entries=tuple(entries), after=row[2:])
    return CrowdsListed(entries=tuple(entries), after=rows[-1][0][2:] if len(rows) == operation.limit else None)


def forget(operation: ForgetActors, read: Read) -> Step:
    """Forget actors in the copy and in its hints; a hint first learns from the copy what was overwritten."""
    row = b"v/" + operation.key
    held = read_row(read, row, Versions)
    left = held if held is None else sets.forgetting(held, operation.actors)
    if held is None or left is None or left is held:
        return {}, ActorsForgotten(count=0)
    writes: Writes = {row: encode(left)}
    for target in operation.hinted:
        hint = hint_prefix(target, b"v") + operation.key
        kept = read_row(read, hint, Versions)
        if kept is not None:
            writes[hint] = encode(sets.forgetting(sets.join(kept, held), operation.actors))
    return writes, ActorsForgotten(count=len(held.seen) - len(left.seen))
