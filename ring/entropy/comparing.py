"""Find out by name in what two homes differ, from their lists of what falls into some leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..copies.inspection import cursor_of
from ..copies.trees import NO_PRINT
from ..facts import LeafEntry, LeafPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key, or one chunk if it has a size, that is not the same at two homes.

    A chunk is not had by whose note of it cannot be read: it pulls the chunk anew, and notes it anew.
    """

    name: bytes
    chunk_size: int | None
    is_mine: bool
    is_theirs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs in the first leaves: so many are `done`, and the next one up to the cursor `after`."""

    differences: tuple[Difference, ...]
    done: int
    after: bytes


def compare(mine: Sequence[LeafPage], theirs: Sequence[LeafPage]) -> Comparison:
    """Compare pages of the same leaves as far as both sides have listed them."""
    found: list[Difference] = []
    for number, (own, other) in enumerate(zip(mine, theirs, strict=False)):
        ends = [cursor_of(page.entries[-1]) for page in (own, other) if page.more and page.entries]
        end = min(ends, default=None)
        found += _differences(_until(own, end), _until(other, end))
        if end is not None:
            return Comparison(differences=tuple(found), done=number, after=end)
    return Comparison(differences=tuple(found), done=min(len(mine), len(theirs)), after=b"")


def _until(page: LeafPage, end: bytes | None) -> dict[bytes, LeafEntry]:
    entries = {cursor_of(entry): entry for entry in page.entries}
    return {cursor: entry for cursor, entry in entries.items() if end is None or cursor <= end}


def _differences(mine: dict[bytes, LeafEntry], theirs: dict[bytes, LeafEntry]) -> list[Difference]:
    found = []
    for cursor in sorted(mine.keys() | theirs.keys()):
        own, other = mine.get(cursor), theirs.get(cursor)
        entry = max((entry for entry in (own, other) if entry is not None), key=_size_of, default=None)
        if entry is not None and (own is None or other is None or own.print != other.print):
            found.append(
                Difference(
                    name=entry.name,
                    chunk_size=entry.chunk_size,
                    is_mine=_has(own),
                    is_theirs=_has(other),
                )
            )
    return found


def _size_of(entry: LeafEntry) -> int:
    return entry.chunk_size or 0


def _has(entry: LeafEntry | None) -> bool:
    return entry is not None and (entry.chunk_size is None or entry.print != NO_PRINT)
