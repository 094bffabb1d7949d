"""Spell the facts that messages carry and stores keep: of members, of versions, of trees, of ballots."""

from enum import IntEnum
from typing import Annotated

from msgspec import Meta, Struct

from .terms import JOINED_MAX, Key, Member, Name, Value

Sequence = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
PeerKey = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Liveness(IntEnum):
    """What is believed of a member; the order is that of strength at one incarnation (SWIM, section 4.2)."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Standing(IntEnum):
    """Where a member is between its joining and its removal; ownership follows it, never liveness.

    The order is that of strength at one epoch.
    """

    JOINING = 0
    VALID = 1
    LEAVING = 2
    REMOVED = 3


class Update(Struct, frozen=True, array_like=True):
    """One piece of news about one member: its liveness at an incarnation, and apart from that its standing at an epoch.

    `accuser` is the peer whose own probe of a suspect failed, so that confirmations count independent ones only
    (Lifeguard, section 3.2); it is empty in all other news.
    """

    member: Member
    liveness: Liveness
    incarnation: Count
    accuser: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")] = ""
    standing: Standing = Standing.VALID
    epoch: Count = 0


News = Annotated[tuple[Update, ...], Meta(max_length=64)]


class Dot(Struct, frozen=True, array_like=True):
    """One write: the `counter`-th by `actor`, an incarnation of a peer."""

    actor: Annotated[str, Meta(max_length=64)]
    counter: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]


class Sibling(Struct, frozen=True, array_like=True):
    """One of the concurrent values of a key; `value` is None where the write was a delete (a tombstone).

    `expires_at` is when the value ends, in milliseconds since 1970, and 0 where it never does. A value that has ended
    is a tombstone of the same dot, with the same `expires_at`.
    """

    dot: Dot
    value: Value | None
    expires_at: Count = 0


class Versions(Struct, frozen=True, array_like=True):
    """A dotted version vector set: every dot up to `seen[actor]` is known, and only `siblings` are still current.

    `siblings` are sorted by dot, so that equal sets are equal bytes.
    """

    seen: Annotated[dict[Annotated[str, Meta(max_length=64)], Count], Meta(max_length=8192)]
    siblings: Annotated[tuple[Sibling, ...], Meta(max_length=JOINED_MAX)]


Context = Annotated[dict[Annotated[str, Meta(max_length=64)], Count], Meta(max_length=8192)]


TreeNumber = Annotated[int, Meta(ge=0, lt=1 << 17)]
Leaf = Annotated[int, Meta(ge=0, lt=64)]
Print = Annotated[bytes, Meta(min_length=8, max_length=8)]


class LeafEntry(Struct, frozen=True, array_like=True):
    """One key of a leaf, or one chunk if it has a `chunk_size`, and the digest of what is kept of it."""

    name: Key
    print: Print
    chunk_size: Count | None = None


class LeafPage(Struct, frozen=True, array_like=True):
    """What falls into a leaf, chunks first, each kind in order; `more` follow the last one."""

    entries: Annotated[tuple[LeafEntry, ...], Meta(max_length=256)]
    more: bool


class Ballot(Struct, frozen=True, array_like=True, order=True):
    """A round of a proposer; ordered by round, then by proposer."""

    round: Count
    proposer: Name
