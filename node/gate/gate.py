"""Be the edge of a peer on strings: the plain parts, each behind something that can spoil it on order.

SetLinks    transport (messages), passage (bulk)        SetDisk     store, chunks, hands (files of user code)
SetTracker  tracker (effects of that role)              SetClock    clock
SlowWork    hands (processes of user code)              Describe    tally, hands
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

from ...ring.errors import CallerError
from ...ring.terms import Member, PeerId
from ..edge import Edge, Members, Perform
from ..effects import NodeEffect
from ..executor.hosting.pool import Deliver, ExecutorPool
from ..storage.store import Foretold, Outcomes, StoreSettings
from ..transport.control import Arrivals
from ..transport.shelves import Shelf
from .clock import OffsetClock
from .disk import FaultyDisk, GatedChunks, GatedShelf, GatedStore
from .hands import Hands
from .neighbours import Neighbours
from .orders import (
    Answer,
    Condition,
    Describe,
    DiskState,
    Done,
    LinkRule,
    Order,
    Refused,
    SetClock,
    SetDisk,
    SetLinks,
    SetTracker,
    SlowWork,
)
from .passage import GatedPassage
from .rules import read_rules
from .tally import CountedShelf, Tally
from .tracker import TrackerSilence
from .transport import GatedTransport


class Gate(Edge):
    """The edge of a peer that obeys a puppet master; without an order it does nothing but count."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._name = ""
        self._tally = Tally()
        self._neighbours = Neighbours()
        self._clock = OffsetClock()
        self._passage = GatedPassage(self._neighbours)
        self._disk = FaultyDisk()
        self._hands = Hands()
        self._tracker = TrackerSilence()
        self._transport: GatedTransport | None = None
        self._store: GatedStore | None = None
        self._perform: Perform | None = None

    # --- the edge of the peer ---

    def clock(self) -> OffsetClock:
        """Give the clock by which the machine lives."""
        return self._clock

    def passage(self) -> GatedPassage:
        """Give the way by which bulk transfers come in."""
        return self._passage

    def transport(
        self, listen_url: str, on_frames: Callable[[Arrivals], None], on_link_broken: Callable[[str], None]
    ) -> GatedTransport:
        """Open the control sockets."""
        self._transport = GatedTransport(
            listen_url, on_frames, on_link_broken, neighbours=self._neighbours, tally=self._tally, rng=self._rng
        )
        return self._transport

    def store(
        self,
        directory: Path,
        settings: StoreSettings,
        deliver: Callable[[Outcomes], None],
        foretell: Callable[[Foretold], None],
    ) -> GatedStore:
        """Open the store of keys."""
        self._store = GatedStore(directory, settings, deliver, self._disk, foretell)
        return self._store

    def chunks(self, directory: Path) -> GatedChunks:
        """Open the store of chunks."""
        return GatedChunks(directory, self._disk)

    def shelf(self, shelf: Shelf) -> CountedShelf:
        """Give what the bulk server serves from."""
        return CountedShelf(GatedShelf(shelf, self._disk), self._tally)

    def pool(self, slots: int, directory: Path, deliver: Deliver) -> ExecutorPool:
        """Make ready for user code."""
        return self._hands.pool(slots, directory, deliver)

    def joined(self, me: Member, members: Members, perform: Perform) -> None:
        """Learn who the peer is, whom it knows, and who carries out its effects."""
        self._name = me.name
        self._neighbours.meet(members)
        self._tracker.meet(PeerId(me.id))
        self._perform = perform

    def let_out(self, effects: list[NodeEffect]) -> list[NodeEffect]:
        """Give those of the machine's effects that are to be carried out now."""
        return self._tracker.let_out(effects)

    # --- orders ---

    def obey(self, order: Order) -> Answer:
        """Carry out an order."""
        match order:
            case SetLinks(rules=rules):
                return self._set_links(rules)
            case SetDisk():
                self._set_disk(order)
            case SetTracker(frozen=frozen):
                self._set_tracker(frozen=frozen)
            case SetClock(offset_s=offset_s):
                self._clock.offset_s = offset_s
            case SlowWork(seconds=seconds):
                self._hands.pause(seconds)
            case Describe():
                return self._describe()
            case _:
                assert_never(order)
        return Done()

    def lift_all(self) -> None:
        """End all faults."""
        for order in (SetLinks(()), SetDisk(), SetTracker(frozen=False), SetClock(0.0)):
            self.obey(order)
        self._hands.resume()

    def _set_links(self, rules: tuple[LinkRule, ...]) -> Answer:
        try:
            read = read_rules(rules)
        except CallerError as error:
            return Refused(reason=str(error)[:1024])
        self._passage.order(read)
        if self._transport is not None:
            self._transport.order(read)
        return Done()

    def _set_disk(self, order: SetDisk) -> None:
        self._disk.order(order)
        self._hands.let_write(allowed=order.state is DiskState.OK)
        if self._store is not None:
            self._store.hurry()

    def _set_tracker(self, *, frozen: bool) -> None:
        self._tracker.frozen = frozen
        if not frozen and self._perform is not None:
            self._perform(self._tracker.take_held())

    def _describe(self) -> Condition:
        tally = self._tally
        return Condition(
            name=self._name,
            executors=tuple(self._hands.processes)[:4096],
            tracker_frozen=self._tracker.frozen,
            messages_out=tally.messages_out,
            bytes_out=tally.bytes_out,
            messages_in=tally.messages_in,
            bytes_in=tally.bytes_in,
            bulk_bytes_out=tally.bulk_bytes_out,
            dropped=tally.dropped,
            held=len(self._tracker),
        )
