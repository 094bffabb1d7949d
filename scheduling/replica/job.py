"""Keep one peer's replica of one job: its record, claim table, tracker, decisions, and what they come to."""

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from random import Random

import msgspec

from ...ring.errors import InvariantBroken
from ...ring.terms import Instant, PeerId
from ..claims.board import Board, Result, standing_attempts
from ..claims.table import Change, ClaimTable, report_of
from ..flock import Flock
from ..jobs import SKIPPED, JobEnding, JobRecord, JobState, Phase, TaskReport, UserError
from ..messages import Account, Attempt, Claim, JobNews, MapSeal, Stage, Winner
from ..status import JobEvent, JobStatus
from .decisions import decode_decision
from .skipping import too_many_skipped
from .verdicts import NONDETERMINISM_HINT, best_attempt, bounded, nondeterminism, unlike, user_fault

NOBODY = PeerId("0" * 32)
"""The tracker of a job at epoch 0: its record was seen, but nobody has announced it yet."""

EVENTS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why the job cannot succeed, and the task that showed it."""

    error: UserError
    task: int


def outranks(epoch: int, tracker: str, other_epoch: int, other: str) -> bool:
    """Tell whether one claim to the tracker role beats another: the higher epoch, then the smaller peer id."""
    return epoch > other_epoch or (epoch == other_epoch and tracker < other)


def _known_report(result: Result | None) -> TaskReport | None:
    return None if result is None else result.report


def task_title(phase: Phase, task: int) -> str:
    """Name a task for people."""
    return f"{'split' if phase is Phase.MAP else 'partition'} {task}"


def _where(claim: Claim, flock: Flock) -> str:
    return f"{task_title(claim.phase, claim.task)} at {flock.name(claim.attempt.peer)}"


class Job:
    """All that this peer knows of a job; `version` grows with every visible change."""

    def __init__(self, now: Instant, record: JobRecord, rng: Random) -> None:
        self.record = record
        self.id = record.id
        self.bytes_total = sum(split.end - split.begin for split in record.splits)
        self.heard_at = now
        self.tracked_at = now
        self.table = ClaimTable(max(record.tasks(phase) for phase in Phase))
        self.boards = {phase: Board(record.tasks(phase), rng) for phase in Phase}
        self.epoch = 0
        self.tracker = NOBODY
        self.tracker_start = -1
        self.tracker_heard_at = now
        """When the tracker role itself was last heard at its present epoch."""
        self.client_seen_at = now
        """When this peer has last heard of a client that watches the job, if that matters."""
        self.killed = False
        self.dismissed = False
        """Whether this peer has ended the processes of its user code, for good."""
        self.seal: MapSeal | None = None
        self.seal_value: bytes | None = None
        self.ending: JobEnding | None = None
        self.ending_value: bytes | None = None
        self.ended_at: Instant | None = None
        self.fault: Fault | None = None
        self.goes_by_chance = False
        """Whether two attempts at one task were seen to come out differently."""
        self.version = 1
        self.events: list[JobEvent] = []
        self.state = JobState.PLANNING
        self.active: defaultdict[str, set[tuple[Phase, int, Attempt]]] = defaultdict(set)
        """The attempts under way, by peer, whether it lives or not."""
        self._moved: dict[Phase, set[int]] = {phase: set() for phase in Phase}
        self.retired: JobStatus | None = None
        """The last status of a job whose claim table is given up."""
        self._chunk_ends: dict[int, list[int]] = {}
        self.tell(now, f"submitted: {len(record.splits)} splits, {record.partitions} partitions")

    @property
    def final(self) -> Phase:
        """The phase whose reports carry the parts of the output."""
        return Phase.REDUCE if self.record.partitions else Phase.MAP

    @property
    def live(self) -> bool:
        """Tell whether the job can still change."""
        return self.ending is None

    def claimable(self) -> tuple[Phase, ...]:
        """List the phases whose open tasks may be claimed now; lost splits come before partitions, which need them."""
        if not self.live or self.killed or self.epoch == 0 or self.fault is not None:
            return ()
        if self.complete and None not in self.counted_reports():
            return ()
        if not self.boards[Phase.MAP].done:
            return (Phase.MAP,)
        return (Phase.REDUCE,) if self.record.partitions and self.seal is not None else ()

    def tell(self, now: Instant, text: str) -> None:
        """Set down an event for the view."""
        self.events = [*self.events, JobEvent(now - self.heard_at, text[:512])][-EVENTS_MAX:]
        self.version += 1

    # --- claims ---

    def join(self, now: Instant, claim: Claim, flock: Flock) -> Change:
        """Join a claim into the replica; claims that cannot be of this job, or come after its end, change nothing."""
        if not self.live or not self._fits(claim):
            return Change.NOTHING
        change = self.table.join(claim)
        if change is Change.NOTHING:
            return change
        account = self.table.row(claim.phase, claim.task)[claim.attempt]
        key = (claim.phase, claim.task, claim.attempt)
        self.boards[claim.phase].paces.heard(now, claim.task, claim.attempt, account)
        if account.stage <= Stage.RUNNING:
            self.active[claim.attempt.peer].add(key)
        else:
            self.active[claim.attempt.peer].discard(key)
        if change is Change.STAGE:
            self._tell_of(now, claim, account, flock)
            self.refresh(now, claim.phase, claim.task, flock)
        else:  # how far an attempt is moves no cell
            self.version += 1
        return change

    def _tell_of(self, now: Instant, claim: Claim, account: Account, flock: Flock) -> None:
        if account.stage is Stage.FAILED and account.error is not None:
            what = f"{account.error.kind}: {account.error.message[:200]}"
            self.tell(now, f"attempt failed: {_where(claim, flock)}: {what}")
        elif account.stage is Stage.LOST:
            self.tell(now, f"run of {_where(claim, flock)} is lost: it will be made again")

    def _fits(self, claim: Claim) -> bool:
        report = claim.account.report
        if claim.task >= self.record.tasks(claim.phase):
            return False
        return claim.account.stage is not Stage.DONE or (
            report is not None and (claim.phase is not self.final or report.part is not None)
        )

    def refresh(self, now: Instant, phase: Phase, task: int, flock: Flock) -> None:
        """Derive a task's state again after a change of its row, of the seal or of a peer's liveness."""
        self._moved[phase].add(task)
        row = self.table.row(phase, task)
        sealed = self.sealed(phase, task)
        attempt = best_attempt(self.id, phase, task, standing_attempts(row, sealed))
        result = None if attempt is None else self._result(phase, task, attempt, sealed, flock)
        self.boards[phase].place(now, task, row, flock, result)
        if len(row) > 1 and not self.goes_by_chance:
            self._look_for_chance(now, phase, task, flock)
        if self.fault is None:
            self._find_fault(phase, task, sealed) if result is None else self._look_at_skipped(task, result)
        self.version += 1

    def take_moved(self) -> dict[Phase, set[int]]:
        """Give the tasks whose state was derived again since this was last asked."""
        moved, self._moved = self._moved, {phase: set() for phase in Phase}
        return moved

    def _result(self, phase: Phase, task: int, attempt: Attempt, sealed: Winner | None, flock: Flock) -> Result:
        if sealed is not None and sealed.attempt in self.table.row(phase, task):
            attempt = sealed.attempt if self._done(phase, task, sealed.attempt) else attempt
        report = report_of(self.table.account(phase, task, attempt))
        return Result(attempt=attempt, report=report, local=attempt.peer in self.holders(phase, task, flock))

    def _done(self, phase: Phase, task: int, attempt: Attempt) -> bool:
        return report_of(self.table.account(phase, task, attempt)) is not None

    def _find_fault(self, phase: Phase, task: int, sealed: Winner | None) -> None:
        row = self.table.row(phase, task)
        error = user_fault(self.record, row)
        if error is None and sealed is not None:
            error = nondeterminism(task, row, sealed)
        if error is not None:
            self.fault = Fault(error=error, task=task)

    def _look_for_chance(self, now: Instant, phase: Phase, task: int, flock: Flock) -> None:
        """Tell, once for a job, that its program does not give the same again: the seal decides, but not in silence."""
        pair = unlike(self.table.row(phase, task))
        if pair is not None:
            self.goes_by_chance = True
            one, other = (flock.name(attempt.peer) for attempt in pair)
            self.tell(
                now, f"{task_title(phase, task)} came out differently at {one} and at {other}: {NONDETERMINISM_HINT}"
            )

    def _look_at_skipped(self, task: int, result: Result) -> None:
        if result.report is None or SKIPPED not in result.report.counters:
            return
        error = too_many_skipped(self.record, sum(board.counters[SKIPPED] for board in self.boards.values()))
        if error is not None:
            self.fault = Fault(error=error, task=task)

    def refresh_peer(self, now: Instant, peer: str, flock: Flock) -> None:
        """Derive anew all tasks that a peer has attempts at, because it has gone or come back."""
        for phase, task in sorted({(phase, task) for phase, task, _ in self.active[peer]}):
            self.refresh(now, phase, task, flock)

    # --- decisions ---

    def sealed(self, phase: Phase, task: int) -> Winner | None:
        """Give the attempt at a split that counts, once that is decided."""
        return self.seal.winners[task] if phase is Phase.MAP and self.seal is not None else None

    def adopt_tracker(self, now: Instant, epoch: int, tracker: PeerId, flock: Flock) -> bool:
        """Follow a tracker if it outranks the known one; tell whether it does."""
        if epoch == 0 or not outranks(epoch, tracker, self.epoch, self.tracker):
            return False
        old, self.epoch, self.tracker = self.tracker, epoch, tracker
        self.tracker_heard_at = now
        # What is remembered of a tracker that was not met yet may be outdated: its start counts once it is.
        self.tracker_start = flock.start_of(tracker) if flock.alive(tracker) else -1
        if old == NOBODY:
            self.tell(now, f"tracker is {flock.name(tracker)} (epoch {epoch})")
        else:
            self.tell(now, f"tracker moved from {flock.name(old)} to {flock.name(tracker)} (epoch {epoch})")
        if self.boards[Phase.MAP].opened_at is None:
            self.boards[Phase.MAP].opened_at = now
        return True

    def adopt_kill(self, now: Instant) -> bool:
        """Mark the job as one to be killed; tell whether that is new."""
        if self.killed or not self.live:
            return False
        self.killed = True
        self.tell(now, "kill ordered")
        return True

    def adopt_seal(self, now: Instant, value: bytes, flock: Flock) -> bool:
        """Take in the seal of the map phase; tell whether it is new.

        Raises:
            InvariantBroken: the register has had another value.
            msgspec.DecodeError: the value is no seal of this job.
        """
        if self.seal_value is not None or not self.live:
            self._agree("map", self.seal_value, value)
            return False
        seal = decode_decision(value, MapSeal)
        if len(seal.winners) != len(self.record.splits):
            raise msgspec.DecodeError(f"a seal of {len(seal.winners)} splits for a job of {len(self.record.splits)}")
        self.seal, self.seal_value = seal, value
        for split, winner in enumerate(seal.winners):
            if not self._stands_for(split, winner):
                self.refresh(now, Phase.MAP, split, flock)
        self.boards[Phase.REDUCE].opened_at = now
        self.tell(now, "map phase sealed")
        return True

    def adopt_ending(self, now: Instant, value: bytes) -> bool:
        """Take in how the job ended; tell whether it is new.

        Raises:
            InvariantBroken: the register has had another value.
            msgspec.DecodeError: the value is no ending.
        """
        if self.ending_value is not None:
            self._agree("end", self.ending_value, value)
            return False
        self.ending, self.ending_value = decode_decision(value, JobEnding), value
        self.ended_at = now
        self.version += 1
        return True

    def _stands_for(self, split: int, winner: Winner) -> bool:
        """Tell whether a split's result is just what its seal demands, as it mostly is."""
        result = self.boards[Phase.MAP].results.get(split)
        report = _known_report(result)
        return result is not None and report is not None and Winner(result.attempt, report.digest) == winner

    def _agree(self, which: str, known: bytes | None, value: bytes) -> None:
        if known is not None and known != value:
            story = "; ".join(event.text for event in self.events[-8:])
            raise InvariantBroken(f"job {self.id}: register '{which}' was decided twice, after: {story}")

    def note_state(self, now: Instant) -> None:
        """Move `state` along, and tell of it."""
        state = self._derived_state()
        if state is not self.state:
            self.state = state
            self.tell(now, state.title)

    def _derived_state(self) -> JobState:
        if self.ending is not None:
            return self.ending.state
        if self.epoch == 0:
            return JobState.PLANNING
        if self.seal is None and (self.record.partitions or not self.boards[Phase.MAP].done):
            return JobState.RUNNING_MAP
        return JobState.COMMITTING if self.complete else JobState.RUNNING_REDUCE

    @property
    def complete(self) -> bool:
        """Tell whether every task of the final phase is done."""
        return self.boards[self.final].done and (self.final is Phase.MAP or self.seal is not None)

    def counted_reports(self) -> list[TaskReport | None]:
        """List the reports that the job's counters add up: one for each task, None where it has not arrived.

        A sealed run that is lost since it was read still counts; its report is that of equal content.
        """
        final = self.boards[self.final]
        reports = [_known_report(final.results.get(task)) for task in range(len(final.cells))]
        if self.final is Phase.REDUCE:
            reports += [self.sealed_report(split) for split in range(len(self.record.splits))]
        return reports

    def sealed_report(self, split: int) -> TaskReport | None:
        """Find a report of the content that is sealed for a split; None while it has not arrived."""
        sealed = self.sealed(Phase.MAP, split)
        reports = (account.report for account in self.table.row(Phase.MAP, split).values())
        return next((each for each in reports if each and sealed and each.digest == sealed.digest), None)

    def counters(self) -> dict[str, int]:
        """Add up the counters of the attempts that count: so far, or in the end."""
        if self.ending is not None:
            return self.ending.counters
        total: Counter[str] = Counter()
        for board in self.boards.values():
            total.update(board.counters)
        return bounded(total)

    # --- what others are told ---

    def news(self) -> JobNews:
        """Tell all about the job but its claims."""
        return JobNews(self.id, self.epoch, self.tracker, self.killed, self.seal_value, self.ending_value)

    def pulse(self) -> JobNews:
        """Tell who tracks the job, and nothing else."""
        return JobNews(self.id, self.epoch, self.tracker, self.killed, brief=True)

    def is_ahead_of(self, news: JobNews) -> bool:
        """Tell whether the sender of some news could learn from this replica.

        To one that knows the ending it no longer matters who tracked the job, or that somebody wanted it killed: two
        that have ended with unlike memories would correct each other for ever.
        """
        has_seal, has_ending = self.seal_value is not None, self.ending_value is not None
        if news.ending is not None:
            return has_seal and news.seal is None
        if outranks(self.epoch, self.tracker, news.epoch, news.tracker) or (self.killed and not news.kill):
            return True
        if news.brief:
            return not self.live
        return has_ending or (has_seal and news.seal is None)

    def digest(self) -> bytes:
        """Summarise the replica for comparison with another peer's."""
        summary = blake2b(b"".join(self.table.buckets()), digest_size=16)
        decided = (self.seal_value is not None, self.ending_value is not None)
        summary.update(f"{self.epoch}/{self.tracker}/{self.killed}/{decided}".encode())
        return summary.digest()

    # --- where the input lies ---

    def holders(self, phase: Phase, task: int, flock: Flock) -> tuple[PeerId, ...]:
        """List the live peers that have a split's input on their own disk."""
        if phase is Phase.REDUCE:
            return ()
        split = self.record.splits[task]
        file = self.record.files[split.file]
        if not file.chunks:
            return ()
        ends = self._chunk_ends.get(split.file)
        if ends is None:
            ends = self._chunk_ends[split.file] = list(accumulate(chunk.size for chunk in file.chunks))
        at = min(bisect_right(ends, split.begin), len(ends) - 1)
        return flock.holders(file.chunks[at].digest)

    def retire(self, status: JobStatus) -> None:
        """Give up the claim table of an ended job, and keep its last status."""
        self.retired = status
        self.table = ClaimTable()
        self.active.clear()
        self.boards = {phase: Board(0, Random(0)) for phase in Phase}
