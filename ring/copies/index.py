"""Keep trees, index and list of tombstones in step with the copies: whatever a step writes, it writes these as well.

    t/<tree>                   the tree's leaves, 8 bytes each; there is no row for an empty tree
    i/<tree>v<leaf><key>       empty: that key falls into that leaf
    i/<tree>c<leaf><digest>    empty: so does that chunk
    d/<tree><key>              empty: all that is current of that key are deletes
    a/<tree><key>              empty: more actors have written that key than need be remembered
    x/indexed                  how far a store that is older than these rows has been indexed

A leaf is changed by what a row was and what it becomes. Where one of the two cannot be read, the leaf (or the whole
tree) is counted anew, from the rows that the index names.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from ..errors import Corrupt
from ..facts import Versions
from . import versions as sets
from .stored import Copies, Read, Scan, Writes
from .trees import EMPTY_TREE, LEAVES, NO_PRINT, Spot, Tree, print_of_chunk, print_of_versions, spot_of, xor, xored

KEYS: Final = b"v"
CHUNKS: Final = b"c"
CHUNK_KEY_PREFIX: Final = b"chunk/"
"""Before a chunk's digest it makes the key whose homes keep the chunk."""

_INDEXED = b"x/indexed"
_ALL = b"all"
_PAGE = 256
_TREE_NUMBER_BYTES = 4
_INDEX_HEAD = 2 + _TREE_NUMBER_BYTES + 2
TOMBSTONE_HEAD: Final = 2 + _TREE_NUMBER_BYTES

_size = msgspec.msgpack.Decoder(int)


def tree_row(tree: Tree) -> bytes:
    """Name the row of a tree."""
    return b"t/" + tree.to_bytes(_TREE_NUMBER_BYTES, "big")


def index_prefix(tree: Tree, kind: bytes, leaf: int | None = None) -> bytes:
    """Name what index rows of a tree, or of one of its leaves, begin with."""
    return b"i/" + tree.to_bytes(_TREE_NUMBER_BYTES, "big") + kind + (b"" if leaf is None else bytes([leaf]))


def tombstone_row(tree: Tree, key: bytes) -> bytes:
    """Name the row that says that all that is current of a key are deletes."""
    return b"d/" + tree.to_bytes(_TREE_NUMBER_BYTES, "big") + key


def crowd_row(tree: Tree, key: bytes) -> bytes:
    """Name the row that says that more actors have written a key than need be remembered."""
    return b"a/" + tree.to_bytes(_TREE_NUMBER_BYTES, "big") + key


def tree_of_row(row: bytes) -> Tree:
    """Tell the tree of a `t/`, `i/`, `d/` or `a/` row."""
    return int.from_bytes(row[2 : 2 + _TREE_NUMBER_BYTES], "big")


def name_in_index(row: bytes) -> bytes:
    """Tell the key or digest of an index row."""
    return row[_INDEX_HEAD:]


def is_deleted(versions: Versions) -> bool:
    """Tell whether all that is current are deletes."""
    return sets.live_values(versions) == ()


def in_step(writes: Writes, copies: Copies, scan: Scan, vnodes: int) -> Writes:
    """Give what must be written along with the writes of a step; `copies` and `scan` still give what was before."""
    rows = [row for row in writes if row.startswith((b"v/", b"c/"))]
    if not rows:
        return {}
    ledger = Ledger(writes, copies, scan, vnodes)
    for row in rows:
        ledger.take(row)
    return ledger.finish()


def index_page(read: Read, scan: Scan, vnodes: int) -> tuple[Writes, bool]:
    """Index some more of a store that is older than the index, and tell whether there is more to do."""
    try:
        after = read(_INDEXED) or b"v/"
    except Corrupt:
        after = b"v/"
    if after == _ALL:
        return {}, False
    rows = scan(b"v/", after, _PAGE)
    ledger = Ledger({}, Copies(read), scan, vnodes)
    for row, raw in rows:
        ledger.adopt(row[2:], raw)
    is_over = len(rows) < _PAGE
    return ledger.finish() | {_INDEXED: _ALL if is_over else rows[-1][0]}, not is_over


