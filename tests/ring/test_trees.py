"""Trees and index follow whatever is written: they are always those that one would count from scratch."""

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.ring.copies.index import (
    CHUNK_KEY_PREFIX,
    CHUNKS,
    KEYS,
    index_prefix,
    is_deleted,
    tombstone_row,
    tree_row,
)
from murmuration.ring.copies.replica import apply
from murmuration.ring.copies.trees import (
    EMPTY_TREE,
    LEAVES,
    differing_leaves,
    print_of_chunk,
    print_of_versions,
    root_of,
    spot_of,
    xored,
)
from murmuration.ring.copies.versions import EMPTY, context_of, mint
from murmuration.ring.errors import Corrupt
from murmuration.ring.facts import Versions
from murmuration.ring.operations import (
    DropCopy,
    IndexCopies,
    ListLeaves,
    ListStrays,
    ListTombstones,
    MergeVersions,
    MintVersion,
    NoteChunk,
    Operation,
    ReadTrees,
    ReadVersions,
)
from murmuration.ring.outcomes import CopiesIndexed, CopyDropped, StoreOutcome, TreesRead, VersionsRead
from murmuration.ring.terms import PeerId

VNODES = 4
KEYS_USED = [b"k%d" % number for number in range(6)] + [b"job/%d" % number for number in range(2)]
TARGET = PeerId("a" * 32)


