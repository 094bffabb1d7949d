"""Stand in for one peer's process: the real machine, and hands that work in virtual time."""

import random
from collections import deque
from collections.abc import Callable
from typing import assert_never

from ...node.effects import (
    Knock,
    LookAtDisk,
    MeasureDisk,
    NodeEffect,
    Piece,
    Post,
    ReplyTo,
    RunAttempt,
    RunAttempts,
    RunPlace,
    Wake,
)
from ...node.events import DiskMeasured, LookedAtDisk, NodeEvent, PeerSpoke
from ...node.gate.tracker import TrackerSilence
from ...node.machine import Node, NodeSettings
from ...node.steady import SteadyTime
from ...node.storage.identity import STARTS_A_SECOND
from ...ring.digests import chunk_digest
from ...ring.effects import DiskOld, Operate, Parted, PullChunk, RemoveChunk, ScrubChunks, SendTo, Usurped
from ...ring.events import ChunkPulled, OperationDone
from ...ring.facts import Standing
from ...ring.operations import MergeVersions, Operation
from ...ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from ...scheduling.effects import DismissJob, ForgetJob, StartAttempt, StopAttempt
from ...scheduling.events import (
    AttemptFailed,
    AttemptFinished,
    AttemptLost,
    AttemptProgressed,
    LocalSideFile,
    SchedulingEvent,
)
from ...scheduling.jobs import Phase, UserError
from ...scheduling.messages import Attempt, run_name
from .check_operations import operation_violation, revival
from .check_stops import stop_violation
from .disk import Disk, Run, row_of
from .outgoing import Chore, Later, Letter, Outgoing, Working, in_turn
from .times import Pace, unix_ms
from .user_faults import digestible, is_flaky, salted
from .witness import Witness
from .wordcount import (
    SIDE_FILE,
    WRITES_SIDE_FILES,
    map_report,
    map_split,
    part_outputs,
    reduce_partition,
    reduce_report,
    side_content,
)

KNOCK_S = 0.002

Read = Callable[[str, Source], bytes | Run | None]
"""Reads what a source names, on behalf of a peer; None where it is out of reach or gone."""


