"""Stand in for one peer's process: the real machine, and hands that work in virtual time."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from ...node.effects import NodeEffect, Piece, Post, ReplyTo, RunAttempt, RunPlace, Wake
from ...node.events import NodeEvent, PeerSpoke
from ...node.machine import Node, NodeSettings
from ...ring.digests import chunk_digest
from ...ring.effects import Operate, PullChunk, SendTo
from ...ring.events import ChunkPulled, OperationDone
from ...ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from ...scheduling.effects import ForgetJob, StopAttempt
from ...scheduling.events import AttemptFailed, AttemptFinished, AttemptLost, SchedulingEvent
from ...scheduling.jobs import Phase
from ...scheduling.messages import run_name
from .disk import Disk, Run
from .witness import Witness
from .wordcount import (
    map_report,
    map_split,
    part_outputs,
    poison_error,
    reduce_partition,
    reduce_report,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way; `receiver` is a peer's url, or a client's name."""

    sender: str
    receiver: str
    content: NodeEvent | ReplyTo


@dataclass(frozen=True, slots=True)
class Later:
    """What one start of one peer has set for later."""

    peer: str
    start: int
    event: NodeEvent


@dataclass(frozen=True, slots=True)
class Working:
    """Work that is due to end now: it reads what it needs from wherever that lies, and reports."""

    peer: str
    start: int
    work: RunAttempt | PullChunk | Operate


Outgoing = Letter | tuple[float, Later | Working]
"""What a process lets go of: a letter to the network, or something due in so many seconds."""

Read = Callable[[str, Source], bytes | Run | None]
"""Reads what a source names, on behalf of a peer; None where it is out of reach or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things take, in seconds: means of exponential times."""

    disk_s: float = 0.0005
    pull_s: float = 0.003
    task_s: float = 0.3