class Shelf:
    """A store of rows in memory, some of which may be damaged."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.damaged: set[bytes] = set()
        self.written: list[dict[bytes, bytes | None]] = []

    def read(self, row: bytes) -> bytes | None:
        if row in self.damaged:
            raise Corrupt(f"corrupt row {row!r}")
        return self.rows.get(row)

    def scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes | None]]:
        names = sorted(name for name in self.rows if name.startswith(prefix) and name > after)
        return [(name, None if name in self.damaged else self.rows[name]) for name in names[:limit]]

    def do(self, operation: Operation) -> StoreOutcome:
        writes, outcome = apply(operation, self.read, self.scan, vnodes=VNODES)
        self.written.append(writes)
        for name, raw in writes.items():
            self.damaged.discard(name)
            if raw is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = raw
        return outcome

    def copy_of(self, key: bytes) -> Versions:
        outcome = self.do(ReadVersions(key=key))
        return (outcome.versions if isinstance(outcome, VersionsRead) else None) or EMPTY

    def kept_in_step(self) -> dict[bytes, bytes]:
        """Give the rows of trees, index and tombstones."""
        return {row: raw for row, raw in self.rows.items() if row[:2] in (b"t/", b"i/", b"d/")}


def counted(shelf: Shelf) -> dict[bytes, bytes]:
    """Count the same rows from scratch, from the copies and chunks."""
    rows: dict[bytes, bytes] = {}
    trees: dict[int, bytes] = {}
    for row, raw in shelf.rows.items():
        name = row[2:]
        if row.startswith(b"v/"):
            versions = msgspec.msgpack.decode(raw, type=Versions)
            (tree, leaf), kind, written = spot_of(name, VNODES), KEYS, print_of_versions(name, versions)
            rows |= {tombstone_row(tree, name): b""} if is_deleted(versions) else {}
        elif row.startswith(b"c/"):
            (tree, leaf), kind = spot_of(CHUNK_KEY_PREFIX + name, VNODES), CHUNKS
            written = print_of_chunk(name, msgspec.msgpack.decode(raw))
        else:
            continue
        trees[tree] = xored(trees.get(tree, EMPTY_TREE), leaf, written)
        rows[index_prefix(tree, kind, leaf) + name] = b""
    return rows | {tree_row(tree): leaves for tree, leaves in trees.items() if leaves != EMPTY_TREE}


def some_operation(shelf: Shelf, rng: Random) -> Operation:
    key = rng.choice(KEYS_USED)
    held = shelf.copy_of(key)
    value = None if rng.random() < 0.3 else b"%d" % rng.randrange(1000)
    context = context_of(held) if rng.random() < 0.6 else {}
    other = mint(held if rng.random() < 0.5 else EMPTY, {}, value, rng.choice("BC"))
    hint = TARGET if rng.random() < 0.5 else None
    return rng.choice(
        [
            MintVersion(key=key, value=value, context=context, actor="A"),
            MergeVersions(key=key, versions=other, hint_for=hint),
            DropCopy(key=key, versions=held, hinted=(TARGET,)),
            NoteChunk(digest=bytes([rng.randrange(4)]) * 32, size=7, hint_for=hint),
            ReadTrees(first=0, last=2 * VNODES),
        ]
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_trees_after_any_writes_are_those_counted_from_scratch(seed: int, steps: int) -> None:
    rng, shelf = Random(seed), Shelf()
    for _ in range(steps):
        shelf.do(some_operation(shelf, rng))
    assert shelf.kept_in_step() == counted(shelf)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_trees_after_damage_is_mended_are_those_counted_from_scratch(seed: int, steps: int) -> None:
    """Damage to copies, chunks, trees, index and list of tombstones: once all is written anew, all is right."""
    rng, shelf = Random(seed), Shelf()
    for _ in range(steps):
        shelf.do(some_operation(shelf, rng))
        if rng.random() < 0.3:
            shelf.damaged |= {row for row in shelf.rows if rng.random() < 0.2 and row[:2] != b"r/"}
    for key in [row[2:] for row in sorted(shelf.damaged) if row.startswith(b"v/")]:
        shelf.do(MergeVersions(key=key, versions=mint(EMPTY, {}, b"mended", "M")))
    for digest in [row[2:] for row in sorted(shelf.damaged) if row.startswith(b"c/")]:
        shelf.do(NoteChunk(digest=digest, size=7))
    assert isinstance(shelf.do(ReadTrees(first=0, last=2 * VNODES)), TreesRead)
    assert shelf.kept_in_step() == counted(shelf)


def test_overwrite_of_a_key_writes_its_tree_and_no_index_row() -> None:
    shelf = Shelf()
    shelf.do(MintVersion(key=b"k", value=b"1", context={}, actor="A"))
    shelf.do(MintVersion(key=b"k", value=b"2", context={"A": 1}, actor="A"))
    tree, _ = spot_of(b"k", VNODES)
    assert set(shelf.written[-1]) == {b"v/k", tree_row(tree)}


def test_merge_that_brings_nothing_new_leaves_the_tree_alone() -> None:
    shelf = Shelf()
    merge = MergeVersions(key=b"k", versions=mint(EMPTY, {}, b"1", "A"))
    shelf.do(merge)
    shelf.do(merge)
    assert shelf.written[-1] == {}


def test_store_older_than_its_index_is_indexed_page_by_page() -> None:
    shelf = Shelf()
    for number in range(600):
        shelf.do(MintVersion(key=b"%d" % number, value=None if number % 3 else b"v", context={}, actor="A"))
    expected = shelf.kept_in_step()
    shelf.rows = {row: raw for row, raw in shelf.rows.items() if row.startswith(b"v/")}
    pages = 0
    while (outcome := shelf.do(IndexCopies())) == CopiesIndexed(more=True):
        pages += 1
    assert outcome == CopiesIndexed(more=False)
    assert pages == 2
    assert shelf.kept_in_step() == expected
    shelf.do(IndexCopies())
    assert shelf.written[-1] == {}


def test_equal_copies_give_equal_trees_whatever_the_order_of_writes() -> None:
    a, b = Shelf(), Shelf()
    brought = [MergeVersions(key=key, versions=mint(EMPTY, {}, b"1", actor)) for key in KEYS_USED for actor in "AB"]
    for shelf, order in ((a, brought), (b, brought[::-1])):
        for merge in order:
            shelf.do(merge)
    assert a.kept_in_step() == b.kept_in_step()


def test_key_of_a_record_is_summed_up_apart_from_other_keys() -> None:
    assert spot_of(b"job/1", VNODES)[0] >= VNODES > spot_of(b"k", VNODES)[0]


def test_root_tells_trees_apart_and_leaves_tell_where() -> None:
    tree = xored(EMPTY_TREE, 5, b"12345678")
    assert root_of(tree) != root_of(EMPTY_TREE)
    assert differing_leaves(tree, EMPTY_TREE) == [5]
    assert xored(tree, 5, b"12345678") == EMPTY_TREE


def test_leaves_are_listed_in_pages_that_follow_each_other() -> None:
    shelf = Shelf()
    for number in range(100):
        shelf.do(MintVersion(key=b"%d" % number, value=b"v", context={}, actor="A"))
    shelf.do(NoteChunk(digest=b"d" * 32, size=3))
    spots = tuple((tree, leaf) for tree in range(VNODES) for leaf in range(LEAVES))
    whole = shelf.do(ListLeaves(spots=spots, after=b"", limit=1000)).pages
    assert len(whole) == len(spots)
    names = [entry.name for page in whole for entry in page.entries]
    assert sorted(names) == sorted([*(b"%d" % number for number in range(100)), b"d" * 32])
    cut = shelf.do(ListLeaves(spots=spots, after=b"", limit=10)).pages
    assert sum(len(page.entries) for page in cut) == 10
    assert cut[-1].more


def test_copy_is_given_up_only_if_nothing_more_is_known_by_now() -> None:
    shelf = Shelf()
    old = mint(EMPTY, {}, None, "A")
    shelf.do(MergeVersions(key=b"k", versions=mint(old, {"A": 1}, b"new", "B"), hint_for=TARGET))
    assert shelf.do(DropCopy(key=b"k", versions=old, hinted=(TARGET,))) == CopyDropped(is_dropped=False)
    assert shelf.do(DropCopy(key=b"k", versions=shelf.copy_of(b"k"), hinted=(TARGET,))) == CopyDropped(is_dropped=True)
    assert shelf.rows == {}


def test_tombstones_and_strays_are_listed_by_tree() -> None:
    shelf = Shelf()
    shelf.do(MintVersion(key=b"dead", value=None, context={}, actor="A"))
    shelf.do(MintVersion(key=b"live", value=b"1", context={}, actor="A"))
    ((tree, key, _),) = shelf.do(ListTombstones(after=b"", limit=10)).entries
    assert (tree, key) == (spot_of(b"dead", VNODES)[0], b"dead")
    trees = tuple(range(VNODES))
    assert {key for _, key in shelf.do(ListStrays(trees=trees, each=9, limit=9)).keys} == {b"dead", b"live"}