class Process:
    """One start of one peer; a crash forgets it, and its disk lives on."""

    def __init__(
        self,
        member: Member,
        disk: Disk,
        settings: NodeSettings,
        pace: Pace,
        seed: int,
        witness: Witness,
        serial: int,
        now: Instant,
    ) -> None:
        """Open a disk; `serial` tells processes apart, and the clock moves a start's number, as it does for real."""
        recorded, disk.starts = disk.starts, max(disk.starts + 1, int(now * STARTS_A_SECOND))
        disk.owner = member.name
        self.member = member
        self.name = member.name
        self.id = PeerId(member.id)
        self.disk = disk
        self.start = disk.starts
        self.serial = serial
        self.booted_at = now
        self.frozen = False
        self.late: list[Letter | Later | Working] = []
        """What has come while it stood still."""
        self.silence = TrackerSilence()
        self.silence.meet(self.id)
        self.clock_offset_s = 0.0
        self.clock_was_set = False
        self._steady = SteadyTime()
        self._unix_ms = 0
        self.events = 0
        self.attempts: dict[str, RunAttempt] = {}
        self.queue: deque[Operate] = deque()
        """Store operations that are not durable yet: one writer carries them out in order."""
        self.unreported = 0
        """Store operations that are durable, but that the machine does not know of yet."""
        self.paused_until = Instant(0.0)
        self._pace = pace
        self._witness = witness
        self._rng = random.Random(seed)
        self.disk_is_old = False
        self.parted = False
        """Whether it is no member any more, and so about to end."""
        self.has_leave = False
        """Whether it was told to leave: it stops, even if it cannot do so in good order."""
        incarnation = self.start << REFUTATION_BITS
        self.node = Node(member, incarnation, settings, random.Random(seed + 1), recorded=recorded)

    @property
    def is_going(self) -> bool:
        """Tell whether this process is about to end: it leaves, or is no member any more."""
        return self.has_leave or self.parted or self.node.ring.members[self.id].standing is Standing.LEAVING

    @property
    def tracks(self) -> bool:
        """Tell whether this peer has the tracker role of a job that has not ended."""
        return any(job.live and job.tracker == self.id for job in self.node.scheduling.jobs.values())

    def handle(self, now: Instant, event: NodeEvent) -> list[Outgoing]:
        """Let the machine decide, then do at once what takes no time and set the rest for later."""
        self.events += 1
        if isinstance(event, OperationDone):
            self.unreported -= 1
        outgoing: list[Outgoing] = []
        for effect in self.node.handle(self.time_at(now), event):
            if not self._holds_back(effect):
                self._perform(now, effect, outgoing)
        return outgoing

    def _holds_back(self, effect: NodeEffect) -> bool:
        """Keep what a silenced tracker role says; it is judged by what it knew when it would have said so."""
        if not self.silence.frozen or self.silence.let_out([effect]):
            return False
        if isinstance(effect, Post):
            self._witness.posted(self.id, effect.message)
            self._witness.note("tracker silent")
        return True

    def time_at(self, now: Instant) -> Instant:
        """Tell the machine's time."""
        return self._steady.read(Instant(now + self.clock_offset_s))

    def rang(self, now: Instant, at: Instant) -> None:
        """Take in that an alarm rings that the machine had set for an instant of its time."""
        self._steady.rang(Instant(now + self.clock_offset_s), at)

    def let_tracker_speak(self, now: Instant) -> list[Outgoing]:
        """End the silence of the tracker role, and say late what it would have said."""
        self.silence.frozen = False
        outgoing: list[Outgoing] = []
        for effect in self.silence.take_held():
            if isinstance(effect, Post):
                outgoing.append(self._letter(effect))
            else:
                self._perform(now, effect, outgoing)
        return outgoing

    # --- work that ends ---

    def operate(self, now: Instant, work: Operate) -> list[Outgoing]:
        """Make a store operation durable; the machine hears of it a moment later, unless the process dies before."""
        is_hurt = row_of(work.operation) in self.disk.damaged
        before = self._copy_of(work.operation)
        self._unix_ms = max(self._unix_ms, unix_ms(now + self.clock_offset_s))
        outcome = self.disk.operate(work.operation, self._unix_ms)
        self._witness.operated(self.id, work.operation, outcome)
        violation = operation_violation(self.id, work.operation, outcome, self._unix_ms)
        if isinstance(work.operation, MergeVersions) and not is_hurt and not violation:
            violation = revival(self.id, work.operation.key, before, self._copy_of(work.operation))
        if violation:
            self._witness.accuse(violation)
        if is_hurt:
            self._witness.met_damage(self.id, work.operation, outcome)
        self.unreported += 1
        self.queue.popleft()
        reported = self._later(self._pace.disk_s / 2, OperationDone(ticket=work.ticket, outcome=outcome))
        return [reported, *self._next_operation(now)] if self.queue else [reported]

    def _copy_of(self, operation: Operation) -> bytes | None:
        """Give the row of a copy that an operation merges into."""
        return self.disk.rows.get(b"v/" + operation.key) if isinstance(operation, MergeVersions) else None

    def _next_operation(self, now: Instant) -> list[Outgoing]:
        """Begin with the next store operation; what it foretells comes out before it is durable."""
        work, takes_s = self.queue[0], self.disk.delay_s + self._time(self._pace.disk_s)
        foretold = self.disk.foretell(work, max(self._unix_ms, unix_ms(now + self.clock_offset_s)))
        self._witness.foretold(work.operation, foretold)
        told = [] if foretold is None else [self._later(takes_s / 2, foretold)]
        return [*told, (takes_s, Working(self.name, self.serial, work))]

    def finish(self, work: RunAttempt | Chore, fraction: float, read: Read) -> NodeEvent | None:
        """End a chore or an attempt, or tell how far that is; None if it was stopped meanwhile."""
        if isinstance(work, ScrubChunks | RemoveChunk):
            return self.disk.tend(work)
        if isinstance(work, PullChunk):
            return ChunkPulled(ticket=work.ticket, error=self._adopt(work, read))
        if work.start.attempt.title not in self.attempts:
            return None
        if fraction < 1.0:
            return AttemptProgressed(attempt=work.start.attempt, fraction=fraction)
        del self.attempts[work.start.attempt.title]
        return self._map(work, read) if work.start.phase is Phase.MAP else self._reduce(work, read)

    def _adopt(self, work: PullChunk, read: Read) -> str:
        if not self.disk.writable:
            return f"the disk is {self.disk.state.value}"
        for source in work.sources:
            content = read(self.name, source)
            if isinstance(content, bytes):
                piece = content[source.offset : source.offset + work.size]
                if chunk_digest(piece) == work.digest:
                    self.disk.keep_chunk(work.digest, piece)
                    return ""
        return "no source could be read"

    def _refused(self, work: RunAttempt) -> AttemptLost:
        self._witness.note("attempt refused by its disk")
        return AttemptLost(attempt=work.start.attempt, reason=f"the disk is {self.disk.state.value}")

    def _map(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start = work.start
        pieces = [self._piece(piece, read) for piece in work.pieces]
        text = b"".join(piece for piece in pieces if piece is not None)
        if None in pieces:
            self._witness.note("input out of reach")
            return AttemptLost(attempt=start.attempt, reason="the input is out of reach")
        if not self.disk.writable:
            return self._refused(work)
        if is_flaky(start.record, start.task, self._witness.flaky[start.record.id]):
            self._witness.flaky[start.record.id] += 1
            return AttemptFailed(attempt=start.attempt, error=UserError(kind="OSError", message="not yet"))
        given = digestible(text, start.record, start.task, start.skip)
        if isinstance(given, UserError):
            return AttemptFailed(attempt=start.attempt, error=given)
        if not start.record.partitions:
            part = reduce_partition([map_split(given, 1)], 0)
            return self._part_done(work, part, text.count(b"\n"), len(text))
        run = map_split(salted(given, start.record, start.attempt), start.record.partitions, start.record.spec.cuts)
        self.disk.runs[run_name(start.record.id, start.task, start.attempt)] = run
        report = map_report(text, run, self._pace.task_s, skipped=given != text)
        self._witness.mapped(self.name, self.start, start, report)
        return AttemptFinished(attempt=start.attempt, report=report, side=self._side_files(start, text))

    def _side_files(self, start: StartAttempt, text: bytes) -> tuple[LocalSideFile, ...]:
        """Write beside the run, if the job wants it."""
        if WRITES_SIDE_FILES not in start.record.spec.params:
            return ()
        ref = f"parts/{start.record.id}/side-{start.attempt.title}-{SIDE_FILE}"
        self.disk.parts[ref] = content = side_content(text, start.task)
        pieces = part_outputs(content, Source(url=self.member.bulk_url, ref=ref))
        return (LocalSideFile(name=SIDE_FILE, pieces=pieces),)

    def _piece(self, piece: Piece, read: Read) -> bytes | None:
        for source in piece.sources:
            content = read(self.name, source)
            if isinstance(content, bytes):
                return content[piece.offset : piece.offset + piece.length]
        return None

    def _reduce(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start, runs, missing = work.start, [], []
        self._witness.reads(self.name, work)
        for place in work.runs:
            run = self._run(place, read)
            if run is None:
                missing.append(place.split)
            else:
                runs.append(run)
        if missing:
            self._witness.note("runs out of reach")
            return AttemptLost(attempt=start.attempt, reason="runs are gone", missing=tuple(missing))
        if not self.disk.writable:
            return self._refused(work)
        pairs = sum(len(run[start.task]) for run in runs)
        return self._part_done(work, reduce_partition(runs, start.task), pairs, pairs)

    def _run(self, place: RunPlace, read: Read) -> Run | None:
        found = (read(self.name, source) for source in place.sources)
        return next((each for each in found if isinstance(each, tuple)), None)

    def _part_done(self, work: RunAttempt, part: bytes, records_in: int, bytes_in: int) -> AttemptFinished:
        start = work.start
        ref = f"parts/{start.record.id}/{start.task}-{start.attempt.title}"
        self.disk.parts[ref] = part
        outputs = part_outputs(part, Source(url=self.member.bulk_url, ref=ref))
        report = reduce_report(part, records_in, bytes_in, self._pace.task_s)
        return AttemptFinished(attempt=start.attempt, report=report, outputs=outputs)

    # --- effects ---

    def _perform(self, now: Instant, effect: NodeEffect, outgoing: list[Outgoing]) -> None:
        match effect:
            case Post(message=message) | SendTo(message=message):
                self._witness.posted(self.id, message)
                outgoing.append(self._letter(effect))
            case ReplyTo(route=route):
                self._witness.replied(self.name, effect.reply, self.node.ring.members)
                outgoing.append(Letter(self.name, route.decode(), effect))
            case Wake(at=at, event=event):
                told_in_s = self._steady.on_clock(at) - self.clock_offset_s - now
                outgoing.append((max(0.0, told_in_s), Later(self.name, self.serial, event, at)))
            case Operate():
                self.queue.append(effect)
                if len(self.queue) == 1:
                    outgoing.extend(self._next_operation(now))
            case Usurped() | DiskOld() | Parted():
                self._end(effect)
            case PullChunk() | ScrubChunks() | RemoveChunk() | LookAtDisk() | MeasureDisk() | Knock():
                outgoing.append(self._inspect(effect))
            case RunAttempts():
                outgoing += self._user_code(effect)
            case StopAttempt() | DismissJob() | ForgetJob():
                self._drop(effect)
            case _:
                assert_never(effect)

    def _end(self, effect: Usurped | DiskOld | Parted) -> None:
        """Take note that the process has to end, and why."""
        match effect:
            case Usurped(reason=reason):
                self._witness.accuse(f"{self.name} gives way to a second process, and there is none: {reason}")
            case DiskOld():
                self.disk_is_old = True
            case Parted(by_others=by_others):
                self.parted = True
                self._witness.note("peer removed" if by_others else "leave completed")
            case _:
                assert_never(effect)

    def _inspect(self, effect: Chore | LookAtDisk | MeasureDisk | Knock) -> Outgoing:
        """Look at what is on the disk, bring something there or take it off; or knock at another peer's address."""
        match effect:
            case PullChunk():
                return self._working(self._pace.pull_s, effect)
            case ScrubChunks() | RemoveChunk():
                return self._working(self._pace.disk_s, effect)
            case Knock():
                return (KNOCK_S, Working(self.name, self.serial, effect))
            case LookAtDisk(route=route, request=request, question=question):
                reply = self.disk.look(question)
                return self._later(self._pace.disk_s, LookedAtDisk(route=route, request=request, reply=reply))
            case MeasureDisk(route=route, request=request):
                values = {"disk.bytes": float(sum(map(len, self.disk.chunks.values())))}
                return self._later(self._pace.disk_s, DiskMeasured(route=route, request=request, values=values))
            case _:
                assert_never(effect)

    def _drop(self, effect: StopAttempt | DismissJob | ForgetJob) -> None:
        match effect:
            case StopAttempt(attempt=attempt):
                self._stop(attempt)
            case DismissJob():
                pass  # attempts end one by one here, and processes of user code are not played
            case ForgetJob(job=job):
                self.disk.forget_job(job)
            case _:
                assert_never(effect)

    def _stop(self, attempt: Attempt) -> None:
        self._witness.note("attempt stopped")
        work = self.attempts.pop(attempt.title, None)
        if work is None or self.is_going:
            return
        violation = stop_violation(self.name, self.node.scheduling.jobs[work.start.record.id], work.start)
        if violation:
            self._witness.accuse(violation)

    def _letter(self, effect: Post | SendTo) -> Letter:
        recipient = effect.to if isinstance(effect, Post) else ""
        return Letter(self.name, effect.url, PeerSpoke(sender=self.id, message=effect.message), recipient)

    def _later(self, delay_s: float, event: NodeEvent) -> tuple[float, Later]:
        return (max(0.0, delay_s), Later(self.name, self.serial, event))

    def _working(self, mean_s: float, work: RunAttempt | Chore) -> tuple[float, Working]:
        """Set the end of work that also writes to the disk."""
        return (self.disk.delay_s + self._time(mean_s), Working(self.name, self.serial, work))

    def _user_code(self, handful: RunAttempts) -> list[Outgoing]:
        """Set the ends of attempts, and the moments at which user code says how far it is; fetching takes no time."""
        self._witness.started(handful)
        works = () if handful.is_ahead else handful.runs
        self.attempts.update((work.start.attempt.title, work) for work in works)
        lengths_s = [self.disk.delay_s + self._time(self._pace.task_s) for _ in works]
        return in_turn([Working(self.name, self.serial, work) for work in works], lengths_s)

    def _time(self, mean_s: float) -> float:
        return self._rng.expovariate(1.0 / mean_s)
