"""Decide at each store operation whether values end when they should, and whether conditional puts may be written.

S8  no peer gives out a value that has ended by its own clock, or takes one back that it has set down as ended
S9  a conditional put is minted only by who has read R homes, and over what its condition allows in these eyes
"""

from collections.abc import Iterable

import msgspec

from ...ring.copies.versions import endings
from ...ring.facts import Versions
from ...ring.operations import ListVersions, MintVersion, Operation, ReadVersions
from ...ring.outcomes import StoreOutcome, VersionsListed, VersionsMerged, VersionsRead
from ...ring.terms import Condition

_decode = msgspec.msgpack.Decoder(Versions).decode


def operation_violation(peer: str, operation: Operation, outcome: StoreOutcome, unix_ms: int) -> str:
    """Check S8 and S9 at one store operation; empty where all is well."""
    match operation, outcome:
        case ReadVersions(key=key), VersionsRead(versions=Versions() as versions):
            return _served_late(peer, ((key, versions),), unix_ms)
        case ListVersions(), VersionsListed(entries=entries):
            return _served_late(peer, entries, unix_ms)
        case MintVersion(), VersionsMerged(versions=versions, actor=actor):
            return _minted_beside(peer, operation, versions, actor)
        case _:
            return ""


def revival(peer: str, key: bytes, before: bytes | None, after: bytes | None) -> str:
    """Check S8 on the row of a copy before and after a merge; empty where nothing that had ended is there again."""
    if before is None or after is None or before == after:
        return ""
    ended = {each.dot for each in _decode(before).siblings if each.expires_at and each.value is None}
    if ended and any(each.dot in ended and each.value is not None for each in _decode(after).siblings):
        return f"S8: {peer[:8]} takes back a value of {key!r} that has ended"
    return ""


def _served_late(peer: str, entries: Iterable[tuple[bytes, Versions]], unix_ms: int) -> str:
    for key, versions in entries:
        if any(end <= unix_ms for end in endings(versions)):
            return f"S8: {peer[:8]} gives out a value of {key!r} that has ended"
    return ""


def _minted_beside(peer: str, mint: MintVersion, versions: Versions, actor: str) -> str:
    if mint.condition is not Condition.NONE and mint.known is None:
        return f"S9: {peer[:8]} wrote {mint.key!r} on a condition without having read the others"
    for sibling in versions.siblings:
        is_minted = (sibling.dot.actor, sibling.dot.counter) == (actor, versions.seen[actor])
        is_read = mint.context.get(sibling.dot.actor, 0) >= sibling.dot.counter
        is_allowed = {
            Condition.NONE: True,
            Condition.IF_CURRENT: is_minted or is_read,
            Condition.IF_ABSENT: is_minted or sibling.value is None,
        }
        if not is_allowed[mint.condition]:
            return f"S9: {peer[:8]} wrote {mint.key!r} although its condition does not hold"
    return ""
