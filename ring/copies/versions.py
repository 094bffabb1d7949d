"""Tell which of the values of a key are still current: dotted version vector sets, without any clock.

Theory of operation. A write is named by its dot, the n-th write of one actor, and only a primary mints dots. A set
knows of every dot up to `seen[actor]`, and those that are not among its siblings were overwritten. So two sets merge
by one rule: drop a sibling if and only if the *other* set has seen its dot and no longer holds it. A put brings the
context of the read it is based on, and overwrites exactly what that read saw; a delete is a put of None, a tombstone.

A context may name actors that this peer never met: what they wrote has been read, so it is overwritten here as well,
even before it arrives. Every function returns the canonical form, in which equal sets are equal bytes.

A value may have an end. Whoever keeps a copy turns a value that has ended, by its own clock, into a tombstone of the
same dot, and of the two the tombstone is the stronger wherever they meet: so clocks that differ shift the end by as
much, and a value that has ended anywhere does not come back from an older copy.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from msgspec.structs import replace

from ..errors import CallerError
from ..facts import Context, Dot, Sibling, Versions
from ..terms import JOINED_BYTES_MAX, JOINED_MAX, Condition

EMPTY = Versions(seen={}, siblings=())

SIBLINGS_MAX = 100
"""Concurrent values of one key; they come from writers that never read, and each is carried by every answer.

