"""Run one peer in this process: open its disk and sockets, then feed events to its machine until told to stop."""

import asyncio
import logging
import random
import secrets
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..ring.effects import DiskOld, Parted, Usurped
from ..ring.errors import RemoteError, WorldError
from ..ring.events import LeaveRequested, LinkBroke, StopRequested
from ..ring.facts import Standing
from ..ring.outcomes import StoreOutcome, VersionsMerged
from ..ring.terms import REFUTATION_BITS, Member, PeerId
from ..scheduling.events import LeftoversFound
from .attempts import Attempts
from .config import PeerConfig
from .edge import Edge
from .events import ClientAsked, NodeEvent, PeerSpoke, PeerStarted
from .executor.tasks import ExecutorWord
from .fetching import Fetcher
from .machine import Node
from .performer import Performer
from .shelf import PeerShelf
from .storage.identity import (
    SHORT_NAME_DIGITS,
    note_parting,
    open_identity,
    outdated_place,
    parting_line,
    renew_identity,
)
from .transport.bulk_server import BulkServer
from .transport.host import host_id
from .wire.codec import ClientFrame, PeerFrame, PieceFrame, decode_incoming, decode_peer
from .wire.pieces import Pieces

LOG = logging.getLogger("murmuration.node")

TRANSFERS_AT_ONCE = 8
"""Chunks and inputs moved at once: enough to hide latency, few enough to leave cores to user code."""

REASONS_MAX = 64
"""Reasons that refused frames are counted by; those of further kinds share one count."""


