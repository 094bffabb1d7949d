"""Name what a local store answers to each operation, once all that the operation wrote is durable."""

from msgspec import Struct

from .facts import Ballot, LeafPage, Update, Versions


class VersionsRead(Struct, frozen=True, kw_only=True):
    """The local copy of a key; None where there is none."""

    versions: Versions | None


class VersionsMerged(Struct, frozen=True, kw_only=True):
    """What the key holds after a merge or a mint; `actor` is in whose name the mint was.

    `replaced_corrupt` says that a copy that could not be read was written over.
    """

    versions: Versions
    actor: str = ""
    replaced_corrupt: bool = False


class MintConflict(Struct, frozen=True, kw_only=True):
    """What the key holds, which is not what a conditional put expects: nothing was minted."""

    versions: Versions


class VersionsExpired(Struct, frozen=True, kw_only=True):
    """How many values have become tombstones; `more` may be waiting."""

    expired: int
    more: bool


class VersionsListed(Struct, frozen=True, kw_only=True):
    """Keys in order with their versions, values stripped; `more` sort after the last of them, of which there is one.

    `corrupt` are keys in between whose copy here cannot be read: it is to be mended from another peer.
    """

    entries: tuple[tuple[bytes, Versions], ...]
    more: bool
    corrupt: tuple[bytes, ...] = ()


class VersionsCompared(Struct, frozen=True, kw_only=True):
    """The keys of which an offer knows more than the copy here, if there is any."""

    wanted: tuple[bytes, ...]


class VersionsWeighed(Struct, frozen=True, kw_only=True):
    """Keys in order with the bytes that their copies take; `more` sort after the last of them."""

    entries: tuple[tuple[bytes, int], ...]
    more: bool


class ChunksListed(Struct, frozen=True, kw_only=True):
    """Digests in order with the sizes of their chunks; `more` sort after the last of them."""

    entries: tuple[tuple[bytes, int], ...]
    more: bool


class CopyWeighed(Struct, frozen=True, kw_only=True):
    """Whether a copy of a chunk is turned away, because the chunk was collected here a while ago."""

    is_refused: bool


class LifeCounted(Struct, frozen=True, kw_only=True):
    """For how many seconds this peer has run, over all its starts."""

    lived_s: float


class NamesListed(Struct, frozen=True, kw_only=True):
    """Keys of records with the chunks that they name; `after` is where the next page begins, None at the end.

    Where a record could not be read, `unreadable` says which.
    """

    entries: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    after: bytes | None
    unreadable: str = ""


class ChunksMarked(Struct, frozen=True, kw_only=True):
    """Chunks whose time is over, with their sizes, and how many bytes and chunks wait for that.

    Of those that wait `held` are not counted for a time: they may be of a job that has not ended. `due_in_s` is when
    the first of the others is over, None where there is none.
    """

    ripe: tuple[tuple[bytes, int], ...]
    waiting: int
    waiting_bytes: int
    held: int
    due_in_s: float | None


class NotesCleared(Struct, frozen=True, kw_only=True):
    """A page of notes was looked at; `after` is where the next one begins, None at the end."""

    after: bytes | None


class Hint(Struct, frozen=True, kw_only=True):
    """A write kept for an absent primary: of `versions` at `key`, or of a chunk of `chunk_size` bytes named `key`."""

    key: bytes
    versions: Versions | None
    chunk_size: int


class HintsListed(Struct, frozen=True, kw_only=True):
    """Some of the hints for one target."""

    hints: tuple[Hint, ...]


class AcceptorState(Struct, frozen=True, kw_only=True):
    """What an acceptor has promised and accepted after a step."""

    promised: Ballot
    accepted: Ballot | None
    value: bytes | None


class MembersListed(Struct, frozen=True, kw_only=True):
    """The members as they were last noted, those that have left included."""

    members: tuple[Update, ...]


class OpenRecordsListed(Struct, frozen=True, kw_only=True):
    """Keys of system records with their live values; `after` is where the next page begins, None at the end."""

    records: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    after: bytes | None


class RowsScrubbed(Struct, frozen=True, kw_only=True):
    """What a step of the scrub has met: `keys` with a damaged copy, `hints` made anew, and damaged `others`.

    `after` is where the next step begins, None at the end.
    """

    keys: tuple[bytes, ...]
    hints: int
    others: tuple[bytes, ...]
    after: bytes | None
    rows: int
    bytes_read: int


class HintsDropped(Struct, frozen=True, kw_only=True):
    """Hints were forgotten; perhaps there are more."""

    more: bool


class CopiesIndexed(Struct, frozen=True, kw_only=True):
    """A page of copies is indexed; perhaps there are more."""

    more: bool


class TreesRead(Struct, frozen=True, kw_only=True):
    """Trees by their numbers, in order."""

    trees: tuple[tuple[int, bytes], ...]


class LeavesListed(Struct, frozen=True, kw_only=True):
    """A page for each of the first leaves that were asked for."""

    pages: tuple[LeafPage, ...]


class StraysListed(Struct, frozen=True, kw_only=True):
    """Keys, each with the tree that sums it up."""

    keys: tuple[tuple[int, bytes], ...]


class TombstonesListed(Struct, frozen=True, kw_only=True):
    """Trees and keys with their versions; `after` is where the next page begins, None at the end."""

    entries: tuple[tuple[int, bytes, Versions], ...]
    after: bytes | None


class CrowdsListed(Struct, frozen=True, kw_only=True):
    """Trees and keys with their versions, values stripped; `after` is where the next page begins, None at the end."""

    entries: tuple[tuple[int, bytes, Versions], ...]
    after: bytes | None


class ActorsForgotten(Struct, frozen=True, kw_only=True):
    """So many actors of a key are remembered no more."""

    count: int


class CopyDropped(Struct, frozen=True, kw_only=True):
    """The copy is gone, or it has changed meanwhile and stays."""

    is_dropped: bool


class Noted(Struct, frozen=True, kw_only=True):
    """A write that has nothing to report but that it is durable."""


class StoreFailed(Struct, frozen=True, kw_only=True):
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