class Process:
    """One start of one peer; a crash forgets it, and its disk lives on."""

    def __init__(
        self, member: Member, disk: Disk, settings: NodeSettings, pace: Pace, seed: int, witness: Witness
    ) -> None:
        disk.starts += 1
        self.member = member
        self.name = member.name
        self.id = PeerId(member.id)
        self.disk = disk
        self.start = disk.starts
        self.frozen = False
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
        self.node = Node(member, self.start << REFUTATION_BITS, settings, random.Random(seed + 1))

    def handle(self, now: Instant, event: NodeEvent) -> list[Outgoing]:
        """Let the machine decide, then do at once what takes no time and set the rest for later."""
        self.events += 1
        if isinstance(event, OperationDone):
            self.unreported -= 1
        outgoing: list[Outgoing] = []
        for effect in self.node.handle(now, event):
            self._perform(now, effect, outgoing)
        return outgoing

    # --- work that ends ---

    def operate(self, work: Operate) -> list[Outgoing]:
        """Make a store operation durable; the machine hears of it a moment later, unless the process dies before."""
        outcome = self.disk.operate(work.operation)
        self._witness.operated(self.id, work.operation, outcome)
        self.unreported += 1
        self.queue.popleft()
        reported = self._later(self._pace.disk_s / 2, OperationDone(ticket=work.ticket, outcome=outcome))
        return [reported, self._next_operation()] if self.queue else [reported]

    def _next_operation(self) -> tuple[float, Working]:
        takes_s = self.disk.delay_s + self._time(self._pace.disk_s)
        return (takes_s, Working(self.name, self.start, self.queue[0]))

    def finish(self, work: RunAttempt | PullChunk, read: Read) -> NodeEvent | None:
        """End a pull or an attempt; None if it was stopped meanwhile."""
        if isinstance(work, PullChunk):
            return ChunkPulled(ticket=work.ticket, error=self._adopt(work, read))
        if self.attempts.pop(work.start.attempt.title, None) is None:
            return None
        return self._map(work, read) if work.start.phase is Phase.MAP else self._reduce(work, read)

    def _adopt(self, work: PullChunk, read: Read) -> str:
        if not self.disk.writable:
            return f"the disk is {self.disk.state.value}"
        for source in work.sources:
            content = read(self.name, source)
            if isinstance(content, bytes):
                piece = content[source.offset : source.offset + work.size]
                if chunk_digest(piece) == work.digest:
                    self.disk.chunks[work.digest] = piece
                    return ""
        return "no source could be read"

    def _map(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start = work.start
        pieces = [self._piece(piece, read) for piece in work.pieces]
        text = b"".join(piece for piece in pieces if piece is not None)
        if None in pieces:
            self._witness.note("input out of reach")
            return AttemptLost(attempt=start.attempt, reason="the input is out of reach")
        if not self.disk.writable:
            return AttemptLost(attempt=start.attempt, reason=f"the disk is {self.disk.state.value}")
        error = poison_error(text, start.record, start.task)
        if error is not None:
            return AttemptFailed(attempt=start.attempt, error=error)
        if not start.record.partitions:
            part = reduce_partition([map_split(text, 1)], 0)
            return self._part_done(work, part, text.count(b"\n"))
        run = map_split(text, start.record.partitions)
        self.disk.runs[run_name(start.record.id, start.task, start.attempt)] = run
        report = map_report(text, run, self._pace.task_s)
        self._witness.mapped(self.name, self.start, start, report)
        return AttemptFinished(attempt=start.attempt, report=report)

    def _piece(self, piece: Piece, read: Read) -> bytes | None:
        for source in piece.sources:
            content = read(self.name, source)
            if isinstance(content, bytes):
                return content[piece.offset : piece.offset + piece.length]
        return None

    def _reduce(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start, runs, missing = work.start, [], []
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
            return AttemptLost(attempt=start.attempt, reason=f"the disk is {self.disk.state.value}")
        return self._part_done(work, reduce_partition(runs, start.task), 0)

    def _run(self, place: RunPlace, read: Read) -> Run | None:
        found = (read(self.name, source) for source in place.sources)
        return next((each for each in found if isinstance(each, tuple)), None)

    def _part_done(self, work: RunAttempt, part: bytes, records_in: int) -> AttemptFinished:
        start = work.start
        ref = f"parts/{start.record.id}/{start.task}-{start.attempt.title}"
        self.disk.parts[ref] = part
        outputs = part_outputs(part, Source(url=self.member.bulk_url, ref=ref))
        report = reduce_report(part, records_in, self._pace.task_s)
        return AttemptFinished(attempt=start.attempt, report=report, outputs=outputs)

    # --- effects ---

    def _perform(self, now: Instant, effect: NodeEffect, outgoing: list[Outgoing]) -> None:
        match effect:
            case Post(url=url, message=message) | SendTo(url=url, message=message):
                self._witness.posted(self.id, message)
                outgoing.append(Letter(self.name, url, PeerSpoke(sender=self.id, message=message)))
            case ReplyTo(route=route):
                outgoing.append(Letter(self.name, route.decode(), effect))
            case Wake(at=at, event=event):
                outgoing.append(self._later(at - now, event))
            case Operate():
                self.queue.append(effect)
                if len(self.queue) == 1:
                    outgoing.append(self._next_operation())
            case PullChunk():
                outgoing.append((self._time(self._pace.pull_s), Working(self.name, self.start, effect)))
            case RunAttempt(start=start):
                self.attempts[start.attempt.title] = effect
                outgoing.append((self._time(self._pace.task_s), Working(self.name, self.start, effect)))
            case StopAttempt(attempt=attempt):
                self._witness.note("attempt stopped")
                self.attempts.pop(attempt.title, None)
            case ForgetJob(job=job):
                self._forget(job)
            case _:
                assert_never(effect)

    def _later(self, delay_s: float, event: NodeEvent) -> tuple[float, Later]:
        return (max(0.0, delay_s), Later(self.name, self.start, event))

    def _time(self, mean_s: float) -> float:
        return self._rng.expovariate(1.0 / mean_s)

    def _forget(self, job: str) -> None:
        for shelf in (self.disk.runs, self.disk.parts):
            for name in [name for name in shelf if name.split("/")[1] == job]:
                del shelf[name]
