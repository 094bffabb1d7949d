"""Make the parts by which a peer touches the world: its clock, sockets, disk and processes of user code.

A peer that a puppet master has started gets a gate in place of this plain edge; nothing else in the peer differs.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..ring.facts import Update
from ..ring.terms import Member, PeerId
from .clock import Clock, LoopClock
from .effects import NodeEffect
from .executor.hosting.pool import Deliver, ExecutorPool
from .storage.chunks import ChunkStore
from .storage.store import Foretold, Outcomes, Store, StoreSettings
from .transport.control import Arrivals, ControlTransport
from .transport.passage import FREE, Passage
from .transport.shelves import Shelf

Members = Callable[[], Mapping[PeerId, Update]]
"""Gives the member table as it is; to look at only."""

Perform = Callable[[Iterable[NodeEffect]], None]


class Edge:
    """The plain parts. Made and used inside a running event loop; each method is called once."""

    def clock(self) -> Clock:
        """Give the clock by which the machine lives."""
        return LoopClock()

    def passage(self) -> Passage:
        """Give the way by which bulk transfers come in."""
        return FREE

    def transport(
        self, listen_url: str, on_frames: Callable[[Arrivals], None], on_link_broken: Callable[[str], None]
    ) -> ControlTransport:
        """Open the control sockets.

        Raises:
            CallerError: the address may not be bound.
            WorldError: the port is taken.
        """
        return ControlTransport(listen_url, on_frames, on_link_broken)

    def store(
        self,
        directory: Path,
        settings: StoreSettings,
        deliver: Callable[[Outcomes], None],
        foretell: Callable[[Foretold], None],
    ) -> Store:
        """Open the store of keys.

        Raises:
            WorldError: the disk refused.
        """
        return Store(directory, settings, deliver, foretell)

    def chunks(self, directory: Path) -> ChunkStore:
        """Open the store of chunks.

        Raises:
            WorldError: the disk refused.
        """
        return ChunkStore(directory)

    def shelf(self, shelf: Shelf) -> Shelf:
        """Give what the bulk server serves from, made of what the peer has to serve."""
        return shelf

    def pool(self, slots: int, directory: Path, deliver: Deliver) -> ExecutorPool:
        """Make ready for user code."""
        return ExecutorPool(slots, directory, deliver)

    def joined(self, me: Member, members: Members, perform: Perform) -> None:
        """Learn who the peer is, whom it knows, and who carries out its effects, once it is put together."""

    def let_out(self, effects: list[NodeEffect]) -> list[NodeEffect]:
        """Give those of the machine's effects that are to be carried out now."""
        return effects
