"""Sum up what a peer keeps as hash trees, so that two peers find in few bytes where their copies differ.

Theory of operation. A vnode's tree has 64 leaves. A leaf is the XOR of the prints of all that falls into it, so a write
changes it by two XORs, whatever the order of writes; a print covers the key and the dots that are known, not the bytes
of values. Leaf and vnode are consecutive bits of one hash of the key. The root is the hash of all leaves.

System records have more homes than other keys, so each vnode has a second tree for them: number `vnode` is that of the
keys and chunks, number `vnodes + vnode` that of the records. Else no two homes of different ranks would ever agree.
"""

from hashlib import blake2b
from typing import Final

from msgspec import msgpack

from ..facts import Versions

LEAVES: Final = 64
PRINT_BYTES: Final = 8
TREE_BYTES: Final = LEAVES * PRINT_BYTES
EMPTY_TREE: Final = bytes(TREE_BYTES)
NO_PRINT: Final = bytes(PRINT_BYTES)

RECORD_PREFIXES: Final = (b"job/", b"fs/")
"""The keys of system records, which have as many homes as `RECORD_QUORUM` says."""

Tree = int
"""The number of a tree: of a vnode, or of a vnode's records."""

Spot = tuple[Tree, int]
"""A tree and one of its leaves."""

_encode = msgpack.Encoder().encode


def spot_of(key: bytes, vnodes: int) -> Spot:
    """Tell the tree and the leaf of a key."""
    top = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
    vnode, leaf = divmod(top * vnodes * LEAVES >> 64, LEAVES)
    return (vnodes + vnode if key.startswith(RECORD_PREFIXES) else vnode), leaf


def print_of_versions(key: bytes, versions: Versions) -> bytes:
    """Digest what is known of a key: its writes, and which of them are current, deleted or bound to end."""
    current = [(each.dot.actor, each.dot.counter, each.value is None, each.expires_at) for each in versions.siblings]
    return blake2b(_encode((key, versions.seen, current)), digest_size=PRINT_BYTES).digest()


def print_of_chunk(digest: bytes, size: int) -> bytes:
    """Digest that a chunk is kept: a chunk never changes, so its name and size say all."""
    return blake2b(_encode((digest, size)), digest_size=PRINT_BYTES).digest()


def xored(tree: bytes, leaf: int, change: bytes) -> bytes:
    """Put a print into a leaf, or take it out again: it is the same."""
    begin = leaf * PRINT_BYTES
    end = begin + PRINT_BYTES
    return tree[:begin] + xor(tree[begin:end], change) + tree[end:]


def xor(a: bytes, b: bytes) -> bytes:
    """Join two prints into one, or take one out of it."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(PRINT_BYTES, "big")


def root_of(tree: bytes) -> bytes:
    """Digest a whole tree; one without any leaf has the print of nothing."""
    return NO_PRINT if tree == EMPTY_TREE else blake2b(tree, digest_size=PRINT_BYTES).digest()


def differing_leaves(a: bytes, b: bytes) -> list[int]:
    """List the leaves in which two trees differ."""
    width = PRINT_BYTES
    return [leaf for leaf in range(LEAVES) if a[leaf * width : (leaf + 1) * width] != b[leaf * width :][:width]]
