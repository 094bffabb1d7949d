"""Name what a ring machine may ask of its local store; `replica.apply` gives each its meaning.

An operation is one atomic step: it reads and writes keys of one store in one transaction, and its outcome is
reported only once the writes are durable.
"""

from msgspec import Struct

from .facts import Ballot, Context, Update, Versions
from .terms import Condition, PeerId


class ReadVersions(Struct, frozen=True, kw_only=True):
    """Read the copy of `key`; the outcome is `VersionsRead`."""

    key: bytes


class MintVersion(Struct, frozen=True, kw_only=True):
    """Write `value` (None deletes) over what `context` covers with a new dot of `actor`; outcome `VersionsMerged`.

    What others hold of the key, `known`, is merged first. Where the `condition` then does not hold, nothing is written
    and the outcome is `MintConflict`. With `over_corrupt` a copy that cannot be read is replaced. One that
    `is_foretold` is told as a `MintForetold` before it is durable. In the same step a hint is set down for each of
    `hints_for`.
    """

    key: bytes
    value: bytes | None
    context: Context
    actor: str
    expires_at: int = 0
    condition: Condition = Condition.NONE
    known: Versions | None = None
    over_corrupt: bool = False
    is_foretold: bool = False
    hints_for: tuple[PeerId, ...] = ()


class MergeVersions(Struct, frozen=True, kw_only=True):
    """Join `versions` into the copy of `key`, and set down a hint in the same step if it stands for another."""

    key: bytes
    versions: Versions
    hint_for: PeerId | None = None


class ExpireVersions(Struct, frozen=True, kw_only=True):
    """Turn values that have ended into tombstones, of at most `limit` keys; the outcome is `VersionsExpired`."""

    limit: int


class ListVersions(Struct, frozen=True, kw_only=True):
    """List local keys by `prefix` after `after`, in order, at most `limit`; the outcome is `VersionsListed`.

    It ends sooner where they weigh much, so that neither the step nor an answer with them grows too large.
    """

    prefix: bytes
    after: bytes
    limit: int


class CompareVersions(Struct, frozen=True, kw_only=True):
    """Find those of the offered copies that hold what the copy here does not; the outcome is `VersionsCompared`."""

    entries: tuple[tuple[bytes, Versions], ...]


class WeighVersions(Struct, frozen=True, kw_only=True):
    """List local keys after `after`, in order, at most `limit`, with the bytes of each; outcome `VersionsWeighed`.

    It ends sooner where they weigh much.
    """

    after: bytes
    limit: int


class ListChunks(Struct, frozen=True, kw_only=True):
    """List the chunks that are kept here after `after`, in order, at most `limit`; the outcome is `ChunksListed`."""

    after: bytes
    limit: int


class NoteChunk(Struct, frozen=True, kw_only=True):
    """Set down that the chunk `digest` of `size` bytes is kept here, if so for `hint_for`; the outcome is `Noted`.

    In the same step a mark for its collection is taken off, for somebody wants it; unless it is only a copy.
    """

    digest: bytes
    size: int
    hint_for: PeerId | None = None
    is_copy: bool = False


class WeighCopy(Struct, frozen=True, kw_only=True):
    """Ask if a copy of a chunk is welcome: not where it was collected a while ago; the outcome is `CopyWeighed`."""

    digest: bytes


class CountLife(Struct, frozen=True, kw_only=True):
    """Add to the seconds that this peer has run, over all its starts; the outcome is `LifeCounted`."""

    seconds: float


class ListNames(Struct, frozen=True, kw_only=True):
    """List the chunks that records kept here name, from the row after `after` on; the outcome is `NamesListed`."""

    after: bytes


class MarkChunks(Struct, frozen=True, kw_only=True):
    """Mark the chunks that nobody names, take the marks off those that are `named`; the outcome is `ChunksMarked`.

    `lived_s` is the age of this peer in seconds of running, and `open_jobs` are those that might yet name a chunk. With
    `is_dry` nothing is written.
    """

    unnamed: tuple[tuple[bytes, int], ...]
    named: tuple[bytes, ...]
    lived_s: float
    grace_s: float
    open_jobs: frozenset[bytes]
    is_dry: bool


class ForgetChunk(Struct, frozen=True, kw_only=True):
    """Set down that a chunk is no longer kept here, not as a hint for one of `hinted` either; the outcome is `Noted`.

    What stays is a note that it was collected when this peer had lived so long.
    """

    digest: bytes
    lived_s: float
    hinted: tuple[PeerId, ...]


class ClearNotes(Struct, frozen=True, kw_only=True):
    """Drop notes of collected chunks that are `named` again, or older than `before_s`; the outcome is `NotesCleared`.

    At most `limit` rows after the digest `after` are looked at.
    """

    after: bytes
    limit: int
    named: frozenset[bytes]
    before_s: float


class ListHints(Struct, frozen=True, kw_only=True):
    """List hints for `target`, at most `limit`; the outcome is `HintsListed`."""

    target: PeerId
    limit: int


