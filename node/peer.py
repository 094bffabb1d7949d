"""Run one peer in this process: open its disk and sockets, then feed events to its machine until told to stop."""

import asyncio
import random
import secrets
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor

from ..ring.errors import RemoteError
from ..ring.events import LeaveRequested, LinkBroke
from ..ring.operations import StoreOutcome
from ..ring.terms import REFUTATION_BITS, Instant, Member, PeerId
from .attempts import Attempts
from .config import PeerConfig
from .events import ClientAsked, NodeEvent, PeerSpoke, PeerStarted
from .executor.pool import ExecutorPool
from .executor.tasks import ExecutorWord
from .fetching import Fetcher
from .machine import Node
from .performer import Performer
from .shelf import PeerShelf
from .storage.chunks import ChunkStore
from .storage.identity import open_identity
from .storage.store import Store
from .transport.bulk_server import BulkServer
from .transport.control import ControlTransport
from .transport.host import host_id
from .wire.codec import ClientFrame, PeerFrame, decode_incoming

TRANSFERS_AT_ONCE = 8
"""Chunks and inputs moved at once: enough to hide latency, few enough to leave cores to user code."""


class Peer:
    """A peer from the opening of its directory to its end."""

    def __init__(self, config: PeerConfig, version: str) -> None:
        """Open disk and sockets.

        Raises:
            CallerError: the address may not be bound, or the directory belongs to a running peer.
            WorldError: the port is taken, or the disk refuses.
        """
        self._loop = asyncio.get_running_loop()
        self._config = config
        self._inbox: deque[NodeEvent] = deque()
        self.refused_frames: Counter[str] = Counter()
        self._transport = ControlTransport(config.listen, self._from_sockets, self._link_broken)
        self._identity = open_identity(config.directory, config.name)
        self._threads = ThreadPoolExecutor(TRANSFERS_AT_ONCE, thread_name_prefix="transfer")
        self._chunks = ChunkStore(config.directory / "chunks")
        self._store = Store(config.directory / "store", config.store, self._from_store)
        self._bulk = BulkServer(PeerShelf(config.directory, self._chunks))
        self.me = self._introduce()
        incarnation = self._identity.start << REFUTATION_BITS
        self._node = Node(self.me, incarnation, config.machine_settings(), random.Random(secrets.randbits(64)), version)
        self._pool = ExecutorPool(config.workers, config.directory, self._from_executor)
        self._attempts = Attempts(self.me, self._pool, Fetcher(self._chunks), self._threads, self.feed)
        self._performer = Performer(
            PeerId(self.me.id), self._transport, self._store, self._chunks, self._attempts, self._threads, self.feed
        )

    def start(self) -> None:
        """Join through the configured addresses, or stand alone."""
        self.feed(PeerStarted(seeds=self._config.join))

    def feed(self, event: NodeEvent) -> None:
        """Hand an event to the machine and carry out what it asks for; events that this causes wait their turn."""
        self._inbox.append(event)
        if len(self._inbox) > 1:
            return
        while self._inbox:
            self._performer.perform(self._node.handle(Instant(self._loop.time()), self._inbox[0]))
            self._inbox.popleft()

    async def stop(self) -> None:
        """Tell the others, end all user code, and close everything in an order that loses nothing."""
        self.feed(LeaveRequested())
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
                self.refused_frames[str(error)[:80]] += 1
                continue
            match incoming:
                case PeerFrame(recipient=recipient) if recipient not in ("", self.me.id):
                    self.refused_frames["meant for another peer that had this address"] += 1
                case PeerFrame(sender=sender, message=message):
                    self.feed(PeerSpoke(sender=sender, message=message))
                case ClientFrame(request=request, question=question):
                    self.feed(ClientAsked(route=route, request=request, question=question))

    def _link_broken(self, url: str) -> None:
        for peer, update in self._node.ring.members.items():
            if update.member.url == url:
                self.feed(LinkBroke(peer=peer))
                return

    def _from_store(self, outcomes: list[tuple[int, StoreOutcome]]) -> None:
        self._loop.call_soon_threadsafe(self._performer.stored, outcomes)

    def _from_executor(self, word: ExecutorWord) -> None:
        self._attempts.heard(word)