class Peer:
    """A peer from the opening of its directory to its end."""

    def __init__(self, config: PeerConfig, version: str, edge: Edge | None = None) -> None:
        """Open disk and sockets, as `edge` makes them; the plain ones by default.

        Raises:
            CallerError: the address may not be bound, or the directory belongs to a running peer.
            WorldError: the port is taken, or the disk refuses.
        """
        self._loop = asyncio.get_running_loop()
        self._config = config
        self._edge = edge = edge or Edge()
        self._clock = edge.clock()
        self._inbox: deque[NodeEvent] = deque()
        self.refused_frames: Counter[str] = Counter()
        self._pieces = Pieces()
        self.usurped: asyncio.Future[str] = self._loop.create_future()
        """Done, with the reason, once this process may not go on: another has its place, or its peer was removed."""
        self.left: asyncio.Future[None] = self._loop.create_future()
        """Done once this peer has left: others keep all that it kept, and it may end."""
        self._transport = edge.transport(config.listen, self._from_sockets, self._link_broken)
        self._identity = open_identity(config.directory, config.name)
        self._threads = ThreadPoolExecutor(TRANSFERS_AT_ONCE, thread_name_prefix="transfer")
        self._chunks = edge.chunks(config.directory / "chunks")
        self._store = edge.store(config.directory / "store", config.store, self._from_store, self._from_draft)
        self._bulk = BulkServer(edge.shelf(PeerShelf(config.directory, self._chunks)))
        self.me = self._introduce()
        incarnation = self._identity.start << REFUTATION_BITS
        self._node = Node(
            self.me,
            incarnation,
            config.machine_settings(),
            random.Random(secrets.randbits(64)),
            version,
            self._identity.recorded,
        )
        self._pool = edge.pool(config.workers, config.directory, self._from_executor)
        passage = edge.passage()
        self._attempts = Attempts(self.me, self._pool, Fetcher(self._chunks, passage), self._threads, self.feed)
        self._performer = Performer(
            me=self.me,
            clock=self._clock,
            transport=self._transport,
            store=self._store,
            chunks=self._chunks,
            passage=passage,
            attempts=self._attempts,
            threads=self._threads,
            emit=self.feed,
            end=self._give_way,
        )
        edge.joined(self.me, lambda: self._node.ring.members, self._performer.perform)

    def start(self) -> None:
        """Join through the configured addresses, or stand alone."""
        self.feed(PeerStarted(seeds=self._config.join))
        if left := self._attempts.jobs_left():
            self.feed(LeftoversFound(jobs=left))

    def feed(self, event: NodeEvent) -> None:
        """Hand an event to the machine and carry out what it asks for; events that this causes wait their turn."""
        self._inbox.append(event)
        if len(self._inbox) > 1:
            return
        while self._inbox:
            effects = self._node.handle(self._clock.now(), self._inbox[0])
            self._performer.perform(self._edge.let_out(effects))
            self._inbox.popleft()

    @property
    def is_new(self) -> bool:
        """Whether this is the first start on its directory."""
        return self._identity.recorded == 0

    @property
    def standing(self) -> Standing:
        """Where this peer is between joining and removal."""
        return self._node.ring.members[PeerId(self.me.id)].standing

    def leave(self) -> bool:
        """Begin to hand over all that this peer keeps, see `left`; False where nobody could take it over."""
        self.feed(LeaveRequested())
        return self.standing in (Standing.LEAVING, Standing.REMOVED)

    async def stop(self) -> None:
        """Tell the others, end all user code, and close everything in an order that loses nothing."""
        self.feed(StopRequested())
        await self._pool.close()
        self._transport.close()
        self._bulk.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._store.close()
        self._chunks.close()
        self._identity.close()

    def _introduce(self) -> Member:
        config = self._config
        return Member(
            id=self._identity.peer_id,
            name=self._identity.name,
            url=self._transport.url,
            bulk_url=self._bulk.url,
            host=host_id(),
            directory=str(config.directory.resolve()),
            zone=config.zone,
            weight=config.weight,
            workers=config.workers,
        )

    def _from_sockets(self, frames: list[tuple[bytes, bytes]]) -> None:
        for route, frame in frames:
            try:
                incoming = decode_incoming(frame)
            except RemoteError as error:
                self._refuse(str(error)[:80])
                continue
            match incoming:
                case PeerFrame(recipient=recipient) | PieceFrame(recipient=recipient) if recipient not in (
                    "",
                    self.me.id,
                ):
                    self._refuse("meant for another peer that had this address")
                case PieceFrame() as piece:
                    self._take_piece(piece)
                case PeerFrame(sender=sender, message=message):
                    self.feed(PeerSpoke(sender=sender, message=message))
                case ClientFrame(request=request, question=question):
                    self.feed(ClientAsked(route=route, request=request, question=question))

    def _take_piece(self, piece: PieceFrame) -> None:
        whole = self._pieces.take(piece)
        if whole is None:
            return
        try:
            sender, message = decode_peer(whole)
        except RemoteError as error:
            self._refuse(str(error)[:80])
        else:
            self.feed(PeerSpoke(sender=sender, message=message))

    def _refuse(self, reason: str) -> None:
        is_counted = reason in self.refused_frames or len(self.refused_frames) < REASONS_MAX
        self.refused_frames[reason if is_counted else "other reasons"] += 1

    def _link_broken(self, url: str) -> None:
        for peer, update in self._node.ring.members.items():
            if update.member.url == url and update.standing is not Standing.REMOVED:
                self.feed(LinkBroke(peer=peer))
                return

    def _give_way(self, why: Usurped | DiskOld | Parted) -> None:
        """Note that this process must end; an old disk is made a new peer's before, so that its id never comes back."""
        if self.usurped.done() or self.left.done():
            return
        match why:
            case Usurped(reason=reason):
                self.usurped.set_result(reason)
            case Parted(by_others=by_others):
                self._note_parting()
                if by_others:
                    self.usurped.set_result(parting_line(self.me.name, self._config.directory))
                else:
                    self.left.set_result(None)
            case DiskOld():
                old, new = self.me.id[:SHORT_NAME_DIGITS], renew_identity(self._config.directory)[:SHORT_NAME_DIGITS]
                aside = outdated_place(self._config.directory, PeerId(self.me.id))
                self.usurped.set_result(
                    f"{self._config.directory} is an old copy: the others know a later start of peer {self.me.name} "
                    f"({old}). Start it again: it joins as the new peer {new}, and what the directory holds is moved "
                    f"to {aside}, for it may hold what was deleted since; then take {old} out with `murmur remove`"
                )

    def _note_parting(self) -> None:
        try:
            note_parting(self._config.directory)
        except WorldError as error:  # the others will say so again at the next start
            LOG.warning("the end of the membership of %s is not noted on its disk: %s", self.me.name, error)

    def _from_store(self, outcomes: list[tuple[int, StoreOutcome]]) -> None:
        self._loop.call_soon_threadsafe(self._performer.stored, outcomes)

    def _from_draft(self, foretold: list[tuple[int, VersionsMerged]]) -> None:
        self._loop.call_soon_threadsafe(self._performer.foretold, foretold)

    def _from_executor(self, words: Sequence[ExecutorWord]) -> None:
        self._attempts.heard(words)
