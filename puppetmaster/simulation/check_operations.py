"""Decide at each store operation whether values end when they should, and whether conditional puts may be written.

S8  no peer gives out a value that has ended by its own clock
S9  a conditional put is minted only over what its condition allows, in the eyes of the peer that mints it
"""

from collections.abc import Iterable

from ...ring.copies.versions import endings
from ...ring.facts import Versions
from ...ring.operations import ListVersions, MintVersion, Operation, ReadVersions
from ...ring.outcomes import StoreOutcome, VersionsListed, VersionsMerged, VersionsRead
from ...ring.terms import Condition


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


def _served_late(peer: str, entries: Iterable[tuple[bytes, Versions]], unix_ms: int) -> str:
    for key, versions in entries:
        if any(end <= unix_ms for end in endings(versions)):
            return f"S8: {peer[:8]} gives out a value of {key!r} that has ended"
    return ""


def _minted_beside(peer: str, mint: MintVersion, versions: Versions, actor: str) -> str:
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
