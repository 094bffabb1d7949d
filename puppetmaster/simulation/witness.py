"""See what passes in a schedule: the facts that checkers judge at its end, and the rare states that it reached.

A witness only looks. What it can judge on the spot it sets down as a violation at once: an epoch that falls (J6), a
register that takes a second value (J4), an electorate that is too small (J3), a reducer that reads other runs than the
sealed ones (J2), a dot with two values (S3), an answer from a damaged row (S6).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ...node.effects import RunAttempt, RunAttempts
from ...node.wire.replies import ClientReply, JobPrepared
from ...ring.copies.versions import EMPTY, join, live_values
from ...ring.events import MintForetold
from ...ring.facts import Ballot, Context, Dot, Update, Versions
from ...ring.messages import Accepted, Promised, StoreVersions
from ...ring.operations import (
    AcceptBallot,
    DropCopy,
    DropHint,
    MergeVersions,
    MintVersion,
    NoteChunk,
    Operation,
    PromiseBallot,
)
from ...ring.outcomes import AcceptorState, CopyDropped, StoreFailed, StoreOutcome, VersionsMerged
from ...ring.terms import PeerId
from ...scheduling.effects import StartAttempt
from ...scheduling.jobs import TaskReport
from ...scheduling.messages import Attempt, ClaimNews, JobNews
from ...scheduling.replica.job import outranks
from .check_electorates import electorate_violation, has_newcomer
from .check_reads import reads_violation


@dataclass(frozen=True, slots=True)
class Mint:
    """One write as its coordinator told of it first: the dot it got, and what it was to overwrite."""

    key: bytes
    dot: Dot
    value: bytes | None
    context: Context
    seen: Context
    """All writes of the key that its coordinator knew of, this one among them."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One map attempt that came to its end, and the process that made it."""

    job: str
    split: int
    peer: str
    start: int
    report: TaskReport


