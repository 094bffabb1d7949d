"""Name what a ring machine may ask of its local store; `replica.apply` gives each its meaning.

An operation is one atomic step: it reads and writes keys of one store in one transaction, and its outcome is
reported only once the writes are durable.
"""

from dataclasses import dataclass

from .messages import Ballot, Context, Update, Versions
from .terms import PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVersions:
    """Read the copy of `key`; the outcome is `VersionsRead`."""

    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MintVersion:
    """Write `value` (None deletes) over what `context` covers with a new dot of `actor`; outcome `VersionsMerged`."""

    key: bytes
    value: bytes | None
    context: Context
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeVersions:
    """Join `versions` into the copy of `key`, and set down a hint in the same step if it stands for another."""

    key: bytes
    versions: Versions
    hint_for: PeerId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVersions:
    """List local keys by `prefix` after `after`, in order, at most `limit`; the outcome is `VersionsListed`."""

    prefix: bytes
    after: bytes
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteChunkHint:
    """Set down that the chunk `digest` of `size` bytes is kept here for `hint_for`; the outcome is `Noted`."""

    digest: bytes
    size: int
    hint_for: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHints:
    """List hints for `target`, at most `limit`; the outcome is `HintsListed`."""

    target: PeerId
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropHint:
    """Forget a hint whose target has acknowledged it; `versions` guards against a newer hint of the same key."""

    target: PeerId
    key: bytes
    versions: Versions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseBallot:
    """Take phase 1 of Paxos as an acceptor of `key`, or at round 0 only ask; the outcome is `AcceptorState`."""

    key: bytes
    ballot: Ballot


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptBallot:
    """Take phase 2 of Paxos as an acceptor of `key`; the outcome is `AcceptorState`."""

    key: bytes
    ballot: Ballot
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteMember:
    """Set down what was last heard of a member, so that a restart does not forget it; the outcome is `Noted`."""

    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetMember:
    """Drop a member from the table that outlives a restart; the outcome is `Noted`."""

    peer: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMembers:
    """Read the member table of before this start; the outcome is `MembersListed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOpenRecords:
    """Read system records after `after`, in order, out of at most `limit`; the outcome is `OpenRecordsListed`.

    Left out are those whose ending this peer has accepted in their `records.ending_register`.
    """

    after: bytes
    limit: int


Operation = (
    ReadVersions
    | MintVersion
    | MergeVersions
    | ListVersions
    | NoteChunkHint
    | ListHints
    | DropHint
    | PromiseBallot
    | AcceptBallot
    | NoteMember
    | ForgetMember
    | ListMembers
    | ListOpenRecords
)

READS = (ReadVersions, ListVersions, ListHints, ListMembers, ListOpenRecords)
"""The operations that write nothing, and so need no room on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsRead:
    """The local copy of a key; None where there is none."""

    versions: Versions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsMerged:
    """What the key holds after a merge or a mint; `actor` is in whose name the mint was."""

    versions: Versions
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsListed:
    """Keys in order with their versions, values stripped; `more` sort after the last of them.

    `corrupt` are keys in between whose copy here cannot be read: it is to be mended from another peer.
    """

    entries: tuple[tuple[bytes, Versions], ...]
    more: bool
    corrupt: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A write kept for an absent primary: of `versions` at `key`, or of a chunk of `chunk_size` bytes named `key`."""

    key: bytes
    versions: Versions | None
    chunk_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HintsListed:
    """Some of the hints for one target."""

    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptorState:
    """What an acceptor has promised and accepted after a step."""

    promised: Ballot
    accepted: Ballot | None
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersListed:
    """The members as they were last noted, those that have left included."""

    members: tuple[Update, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecordsListed:
    """Keys of system records with their live values; `after` is where the next page begins, None at the end."""

    records: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A write that has nothing to report but that it is durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """The disk refused: `reason` is for people; nothing of the operation was kept, or the copy read is corrupt."""

    reason: str


StoreOutcome = (
    VersionsRead
    | VersionsMerged
    | VersionsListed
    | HintsListed
    | AcceptorState
    | MembersListed
    | OpenRecordsListed
    | Noted
    | StoreFailed
)
