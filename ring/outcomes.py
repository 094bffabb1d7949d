"""Name what a local store answers to each operation, once all that the operation wrote is durable."""

from dataclasses import dataclass

from .facts import Ballot, LeafPage, Update, Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsRead:
    """The local copy of a key; None where there is none."""

    versions: Versions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsMerged:
    """What the key holds after a merge or a mint; `actor` is in whose name the mint was.

    `replaced_corrupt` says that a copy that could not be read was written over.
    """

    versions: Versions
    actor: str = ""
    replaced_corrupt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MintConflict:
    """What the key holds, which is not what a conditional put expects: nothing was minted."""

    versions: Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsExpired:
    """How many values have become tombstones; `more` may be waiting."""

    expired: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsListed:
    """Keys in order with their versions, values stripped; `more` sort after the last of them, of which there is one.

    `corrupt` are keys in between whose copy here cannot be read: it is to be mended from another peer.
    """

    entries: tuple[tuple[bytes, Versions], ...]
    more: bool
    corrupt: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsCompared:
    """The keys of which an offer knows more than the copy here, if there is any."""

    wanted: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsWeighed:
    """Keys in order with the bytes that their copies take; `more` sort after the last of them."""

    entries: tuple[tuple[bytes, int], ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksListed:
    """Digests in order with the sizes of their chunks; `more` sort after the last of them."""

    entries: tuple[tuple[bytes, int], ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWeighed:
    """Whether a copy of a chunk is turned away, because the chunk was collected here a while ago."""

    is_refused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeCounted:
    """For how many seconds this peer has run, over all its starts."""

    lived_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesListed:
    """Keys of records with the chunks that they name; `after` is where the next page begins, None at the end.

    Where a record could not be read, `unreadable` says which.
    """

    entries: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    after: bytes | None
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksMarked:
    """Chunks whose time is over, with their sizes, and how many bytes and chunks wait for that.

    Of those that wait `held` are not counted for a time: they may be of a job that has not ended. `due_in_s` is when
    the first of the others is over, None where there is none.
    """

    ripe: tuple[tuple[bytes, int], ...]
    waiting: int
    waiting_bytes: int
    held: int
    due_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesCleared:
    """A page of notes was looked at; `after` is where the next one begins, None at the end."""

    after: bytes | None


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
class RowsScrubbed:
    """What a step of the scrub has met: `keys` with a damaged copy, `hints` made anew, and damaged `others`.

    `after` is where the next step begins, None at the end.
    """

    keys: tuple[bytes, ...]
    hints: int
    others: tuple[bytes, ...]
    after: bytes | None
    rows: int
    bytes_read: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HintsDropped:
    """Hints were forgotten; perhaps there are more."""

    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiesIndexed:
    """A page of copies is indexed; perhaps there are more."""

    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TreesRead:
    """Trees by their numbers, in order."""

    trees: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavesListed:
    """A page for each of the first leaves that were asked for."""

    pages: tuple[LeafPage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StraysListed:
    """Keys, each with the tree that sums it up."""

    keys: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TombstonesListed:
    """Trees and keys with their versions; `after` is where the next page begins, None at the end."""

    entries: tuple[tuple[int, bytes, Versions], ...]
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdsListed:
    """Trees and keys with their versions, values stripped; `after` is where the next page begins, None at the end."""

    entries: tuple[tuple[int, bytes, Versions], ...]
    after: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorsForgotten:
    """So many actors of a key are remembered no more."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDropped:
    """The copy is gone, or it has changed meanwhile and stays."""

    is_dropped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A write that has nothing to report but that it is durable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """The disk refused: `reason` is for people; nothing of the operation was kept, or the copy read is corrupt."""

    reason: str
    is_corrupt: bool = False


StoreOutcome = (
    VersionsRead
    | VersionsMerged
    | MintConflict
    | VersionsExpired
    | VersionsListed
    | VersionsCompared
    | VersionsWeighed
    | ChunksListed
    | CopyWeighed
    | LifeCounted
    | NamesListed
    | ChunksMarked
    | NotesCleared
    | HintsListed
    | AcceptorState
    | MembersListed
    | OpenRecordsListed
    | RowsScrubbed
    | Noted
    | StoreFailed
    | HintsDropped
    | CopiesIndexed
    | TreesRead
    | LeavesListed
    | StraysListed
    | TombstonesListed
    | CrowdsListed
    | ActorsForgotten
    | CopyDropped
)
