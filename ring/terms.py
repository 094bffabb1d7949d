"""Name the few kinds of value that every part of the system speaks of."""

from enum import IntEnum
from typing import Annotated, NewType

from msgspec import Meta, Struct

PeerId = NewType("PeerId", str)
"""32 hexadecimal digits: the identity of one data directory, and so of the peer that serves it."""

Instant = NewType("Instant", float)
"""Seconds on the monotonic clock of the peer that handles the event; never compared between peers."""

Incarnation = int
"""Start number of a peer, shifted left by `REFUTATION_BITS`, plus its refutations since; it never falls.

Only the start number is persisted, before the peer speaks: so no refutation needs a write to disk.
"""

REFUTATION_BITS = 20

Vnode = int
"""One of Q equal arcs of the key space, counted from 0."""

VNODES = 1024
"""Arcs of the key space, unless a cluster is made with another number; fixed for its life."""

Name = Annotated[str, Meta(max_length=128)]
Url = Annotated[str, Meta(max_length=256)]
Path = Annotated[str, Meta(max_length=4096)]
Id = Annotated[str, Meta(max_length=64)]
Key = Annotated[bytes, Meta(min_length=1, max_length=4096)]
Value = Annotated[bytes, Meta(max_length=1 << 20)]
Digest = Annotated[bytes, Meta(min_length=16, max_length=32)]

VALUE_BYTES_MAX = 1 << 20
"""Largest value of one key; a bigger thing is a file of chunks."""

JOINED_BYTES_MAX = 15 << 20
"""Largest sum of the concurrent values of one key, that of ten peers which wrote it without knowing of each other."""

JOINED_MAX = 1000
"""Most concurrent values of one key, those of ten such peers."""

CHUNK_BYTES_MAX = 256 << 20
"""Largest chunk that a peer accepts, in bytes."""


class Member(Struct, frozen=True, array_like=True):
    """What a peer says of itself; spread by gossip, replaced as a whole by a higher incarnation.

    `url` takes control messages and `bulk_url` serves ranges of bytes. Two peers with one `host` see one file
    system, so one may read the other's files under `directory` by their path.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,128}$")]
    url: Url
    bulk_url: Url
    host: Name
    directory: Path
    zone: Name = ""
    weight: Annotated[float, Meta(gt=0.0, le=1000.0)] = 1.0
    workers: Annotated[int, Meta(ge=0, le=4096)] = 1


class Source(Struct, frozen=True, array_like=True):
    """A place that serves some bytes: by `path` for who shares `host`, else by `ref` from the bulk server at `url`.

    `offset` is where the bytes begin, in that file and under that reference alike.
    """

    url: Url
    ref: Path
    host: Name = ""
    path: Path = ""
    offset: Annotated[int, Meta(ge=0)] = 0


class Condition(IntEnum):
    """What must hold of a key for a conditional put to be written."""

    NONE = 0
    IF_CURRENT = 1
    """Nothing is there that the put's context does not cover."""
    IF_ABSENT = 2
    """No value is there; a tombstone is none."""


class Quorum(Struct, frozen=True, array_like=True):
    """How many copies one request wants: N homes, R answers to a read, W durable acknowledgements of a write.

    0 for R or W means a majority of the homes that there are. `strict` lets only primaries count; else fallbacks stand
    in for absent primaries (Dynamo, section 4.6).
    """

    replicas: Annotated[int, Meta(ge=1, le=16)] = 3
    reads_required: Annotated[int, Meta(ge=0, le=16)] = 2
    writes_required: Annotated[int, Meta(ge=0, le=16)] = 2
    strict: bool = False

    @property
    def may_miss_newest(self) -> bool:
        """Tell whether a read of R copies may see none of the W newest ones: where R + W is no more than N."""
        majority = self.replicas // 2 + 1
        return (self.reads_required or majority) + (self.writes_required or majority) <= self.replicas


RECORD_QUORUM = Quorum(replicas=5, reads_required=0, writes_required=0)
"""For what the system itself cannot do without, as jobs and manifests: of five peers any two may be gone."""


def start_of(incarnation: Incarnation) -> int:
    """Tell the start number in an incarnation: equal numbers are one process, refutations or not."""
    return incarnation >> REFUTATION_BITS