class Ledger:
    """The changes of trees and index that one step makes."""

    def __init__(self, writes: Writes, copies: Copies, scan: Scan, vnodes: int) -> None:
        self._writes = writes
        self._copies = copies
        self._read = copies.read
        self._scan = scan
        self._vnodes = vnodes
        self._noted: Writes = {}
        self._trees: dict[Tree, bytes] = {}
        self._doubtful: dict[Spot, None] = {}

    def take(self, row: bytes) -> None:
        """Take in one written row of a copy or of a chunk."""
        if row.startswith(b"v/"):
            self._take_key(row)
        else:
            self._take_chunk(row)

    def adopt(self, key: bytes, raw: bytes | None) -> None:
        """Index a copy that was there before the index, unless that was done already."""
        tree, leaf = spot_of(key, self._vnodes)
        named = index_prefix(tree, KEYS, leaf) + key
        if self._is_there(named):
            return
        self._noted[named] = b""
        versions = self._readable(named, raw)
        if versions is not None:
            self._change(tree, leaf, print_of_versions(key, versions))
            if is_deleted(versions):
                self._noted[tombstone_row(tree, key)] = b""
            if sets.is_crowded(versions):
                self._noted[crowd_row(tree, key)] = b""

    def recount(self, tree: Tree) -> None:
        """Count all leaves of a tree anew."""
        self._doubtful |= {(tree, leaf): None for leaf in range(LEAVES)}

    def finish(self) -> Writes:
        """Give all that is to be written."""
        if self._doubtful:
            for tree in {tree for tree, _ in self._doubtful}:
                self._change(tree, 0, NO_PRINT)  # a tree that cannot be read puts all its leaves in doubt
            for tree, leaf in self._doubtful:
                self._trees[tree] = self._recounted(tree, leaf)
        rows = {tree_row(tree): None if leaves == EMPTY_TREE else leaves for tree, leaves in self._trees.items()}
        return self._noted | rows

    def _take_key(self, row: bytes) -> None:
        key = row[2:]
        tree, leaf = spot_of(key, self._vnodes)
        new = self._readable(row, self._writes[row])
        is_now_deleted = new is not None and is_deleted(new)
        is_now_crowded = new is not None and sets.is_crowded(new)
        try:
            old = self._copies.versions(row)
        except Corrupt:
            self._noted[index_prefix(tree, KEYS, leaf) + key] = None if new is None else b""
            self._noted[tombstone_row(tree, key)] = b"" if is_now_deleted else None
            self._noted[crowd_row(tree, key)] = b"" if is_now_crowded else None
            self._doubtful[tree, leaf] = None
            return
        before = NO_PRINT if old is None else print_of_versions(key, old)
        after = NO_PRINT if new is None else print_of_versions(key, new)
        if (old is None) != (new is None):
            self._noted[index_prefix(tree, KEYS, leaf) + key] = None if new is None else b""
        if is_now_deleted != (old is not None and is_deleted(old)):
            self._noted[tombstone_row(tree, key)] = b"" if is_now_deleted else None
        if is_now_crowded != (old is not None and sets.is_crowded(old)):
            self._noted[crowd_row(tree, key)] = b"" if is_now_crowded else None
        if before != after:
            self._change(tree, leaf, xor(before, after))

    def _take_chunk(self, row: bytes) -> None:
        digest = row[2:]
        tree, leaf = spot_of(CHUNK_KEY_PREFIX + digest, self._vnodes)
        raw = self._writes[row]
        self._noted[index_prefix(tree, CHUNKS, leaf) + digest] = None if raw is None else b""
        try:
            held = self._read(row)
        except Corrupt:
            self._doubtful[tree, leaf] = None
            return
        prints = [NO_PRINT if size is None else print_of_chunk(digest, _size.decode(size)) for size in (held, raw)]
        self._change(tree, leaf, xor(*prints))

    def _change(self, tree: Tree, leaf: int, change: bytes) -> None:
        if tree not in self._trees:
            try:
                self._trees[tree] = self._read(tree_row(tree)) or EMPTY_TREE
            except Corrupt:
                self._trees[tree] = EMPTY_TREE
                self._doubtful |= {(tree, each): None for each in range(LEAVES)}
        self._trees[tree] = xored(self._trees[tree], leaf, change)

    # --- counting anew ---

    def _recounted(self, tree: Tree, leaf: int) -> bytes:
        """Count a leaf from the rows that the index names, as they will be after this step."""
        total = NO_PRINT
        for kind in (KEYS, CHUNKS):
            for name in self._names(index_prefix(tree, kind, leaf)):
                total = xor(total, self._print(kind, name))
        held = self._trees[tree]
        return xored(xored(held, leaf, _leaf(held, leaf)), leaf, total)

    def _names(self, prefix: bytes) -> Iterator[bytes]:
        """Give each key or digest of a leaf once: those that are gone are not harmful, for their rows are gone too."""
        yield from (name_in_index(row) for row in self._noted if row.startswith(prefix))
        after = prefix
        while rows := self._scan(prefix, after, _PAGE):
            yield from (name_in_index(row) for row, _ in rows if row not in self._noted)
            after = rows[-1][0]

    def _print(self, kind: bytes, name: bytes) -> bytes:
        """Digest what will be there; nothing for what cannot be read, so that it is found to differ."""
        row = (b"v/" if kind == KEYS else b"c/") + name
        try:
            raw = self._writes[row] if row in self._writes else self._read(row)
        except Corrupt:
            return NO_PRINT
        if raw is None:
            return NO_PRINT
        if kind == CHUNKS:
            return print_of_chunk(name, _size.decode(raw))
        versions = self._readable(row, raw)
        return NO_PRINT if versions is None else print_of_versions(name, versions)

    def _readable(self, row: bytes, raw: bytes | None) -> Versions | None:
        try:
            return None if raw is None else self._copies.decode(row, raw)
        except Corrupt:
            return None

    def _is_there(self, row: bytes) -> bool:
        try:
            return self._read(row) is not None
        except Corrupt:
            return True


def recounted_tree(tree: Tree, read: Read, scan: Scan, vnodes: int) -> Writes:
    """Count a tree anew whose row is corrupt."""
    ledger = Ledger({}, Copies(read), scan, vnodes)
    ledger.recount(tree)
    return ledger.finish()


def _leaf(tree: bytes, leaf: int) -> bytes:
    return tree[leaf * len(NO_PRINT) : (leaf + 1) * len(NO_PRINT)]