class Witness:
    """What one schedule has shown so far."""

    def __init__(self) -> None:
        self.violations: dict[str, None] = {}
        self.reached: set[str] = set()
        self.mints: list[Mint] = []
        self.reaped: dict[bytes, Versions] = {}
        """What was known of keys whose deletes were forgotten."""
        self.mapped_by: dict[Attempt, Mapped] = {}
        self.decided: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)
        """Every value that a peer has called decided, by job and register."""
        self.old_disks: set[PeerId] = set()
        """Ids whose disk was replaced by a copy that lacks a start which others know of."""
        self.claim_messages = 0
        """Messages that spread claims; most of what large clusters say."""
        self.flaky: Counter[str] = Counter()
        """How often user code that fails for a while has raised, by job."""
        self._remapped: set[tuple[str, int]] = set()
        self._values: dict[tuple[bytes, str, int], bytes | None] = {}
        self._foretold: set[tuple[bytes, Dot]] = set()
        """Writes that were told of before they were durable, and so are among the mints already."""
        self._proposers: dict[bytes, str] = {}
        self._promises: dict[tuple[PeerId, bytes], Ballot] = {}
        self._ranks: dict[tuple[PeerId, str], tuple[int, str]] = {}
        self._epochs: defaultdict[str, int] = defaultdict(int)
        self._trackers: dict[tuple[str, int], str] = {}

    def note(self, rarity: str) -> None:
        """Count a rare state as reached."""
        self.reached.add(rarity)

    def accuse(self, violation: str) -> None:
        """Set down a violation, once."""
        self.violations[violation] = None

    # --- messages ---

    def posted(self, peer: PeerId, message: object) -> None:
        """Look at a message that a peer sends."""
        if isinstance(message, JobNews):
            self._news(peer, message)
        elif isinstance(message, Promised | Accepted) and peer in self.old_disks:
            self.accuse(f"S7: {peer[:8]} votes on an old disk: it may have forgotten what it has promised")
        elif isinstance(message, StoreVersions):
            self.saw(message.key, message.versions)
        elif isinstance(message, ClaimNews):
            self.claim_messages += 1

    def _news(self, peer: PeerId, news: JobNews) -> None:
        self.decides(news.job, "map", news.seal)
        self.decides(news.job, "end", news.ending)
        if news.epoch == 0:
            return
        if news.epoch > 1:
            self.note("takeover")
        if news.epoch < self._epochs[news.job]:
            self.note("stale tracker")
        self._epochs[news.job] = max(self._epochs[news.job], news.epoch)
        if self._trackers.setdefault((news.job, news.epoch), news.tracker) != news.tracker:
            self.note("two trackers")
        rank = self._ranks.setdefault((peer, news.job), (news.epoch, news.tracker))
        if outranks(*rank, news.epoch, news.tracker):
            self.accuse(f"J6: {peer[:8]} follows epoch {news.epoch} after it has followed {rank[0]}")
        self._ranks[peer, news.job] = (news.epoch, news.tracker)

    def replied(self, name: str, reply: ClientReply, members: Mapping[PeerId, Update]) -> None:
        """Look at what a peer answers a client, given the members that it knows."""
        if not isinstance(reply, JobPrepared):
            return
        violation = electorate_violation(name, reply.electorate, members)
        if violation:
            self.accuse(violation)
        if has_newcomer(reply.electorate, members):
            self.note("newcomer votes")

    def has_passed(self, job: str, epoch: int) -> bool:
        """Tell whether a higher epoch of a job has been spoken of."""
        return self._epochs[job] > epoch

    def decides(self, job: str, which: str, value: bytes | None) -> None:
        """Take in what a peer calls the value of a register."""
        if value is None:
            return
        values = self.decided[job, which]
        values.add(value)
        if len(values) > 1:
            self.accuse(f"J4: the register '{which}' of job {job} has had two values")

    def forget(self, peer: PeerId) -> None:
        """Begin anew with a peer whose process has ended: what it followed is forgotten."""
        self._ranks = {at: rank for at, rank in self._ranks.items() if at[0] != peer}

    # --- the store ---

    def operated(self, peer: PeerId, operation: Operation, outcome: StoreOutcome) -> None:
        """Look at a store operation and what came of it."""
        if isinstance(outcome, StoreFailed):
            self.note("corrupt row met" if outcome.reason.startswith("corrupt") else "disk refused")
        match operation:
            case MintVersion(is_foretold=True) if isinstance(outcome, StoreFailed):
                self.note("foretold write failed")
            case MintVersion() if isinstance(outcome, VersionsMerged):
                self._minted(operation, outcome.versions, outcome.actor)
            case MergeVersions(hint_for=target) if target is not None and target != peer:
                self.note("hint written")
            case DropHint():
                self.note("hint delivered")
            case NoteChunk(hint_for=target):
                self.note("chunk kept" if target is None else "chunk hinted")
            case DropCopy(key=key, versions=gone) if isinstance(outcome, CopyDropped) and outcome.is_dropped:
                self._dropped(key, gone)
            case PromiseBallot(key=key, ballot=ballot) | AcceptBallot(key=key, ballot=ballot):
                self._voted(peer, key, ballot, outcome)
            case _:
                pass

    def _dropped(self, key: bytes, versions: Versions) -> None:
        if live_values(versions):
            self.note("stray given up")
        else:
            self.note("tombstone reaped")
            self.reaped[key] = join(self.reaped.get(key, EMPTY), versions)

    def met_damage(self, peer: PeerId, operation: Operation, outcome: StoreOutcome) -> None:
        """Look at an operation on a damaged row: it fails, or replaces the row by another peer's copy (S6)."""
        is_replaced = isinstance(outcome, VersionsMerged) and outcome.replaced_corrupt
        if is_replaced or (isinstance(operation, MergeVersions) and isinstance(outcome, VersionsMerged)):
            self.note("corrupt copy replaced")
        elif not isinstance(outcome, StoreFailed):
            self.accuse(f"S6: {peer[:8]} answers {type(operation).__name__} from a damaged row: {outcome}")

    def foretold(self, operation: Operation, mint: MintForetold | None) -> None:
        """Look at a mint that is not durable yet: its copies may be at others before, and even if its own never is."""
        if isinstance(operation, MintVersion) and mint is not None:
            self._minted(operation, mint.versions, mint.actor)
            self._foretold.add((operation.key, Dot(mint.actor, mint.versions.seen[mint.actor])))

    def _minted(self, operation: MintVersion, versions: Versions, actor: str) -> None:
        if actor != operation.actor:
            self.note("minted under a new name")
        if operation.hints_for:
            self.note("hint written")
        dot = Dot(actor, versions.seen[actor])
        if (operation.key, dot) not in self._foretold:
            self.mints.append(Mint(operation.key, dot, operation.value, operation.context, versions.seen))
        self.saw(operation.key, versions)

    def saw(self, key: bytes, versions: Versions) -> None:
        """Hold each dot to the one value that it may have (S3)."""
        for sibling in versions.siblings:
            if sibling.expires_at and sibling.value is None:
                continue  # its value has ended
            at = (key, sibling.dot.actor, sibling.dot.counter)
            if self._values.setdefault(at, sibling.value) != sibling.value:
                self.accuse(f"S3: the dot {at[1][:8]}:{at[2]} of {key!r} has two values")

    def _voted(self, peer: PeerId, key: bytes, ballot: Ballot, outcome: StoreOutcome) -> None:
        """Hold an acceptor to its promises (J4); at round 0 none is made."""
        is_seal = key.endswith((b"/map", b"/end"))
        if is_seal and self._proposers.setdefault(key, ballot.proposer) != ballot.proposer:
            self.note("seal proposed twice")
        if not isinstance(outcome, AcceptorState) or not outcome.promised.round:
            return
        if outcome.promised > ballot:
            self.note("ballot conflict")
        promised = self._promises.setdefault((peer, key), outcome.promised)
        if outcome.promised < promised:
            self.accuse(f"J4: {peer[:8]} goes back on its promise for {key!r}: {outcome.promised} after {promised}")
        self._promises[peer, key] = max(promised, outcome.promised)

    # --- work ---

    def started(self, handful: RunAttempts) -> None:
        """Take in that a peer begins with attempts, or prepares for them."""
        if len(handful.runs) > 1:
            self.note("claimed by the handful")
        if handful.is_ahead:
            self.note("claimed ahead")

    def mapped(self, peer: str, start: int, task: StartAttempt, report: TaskReport) -> None:
        """Take in that a map attempt has its run on its disk."""
        if self.decided[task.record.id, "map"]:
            self._remapped.add((task.record.id, task.task))
        if task.attempt.speculative:
            self.note("second attempt overtook")
        if any((old.job, old.split) == (task.record.id, task.task) for old in self.mapped_by.values()):
            self.note("split mapped twice")
        self.mapped_by[task.attempt] = Mapped(task.record.id, task.task, peer, start, report)

    def reads(self, name: str, work: RunAttempt) -> None:
        """Look at what an attempt at a partition is about to read."""
        violation = reads_violation(name, work)
        if violation:
            self.accuse(violation)

    def redone(self, job: str) -> int:
        """Count splits of a job that were mapped again after its map phase was sealed."""
        return len({split for of_job, split in self._remapped if of_job == job})