It bounds what is minted. Whoever mints knows of all that it minted before, so what it adds to any set stays below; and
what comes together after a cut is at most so much for each peer that wrote.
"""

SIBLINGS_BYTES_MAX = 3 << 19
"""Bytes that they weigh together, where there are several; it bounds what is minted in the same way."""

ACTORS_MAX = 4096
"""Actors of one key that are remembered where it is written: 50 bytes each."""

ACTORS_KEPT = 64
"""Where there are more, those of starts that are over are forgotten once all homes know what they wrote."""

COUNTER_MAX = (1 << 63) - 1

_WAY_OUT = "read the key, then put one value with that context"
_REMOVE_DEAD = "they are forgotten only while all members live: remove those that do not"


def canonical(seen: Mapping[str, int], siblings: Iterable[Sibling]) -> Versions:
    """Put a set into the one form that equal sets share: sorted, every dot of a sibling seen, no actor at zero."""
    ordered = tuple(sorted(siblings, key=_by_actor_and_count))
    known = _upper(seen, {sibling.dot.actor: sibling.dot.counter for sibling in ordered})
    return Versions(seen={actor: known[actor] for actor in sorted(known) if known[actor]}, siblings=ordered)


def mint(versions: Versions, context: Context, value: bytes | None, actor: str, expires_at: int = 0) -> Versions:
    """Write `value` (None deletes) by a new dot of `actor` over what `context` covers; it ends at `expires_at`.

    `versions` must hold all dots of that actor, for the new one covers them.

    Raises:
        CallerError: The key would have more concurrent values, writers or writes than a set can carry.
    """
    seen = _upper(versions.seen, context)
    counter = seen.get(actor, 0) + 1
    if counter > COUNTER_MAX:
        raise CallerError(f"the context claims more writes of {actor} than there can be: read the key for a true one")
    kept = [sibling for sibling in versions.siblings if not _saw(context, sibling.dot)]
    written = Sibling(dot=Dot(actor=actor, counter=counter), value=value, expires_at=expires_at)
    merged = canonical(seen | {actor: counter}, [*kept, written])
    _require_bounded(merged, value)
    return merged


def join(a: Versions, b: Versions) -> Versions:
    """Merge two sets: nothing that either has overwritten comes back, and nothing concurrent is lost."""
    if a == b:
        return a
    ours, theirs = _by_dot(a), _by_dot(b)
    kept = [sibling for dot, sibling in ours.items() if dot not in theirs and not _saw(b.seen, dot)]
    kept += [sibling for dot, sibling in theirs.items() if dot not in ours and not _saw(a.seen, dot)]
    kept += [_same(sibling, theirs[dot]) for dot, sibling in ours.items() if dot in theirs]
    return canonical(_upper(a.seen, b.seen), kept)


def covers(a: Versions, b: Versions) -> bool:
    """Tell if `a` knows all that `b` knows, so that merging `b` would change nothing; values are not looked at.

    The dots suffice: what `b` overwrote, it overwrote by a write whose dot it has seen, and so `a` has seen it too.
    But a value in `a` may be one that has ended in `b`.
    """
    if a == b:
        return True
    if any(a.seen.get(actor, 0) < counter for actor, counter in b.seen.items()):
        return False
    ended = {sibling.dot for sibling in b.siblings if sibling.expires_at and sibling.value is None}
    return not ended or all(sibling.value is None or sibling.dot not in ended for sibling in a.siblings)


def holds(condition: Condition, context: Context, versions: Versions) -> bool:
    """Tell whether a conditional put with that context may be written over what is there."""
    match condition:
        case Condition.NONE:
            return True
        case Condition.IF_CURRENT:
            return all(_saw(context, sibling.dot) for sibling in versions.siblings)
        case Condition.IF_ABSENT:
            return not live_values(versions)
        case _:
            assert_never(condition)


def expired(versions: Versions, unix_ms: int) -> Versions:
    """Turn each value that has ended by that time into a tombstone of the same dot."""
    ended = [sibling for sibling in versions.siblings if sibling.expires_at and _has_ended(sibling, unix_ms)]
    if not ended:
        return versions
    siblings = tuple(replace(each, value=None) if each in ended else each for each in versions.siblings)
    return Versions(seen=versions.seen, siblings=siblings)


def endings(versions: Versions) -> tuple[int, ...]:
    """List when values that are there will end, in milliseconds since 1970."""
    return tuple(
        sibling.expires_at for sibling in versions.siblings if sibling.expires_at and sibling.value is not None
    )


def context_of(versions: Versions) -> Context:
    """Give what a put must bring in order to overwrite all that this set holds."""
    return dict(versions.seen)


def live_values(versions: Versions) -> tuple[bytes, ...]:
    """Give the current values, tombstones left out."""
    return tuple(sibling.value for sibling in versions.siblings if sibling.value is not None)


def stripped(versions: Versions) -> Versions:
    """Take the values out and leave the dots; a tombstone can still be told from a value."""
    bare = tuple(sibling if sibling.value is None else replace(sibling, value=b"") for sibling in versions.siblings)
    return Versions(seen=versions.seen, siblings=bare)


def require_portable(versions: Versions) -> None:
    """Refuse a merged set that the wire could not carry: more than ten peers wrote it and knew nothing of each other.

    Their copies stay as they are; a reader gets a context of them all, and a put with that replaces them.

    Raises:
        CallerError: There are too many concurrent values, or they weigh too much; the message says how to resolve it.
    """
    if len(versions.siblings) > JOINED_MAX or bytes_of(versions) > JOINED_BYTES_MAX:
        raise CallerError(f"too many concurrent values to be merged: {_WAY_OUT}")
    if len(versions.seen) > 2 * ACTORS_MAX:
        raise CallerError(f"too many actors to be merged: {_REMOVE_DEAD}")


def bytes_of(versions: Versions) -> int:
    """Count the bytes of the values."""
    return sum(len(sibling.value or b"") for sibling in versions.siblings)


def is_crowded(versions: Versions) -> bool:
    """Tell whether more actors have written a key than need be remembered."""
    return len(versions.seen) > ACTORS_KEPT


def forgetting(versions: Versions, actors: Mapping[str, int]) -> Versions:
    """Forget actors with nothing current, if no more is known of them than these counts.

    Only for who has proof that nobody holds any of their values any more: a copy that did would bring them back.
    """
    current = {sibling.dot.actor for sibling in versions.siblings}
    seen = {a: count for a, count in versions.seen.items() if a in current or actors.get(a) != count}
    return versions if len(seen) == len(versions.seen) else Versions(seen=seen, siblings=versions.siblings)


def _require_bounded(versions: Versions, value: bytes | None) -> None:
    """Refuse what a writer has made too large; a delete adds no bytes."""
    if len(versions.siblings) > SIBLINGS_MAX:
        raise CallerError(f"over {SIBLINGS_MAX} concurrent values: {_WAY_OUT}")
    if value is not None and len(versions.siblings) > 1 and bytes_of(versions) > SIBLINGS_BYTES_MAX:
        raise CallerError(f"concurrent values of over {SIBLINGS_BYTES_MAX} bytes: {_WAY_OUT}")
    if len(versions.seen) > ACTORS_MAX:
        raise CallerError(f"over {ACTORS_MAX} actors have written this key: {_REMOVE_DEAD}")


def _upper(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    upper = dict(a)
    for actor, counter in b.items():
        if counter > upper.get(actor, 0):
            upper[actor] = counter
    return upper


def _by_actor_and_count(sibling: Sibling) -> tuple[str, int]:
    return sibling.dot.actor, sibling.dot.counter


def _saw(seen: Mapping[str, int], dot: Dot) -> bool:
    return seen.get(dot.actor, 0) >= dot.counter


def _by_dot(versions: Versions) -> dict[Dot, Sibling]:
    return {sibling.dot: sibling for sibling in versions.siblings}


def _has_ended(sibling: Sibling, unix_ms: int) -> bool:
    return 0 < sibling.expires_at <= unix_ms and sibling.value is not None


def _same(a: Sibling, b: Sibling) -> Sibling:
    """Choose one of two siblings with one dot: the one that has ended, if one has.

    Else they differ only if a dot was used twice, and then all must agree.
    """
    return max(a, b, key=_strength)


def _strength(sibling: Sibling) -> tuple[int, bool, bytes]:
    is_stronger = (sibling.value is None) == (sibling.expires_at > 0)
    return (sibling.expires_at, is_stronger, sibling.value or b"")
