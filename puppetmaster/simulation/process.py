"""Stand in for one peer's process: the real machine, and hands that work in virtual time."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from ...node.effects import NodeEffect, Post, ReplyTo, RunAttempt, Wake
from ...node.events import NodeEvent, PeerSpoke
from ...node.machine import Node, NodeSettings
from ...ring.effects import Operate, PullChunk, SendTo
from ...ring.digests import chunk_digest
from ...ring.events import ChunkPulled, OperationDone
from ...ring.terms import REFUTATION_BITS, Instant, Member, PeerId, Source
from ...scheduling.effects import ForgetJob, StopAttempt
from ...scheduling.events import AttemptFinished, AttemptLost, SchedulingEvent
from ...scheduling.jobs import Phase
from ...scheduling.messages import run_name
from .disk import Disk, Run
from .wordcount import map_report, map_split, part_outputs, reduce_partition, reduce_report


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
    work: RunAttempt | PullChunk


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

    def __init__(self, member: Member, disk: Disk, settings: NodeSettings, pace: Pace, seed: int) -> None:
        disk.starts += 1
        self.member = member
        self.disk = disk
        self.start = disk.starts
        self.frozen = False
        self.attempts: set[str] = set()
        self._pace = pace
        self._rng = random.Random(seed)
        self.node = Node(member, self.start << REFUTATION_BITS, settings, random.Random(seed + 1))

    def handle(self, now: Instant, event: NodeEvent) -> list[Outgoing]:
        """Let the machine decide, then do at once what takes no time and set the rest for later."""
        outgoing: list[Outgoing] = []
        for effect in self.node.handle(now, event):
            outgoing.extend(self._perform(now, effect))
        return outgoing

    def finish(self, work: RunAttempt | PullChunk, read: Read) -> NodeEvent | None:
        """End a piece of work; None if it was stopped meanwhile."""
        if isinstance(work, PullChunk):
            return ChunkPulled(ticket=work.ticket, error=self._adopt(work, read))
        title = work.start.attempt.title
        if title not in self.attempts:
            return None
        self.attempts.discard(title)
        return self._map(work, read) if work.start.phase is Phase.MAP else self._reduce(work, read)

    def _adopt(self, work: PullChunk, read: Read) -> str:
        for source in work.sources:
            content = read(self.member.name, source)
            if isinstance(content, bytes):
                piece = content[source.offset : source.offset + work.size]
                if chunk_digest(piece) == work.digest:
                    self.disk.chunks[work.digest] = piece
                    return ""
        return "no source could be read"

    def _map(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start, text = work.start, b""
        for piece in work.pieces:
            found = (read(self.member.name, source) for source in piece.sources)
            content = next((each for each in found if isinstance(each, bytes)), None)
            if content is None:
                return AttemptLost(attempt=start.attempt, reason="the input is out of reach")
            text += content[piece.offset : piece.offset + piece.length]
        run = map_split(text, start.record.partitions)
        self.disk.runs[run_name(start.record.id, start.task, start.attempt)] = run
        return AttemptFinished(attempt=start.attempt, report=map_report(text, run, self._pace.task_s))

    def _reduce(self, work: RunAttempt, read: Read) -> SchedulingEvent:
        start, runs, missing = work.start, [], []
        for place in work.runs:
            found = (read(self.member.name, source) for source in place.sources)
            run = next((each for each in found if isinstance(each, tuple)), None)
            if run is None:
                missing.append(place.split)
            else:
                runs.append(run)
        if missing:
            return AttemptLost(attempt=start.attempt, reason="runs are gone", missing=tuple(missing))
        part = reduce_partition(runs, start.task)
        ref = f"parts/{start.record.id}/{start.task}-{start.attempt.title}"
        self.disk.parts[ref] = part
        outputs = part_outputs(part, Source(url=self.member.bulk_url, ref=ref))
        return AttemptFinished(attempt=start.attempt, report=reduce_report(part, self._pace.task_s), outputs=outputs)

    def _perform(self, now: Instant, effect: NodeEffect) -> list[Outgoing]:
        me, name = PeerId(self.member.id), self.member.name
        match effect:
            case Post(url=url, message=message) | SendTo(url=url, message=message):
                return [Letter(name, url, PeerSpoke(sender=me, message=message))]
            case ReplyTo(route=route):
                return [Letter(name, route.decode(), effect)]
            case Wake(at=at, event=event):
                return [self._later(at - now, event)]
            case Operate(ticket=ticket, operation=operation):
                outcome = self.disk.operate(operation)
                return [self._later(self._time(self._pace.disk_s), OperationDone(ticket=ticket, outcome=outcome))]
            case PullChunk():
                return [(self._time(self._pace.pull_s), Working(name, self.start, effect))]
            case RunAttempt(start=start):
                self.attempts.add(start.attempt.title)
                return [(self._time(self._pace.task_s), Working(name, self.start, effect))]
            case StopAttempt(attempt=attempt):
                self.attempts.discard(attempt.title)
            case ForgetJob(job=job):
                self._forget(job)
            case _:
                assert_never(effect)
        return []

    def _later(self, delay_s: float, event: NodeEvent) -> tuple[float, Later]:
        return (max(0.0, delay_s), Later(self.member.name, self.start, event))

    def _time(self, mean_s: float) -> float:
        return self._rng.expovariate(1.0 / mean_s)

    def _forget(self, job: str) -> None:
        for shelf in (self.disk.runs, self.disk.parts):
            for name in [name for name in shelf if name.split("/")[1] == job]:
                del shelf[name]
