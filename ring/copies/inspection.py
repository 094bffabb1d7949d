"""Give the store operations of anti-entropy their meaning: what two homes compare, and how a copy is given up."""

from collections.abc import Iterator
from typing import assert_never

from ..errors import Corrupt
from ..facts import LeafEntry, LeafPage, Versions
from ..operations import (
    DropCopy,
    DropHints,
    ForgetActors,
    IndexCopies,
    ListCrowds,
    ListLeaves,
    ListStrays,
    ListTombstones,
    ReadTrees,
)
from ..outcomes import CopiesIndexed, CopyDropped, HintsDropped, LeavesListed, StraysListed, TombstonesListed, TreesRead
from . import crowds
from . import versions as sets
from .index import (
    CHUNKS,
    KEYS,
    TOMBSTONE_HEAD,
    index_page,
    index_prefix,
    is_deleted,
    name_in_index,
    recounted_tree,
    tree_of_row,
    tree_row,
)
from .stored import Read, Scan, Step, Writes, hint_prefix, read_row
from .trees import NO_PRINT, Spot, print_of_chunk, print_of_versions

BYTES_MAX = 4 << 20
"""Bytes of copies that one listing of leaves reads: their values must be read for the writes in them."""

_PAGE = 256

Inspection = (
    IndexCopies
    | ReadTrees
    | ListLeaves
    | ListStrays
    | ListTombstones
    | ListCrowds
    | ForgetActors
    | DropCopy
    | DropHints
)


def inspect(operation: Inspection, read: Read, scan: Scan, vnodes: int) -> Step:
    """Work out one of these operations."""
    match operation:
        case IndexCopies():
            writes, has_more = index_page(read, scan, vnodes)
            return writes, CopiesIndexed(more=has_more)
        case ReadTrees(first=first, last=last):
            return _read_trees(first, last, read, scan, vnodes)
        case ListLeaves():
            return {}, LeavesListed(pages=tuple(_pages(operation, read, scan)))
        case ListStrays():
            return {}, StraysListed(keys=tuple(_strays(operation, scan))[: operation.limit])
        case ListTombstones(after=after, limit=limit):
            return {}, _tombstones(after, limit, read, scan)
        case ListCrowds():
            return {}, crowds.list_crowds(operation, read, scan)
        case ForgetActors():
            return crowds.forget(operation, read)
        case DropCopy():
            return _drop_copy(operation, read)
        case DropHints(target=target, limit=limit):
            rows = [row for kind in (b"v", b"c") for row, _ in scan(hint_prefix(target, kind), b"", limit)]
            return dict.fromkeys(rows), HintsDropped(more=len(rows) >= limit)
        case _:
            assert_never(operation)


def _read_trees(first: int, last: int, read: Read, scan: Scan, vnodes: int) -> Step:
    """Read trees by their numbers; one that is corrupt is counted anew from the index, and mended."""
    writes: Writes = {}
    trees: list[tuple[int, bytes]] = []
    after = tree_row(first - 1) if first else b"t/"
    while rows := scan(b"t/", after, _PAGE):
        for row, raw in rows:
            tree = tree_of_row(row)
            if tree > last:
                return writes, TreesRead(trees=tuple(trees))
            if raw is None:
                mended = recounted_tree(tree, read, scan, vnodes)
                writes |= mended
                raw = mended[row]
            trees += [] if raw is None else [(tree, raw)]
        after = rows[-1][0]
    return writes, TreesRead(trees=tuple(trees))


def _pages(operation: ListLeaves, read: Read, scan: Scan) -> Iterator[LeafPage]:
    limit, room, after = operation.limit, BYTES_MAX, operation.after
    for spot in operation.spots:
        entries: list[LeafEntry] = []
        for name in _names(spot, after, limit, scan):
            entry, size = _entry(name, read)
            entries.append(entry)
            room -= size
            if room <= 0:
                break
        limit -= len(entries)
        is_cut = limit <= 0 or room <= 0
        yield LeafPage(entries=tuple(entries), more=is_cut)
        if is_cut:
            return
        after = b""


def _names(spot: Spot, after: bytes, limit: int, scan: Scan) -> list[bytes]:
    """List the cursors of what falls into a leaf: kind, and key or digest; chunks first."""
    found: list[bytes] = []
    for kind in (CHUNKS, KEYS):
        if after[:1] <= kind:
            prefix = index_prefix(spot[0], kind, spot[1])
            begin = prefix + after[1:] if after[:1] == kind else prefix
            found += [kind + name_in_index(row) for row, _ in scan(prefix, begin, limit - len(found))]
    return found


def _entry(cursor: bytes, read: Read) -> tuple[LeafEntry, int]:
    """Digest what is kept, and tell how many bytes that took; what cannot be read is nobody's equal."""
    kind, name = cursor[:1], cursor[1:]
    try:
        if kind == CHUNKS:
            size = read_row(read, b"c/" + name, int) or 0
            return LeafEntry(name=name, print=print_of_chunk(name, size), chunk_size=size), 0
        raw = read(b"v/" + name)
        versions = read_row(lambda _: raw, b"v/" + name, Versions)
    except Corrupt:
        return LeafEntry(name=name, print=NO_PRINT, chunk_size=0 if kind == CHUNKS else None), 0
    written = NO_PRINT if versions is None else print_of_versions(name, versions)
    return LeafEntry(name=name, print=written), len(raw or b"")


def cursor_of(entry: LeafEntry) -> bytes:
    """Name an entry's place in its leaf."""
    return (KEYS if entry.chunk_size is None else CHUNKS) + entry.name


def _strays(operation: ListStrays, scan: Scan) -> Iterator[tuple[int, bytes]]:
    room = operation.limit
    for tree in operation.trees:
        prefix = index_prefix(tree, KEYS)
        rows = scan(prefix, prefix, min(operation.each, room))
        yield from ((tree, name_in_index(row)) for row, _ in rows)
        room -= len(rows)
        if room <= 0:
            return


def _tombstones(after: bytes, limit: int, read: Read, scan: Scan) -> TombstonesListed:
    rows = scan(b"d/", b"d/" + after, limit)
    entries: list[tuple[int, bytes, Versions]] = []
    for row, _ in rows:
        key = row[TOMBSTONE_HEAD:]
        try:
            versions = read_row(read, b"v/" + key, Versions)
        except Corrupt:
            continue  # it is mended first
        if versions is not None and is_deleted(versions):
            entries.append((tree_of_row(row), key, versions))
    return TombstonesListed(entries=tuple(entries), after=rows[-1][0][2:] if len(rows) == limit else None)


def _drop_copy(operation: DropCopy, read: Read) -> Step:
    """Give up a copy, unless more is known of its key by now; what hints of it say is known elsewhere as well."""
    held = read_row(read, b"v/" + operation.key, Versions)
    if held is None or sets.stripped(held) != sets.stripped(operation.versions):
        return {}, CopyDropped(is_dropped=False)
    writes: Writes = {b"v/" + operation.key: None}
    for target in operation.hinted:
        hint = hint_prefix(target, b"v") + operation.key
        versions = read_row(read, hint, Versions)
        if versions is not None and sets.covers(held, versions):
            writes[hint] = None
    return writes, CopyDropped(is_dropped=True)
