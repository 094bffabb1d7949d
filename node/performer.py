"""Carry out effects, one by one; what comes of an effect is the next event, and never a callback into a machine."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from itertools import count
from pathlib import Path
from typing import assert_never

from ..ring.effects import DiskOld, Operate, Parted, PullChunk, RemoveChunk, ScrubChunks, SendTo, Usurped
from ..ring.errors import CallerError, MurmurationError, WorldError
from ..ring.events import ChunkPulled, ChunkRemoved, ChunksScrubbed, MintForetold, OperationDone
from ..ring.messages import RingMessage
from ..ring.operations import Operation
from ..ring.outcomes import StoreOutcome, VersionsMerged
from ..ring.terms import Member, PeerId
from ..scheduling.effects import DismissJob, ForgetJob, StopAttempt
from ..scheduling.messages import SchedulingMessage
from .attempts import Attempts
from .clock import Clock
from .effects import DiskQuestion, Knock, LookAtDisk, MeasureDisk, NodeEffect, Post, ReplyTo, RunAttempts, Wake
from .events import DiskMeasured, Knocked, LookedAtDisk, NodeEvent
from .executor.hosting.kept_logs import list_logs, read_log
from .storage.chunks import ChunkStore
from .storage.measures import disk_metrics
from .storage.scrub import copy_states, scrub_chunks
from .storage.store import Store
from .transport.bulk_pull import locate, pull
from .transport.control import ControlTransport
from .transport.passage import Passage
from .wire.codec import encode_peer, encode_reply, pieces_of
from .wire.logs import ListLogs, ReadLog
from .wire.replies import ChunksChecked, ClientReply, Refused
from .wire.requests import CheckChunks

LOG = logging.getLogger("murmuration.node")


class Performer:
    """The hands of one peer."""

    def __init__(
        self,
        *,
        me: Member,
        clock: Clock,
        transport: ControlTransport,
        store: Store,
        chunks: ChunkStore,
        passage: Passage,
        attempts: Attempts,
        threads: Executor,
        emit: Callable[[NodeEvent], None],
        end: Callable[[Usurped | DiskOld | Parted], None],
    ) -> None:
        self._me = PeerId(me.id)
        self._directory = Path(me.directory)
        self._clock = clock
        self._transport = transport
        self._store = store
        self._chunks = chunks
        self._passage = passage
        self._attempts = attempts
        self._threads = threads
        self._emit = emit
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._pulls: dict[bytes, asyncio.Future[str]] = {}
        self._numbers = count()

    def perform(self, effects: Iterable[NodeEffect]) -> None:
        """Carry out effects in order."""
        for effect in effects:
            self._perform(effect)

    def foretold(self, outcomes: list[tuple[int, VersionsMerged]]) -> None:
        """Take what the store's writer thread is about to make durable."""
        for ticket, outcome in outcomes:
            self._emit(MintForetold(ticket=ticket, versions=outcome.versions, actor=outcome.actor))

    def stored(self, outcomes: list[tuple[int, StoreOutcome]]) -> None:
        """Take what the store's writer thread has made durable."""
        for ticket, outcome in outcomes:
            self._emit(OperationDone(ticket=ticket, outcome=outcome))

    def _perform(self, effect: NodeEffect) -> None:
        match effect:
            case Post(to=to, url=url, message=message):
                self._send(url, to, message)
            case SendTo(url=url, message=message):
                self._send(url, "", message)
            case ReplyTo():
                self._reply(effect)
            case Wake(at=at, event=event):
                self._clock.call_at(at, self._emit, event)
            case Operate(ticket=ticket, operation=operation):
                self._operate(ticket, operation)
            case PullChunk() | Knock():
                self._loop.create_task(self._pull(effect) if isinstance(effect, PullChunk) else self._knock(effect))
            case ScrubChunks() | RemoveChunk() | LookAtDisk() | MeasureDisk():
                self._loop.create_task(self._inspect(effect))
            case Usurped() | DiskOld() | Parted():
                self._end(effect)
            case RunAttempts() | StopAttempt() | DismissJob() | ForgetJob():
                self._work(effect)
            case _:
                assert_never(effect)

    def _operate(self, ticket: int, operation: Operation) -> None:
        outcome = self._store.read_now(operation)
        if outcome is None:
            self._store.submit(ticket, operation)
        else:
            self._emit(OperationDone(ticket=ticket, outcome=outcome))

    def _work(self, effect: RunAttempts | StopAttempt | DismissJob | ForgetJob) -> None:
        match effect:
            case RunAttempts():
                self._attempts.start(effect)
            case StopAttempt(attempt=attempt):
                self._attempts.stop(attempt)
            case DismissJob(job=job):
                self._attempts.dismiss(job)
            case ForgetJob(job=job, with_logs=with_logs):
                self._attempts.forget(job, with_logs=with_logs)
            case _:
                assert_never(effect)

    def _send(self, url: str, recipient: str, message: RingMessage | SchedulingMessage) -> None:
        try:
            frame = encode_peer(self._me, recipient, message)
        except CallerError as error:  # no message of a sound peer is that large: as if it were lost
            LOG.warning("a %s for %s is not sent: %s", type(message).__name__, url, error)
            return
        for piece in pieces_of(self._me, recipient, frame, next(self._numbers)):
            self._transport.send(url, piece)

    def _reply(self, effect: ReplyTo) -> None:
        try:
            frame = encode_reply(effect.request, effect.reply)
        except CallerError as error:
            frame = encode_reply(effect.request, Refused(kind="too-large", reason=str(error)))
        self._transport.reply(effect.route, frame)

    async def _pull(self, effect: PullChunk) -> None:
        """Make a chunk durable; two pulls of one chunk at once share the work."""
        running = self._pulls.get(effect.digest)
        if running is None:
            running = self._loop.run_in_executor(self._threads, self._adopt, effect)
            self._pulls[effect.digest] = running
        error = await running
        if self._pulls.get(effect.digest) is running:
            del self._pulls[effect.digest]
        self._emit(ChunkPulled(ticket=effect.ticket, error=error))

    async def _knock(self, effect: Knock) -> None:
        self._emit(Knocked(peer=effect.peer, condition=await self._transport.knock(effect.url)))

    async def _inspect(self, effect: ScrubChunks | RemoveChunk | LookAtDisk | MeasureDisk) -> None:
        """Look at what is on the disk, or take something off it, in a thread."""
        self._emit(await self._loop.run_in_executor(self._threads, self._look, effect))

    def _look(
        self, effect: ScrubChunks | RemoveChunk | LookAtDisk | MeasureDisk
    ) -> ChunksScrubbed | ChunkRemoved | LookedAtDisk | DiskMeasured:
        match effect:
            case ScrubChunks():
                return self._scrub(effect)
            case RemoveChunk():
                return self._remove(effect)
            case LookAtDisk(route=route, request=request, question=question):
                return LookedAtDisk(route=route, request=request, reply=self._look_for_client(question))
            case MeasureDisk(route=route, request=request):
                return DiskMeasured(route=route, request=request, values=self._measures())
            case _:
                assert_never(effect)

    def _look_for_client(self, question: DiskQuestion) -> ClientReply:
        match question:
            case CheckChunks(digests=digests):
                return ChunksChecked(states=copy_states(self._chunks, digests))
            case ListLogs():
                return list_logs(self._directory, question)
            case ReadLog():
                return read_log(self._directory, question)
            case _:
                assert_never(question)

    def _measures(self) -> dict[str, float]:
        values = disk_metrics(self._directory, self._chunks)
        values["store.relaxed"] = float(self._store.is_relaxed)
        try:
            values |= self._store.hints()
        except WorldError as error:
            LOG.warning("the hints cannot be counted: %s", error)
        return values

    def _scrub(self, effect: ScrubChunks) -> ChunksScrubbed:
        """Check some chunks; a disk that refuses is asked again at the next step."""
        try:
            return scrub_chunks(self._chunks, effect.ticket, effect.after, effect.bytes_max)
        except WorldError as error:
            LOG.warning("the scrub of chunks is put off: %s", error)
            return ChunksScrubbed(ticket=effect.ticket, damaged=(), after=effect.after, bytes_read=0)

    def _remove(self, effect: RemoveChunk) -> ChunkRemoved:
        try:
            self._chunks.remove(effect.digest)
        except WorldError as error:
            return ChunkRemoved(ticket=effect.ticket, error=str(error))
        return ChunkRemoved(ticket=effect.ticket, error="")

    def _adopt(self, effect: PullChunk) -> str:
        reason = "no source was named"
        for source in effect.sources:
            try:
                size = effect.size or locate(source, passage=self._passage).size
                pieces = pull(source, size, passage=self._passage)
                self._chunks.adopt(effect.digest, size, pieces)
            except (MurmurationError, OSError) as error:
                reason = str(error) or type(error).__name__
            else:
                return ""
        return reason