class DropHint(Struct, frozen=True, kw_only=True):
    """Forget a hint whose target has acknowledged it; `versions` guards against a newer hint of the same key."""

    target: PeerId
    key: bytes
    versions: Versions | None


class PromiseBallot(Struct, frozen=True, kw_only=True):
    """Take phase 1 of Paxos as an acceptor of `key`, or at round 0 only ask; the outcome is `AcceptorState`."""

    key: bytes
    ballot: Ballot


class AcceptBallot(Struct, frozen=True, kw_only=True):
    """Take phase 2 of Paxos as an acceptor of `key`; the outcome is `AcceptorState`."""

    key: bytes
    ballot: Ballot
    value: bytes


class NoteMember(Struct, frozen=True, kw_only=True):
    """Set down what was last heard of a member, so that a restart does not forget it; the outcome is `Noted`."""

    update: Update


class ForgetMember(Struct, frozen=True, kw_only=True):
    """Drop a member from the table that outlives a restart; the outcome is `Noted`."""

    peer: PeerId


class ListMembers(Struct, frozen=True, kw_only=True):
    """Read the member table of before this start; the outcome is `MembersListed`."""


class ListOpenRecords(Struct, frozen=True, kw_only=True):
    """Read system records after `after`, in order, out of at most `limit`; the outcome is `OpenRecordsListed`.

    Left out are those whose ending this peer has accepted in their `namespaces.ending_register`.
    """

    after: bytes
    limit: int


class ScrubRows(Struct, frozen=True, kw_only=True):
    """Look for damage in the rows of all kinds after `after`, at most `limit`; the outcome is `RowsScrubbed`.

    Damaged hints are made anew in the same step.
    """

    after: bytes
    limit: int


class DropHints(Struct, frozen=True, kw_only=True):
    """Forget hints for `target`, at most `limit` of each kind; the outcome is `HintsDropped`."""

    target: PeerId
    limit: int


class IndexCopies(Struct, frozen=True, kw_only=True):
    """Index some more of a store that is older than its index; the outcome is `CopiesIndexed`."""


class ReadTrees(Struct, frozen=True, kw_only=True):
    """Read all trees from number `first` to `last` that are not empty; the outcome is `TreesRead`."""

    first: int
    last: int


class ListLeaves(Struct, frozen=True, kw_only=True):
    """List what falls into leaves, those of the first after the cursor `after`; the outcome is `LeavesListed`.

    At most `limit` entries are listed, and so perhaps not all `spots`.
    """

    spots: tuple[tuple[int, int], ...]
    after: bytes
    limit: int


class ListStrays(Struct, frozen=True, kw_only=True):
    """List at most `each` keys of each of these trees, and at most `limit`; the outcome is `StraysListed`."""

    trees: tuple[int, ...]
    each: int
    limit: int


class ListTombstones(Struct, frozen=True, kw_only=True):
    """List keys that hold nothing but deletes, after the cursor `after`; the outcome is `TombstonesListed`."""

    after: bytes
    limit: int


class ListCrowds(Struct, frozen=True, kw_only=True):
    """List keys that more actors have written than need be remembered, after `after`; the outcome is `CrowdsListed`."""

    after: bytes
    limit: int


class ForgetActors(Struct, frozen=True, kw_only=True):
    """Forget actors of a key with nothing current and no more than these counts; the outcome is `ActorsForgotten`.

    The hints of the key for `hinted` forget them too, and what they still held of them.
    """

    key: bytes
    actors: Context
    hinted: tuple[PeerId, ...]


class DropCopy(Struct, frozen=True, kw_only=True):
    """Give up the copy of `key` if it is still that of `versions`, and the hints of it for `hinted`.

    The outcome is `CopyDropped`. Values are not compared, only what is known of writes.
    """

    key: bytes
    versions: Versions
    hinted: tuple[PeerId, ...]


Operation = (
    ReadVersions
    | MintVersion
    | MergeVersions
    | ExpireVersions
    | ListVersions
    | CompareVersions
    | WeighVersions
    | ListChunks
    | NoteChunk
    | WeighCopy
    | CountLife
    | ListNames
    | MarkChunks
    | ForgetChunk
    | ClearNotes
    | ListHints
    | DropHint
    | PromiseBallot
    | AcceptBallot
    | NoteMember
    | ForgetMember
    | ListMembers
    | ListOpenRecords
    | ScrubRows
    | DropHints
    | IndexCopies
    | ReadTrees
    | ListLeaves
    | ListStrays
    | ListTombstones
    | ListCrowds
    | ForgetActors
    | DropCopy
)

READS = (
    ReadVersions,
    ListVersions,
    CompareVersions,
    WeighVersions,
    ListChunks,
    WeighCopy,
    ListNames,
    ListHints,
    ListMembers,
    ListOpenRecords,
    ListLeaves,
    ListStrays,
    ListTombstones,
    ListCrowds,
)
"""The operations that write nothing, and so need no room on the disk."""
