"""Let a disk refuse writes, or fail, or be slow, at the two stores of a peer and at what it serves to others.

Files beside the stores (runs, parts, pulled inputs) are written by executors: `hands` stops those.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ...ring.errors import WorldError
from ...ring.operations import READS, Operation
from ...ring.outcomes import StoreFailed, StoreOutcome
from ..storage.chunks import ChunkStore
from ..storage.store import Foretold, Outcomes, Store, StoreSettings, Ticketed
from ..transport.shelves import Shelf, Stretch
from .lane import Lane
from .orders import DiskState, SetDisk

REFUSALS: Final = {
    DiskState.OK: "",
    DiskState.FULL: "disk full: no space left on device",
    DiskState.READONLY: "disk read-only: the file system takes no writes",
    DiskState.BROKEN: "disk broken: input/output error",
}


class FaultyDisk:
    """How the disk is now; threads wait in it."""

    def __init__(self) -> None:
        self._order = SetDisk()
        self._changed = threading.Condition()

    @property
    def refusal(self) -> str:
        """Say why writes are refused; empty while they are not."""
        return REFUSALS[self._order.state]

    def refuses(self, operation: Operation) -> bool:
        """Tell whether a store operation fails now."""
        return self.is_broken or (bool(self.refusal) and writes(operation))

    @property
    def is_broken(self) -> bool:
        """Tell whether reads fail, too."""
        return self._order.state is DiskState.BROKEN

    def check_reads(self) -> None:
        """Let a read come late, or fail.

        Raises:
            WorldError: the disk is broken.
        """
        self.pause()
        if self.is_broken:
            raise WorldError(self.refusal)

    @property
    def delay_s(self) -> float:
        """Tell how much longer each operation takes."""
        return self._order.delay_s

    def order(self, order: SetDisk) -> None:
        """Change how the disk is; whoever waits for the one before goes on at once."""
        with self._changed:
            self._order = order
            self._changed.notify_all()

    def pause(self) -> None:
        """Wait as long as an operation takes longer."""
        with self._changed:
            if self.delay_s:
                self._changed.wait(self.delay_s)


class GatedStore(Store):
    """A store of keys on a faulty disk."""

    def __init__(
        self,
        directory: Path,
        settings: StoreSettings,
        deliver: Callable[[Outcomes], None],
        disk: FaultyDisk,
        foretell: Callable[[Foretold], None] = lambda _: None,
    ) -> None:
        self._disk = disk
        self._tell = deliver
        self._slow: Lane[Ticketed] = Lane(self._carry_on)
        super().__init__(directory, settings, deliver, foretell)

    def submit(self, ticket: int, operation: Operation) -> None:
        """Queue an operation; it comes late, or fails if the disk refuses it."""
        if self._disk.delay_s or self._slow:
            self._slow.put(self._slow.now + self._disk.delay_s, (ticket, operation))
        else:
            self._carry_on((ticket, operation))

    def read_now(self, operation: Operation) -> StoreOutcome | None:
        """Give the outcome of a read at once, unless the disk is slow or refuses it."""
        is_held = self._disk.delay_s or self._slow or self._disk.refuses(operation)
        return None if is_held else super().read_now(operation)

    def hurry(self) -> None:
        """Carry out at once what a slow disk has held back."""
        self._slow.let_all_out()

    def close(self) -> None:
        """Carry out what waits, then close."""
        self.hurry()
        super().close()

    def _carry_on(self, ticketed: Ticketed) -> None:
        ticket, operation = ticketed
        if self._disk.refuses(operation):
            self._tell([(ticket, StoreFailed(reason=self._disk.refusal))])
        else:
            super().submit(ticket, operation)


class GatedChunks(ChunkStore):
    """A store of chunks on a faulty disk."""

    def __init__(self, directory: Path, disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__(directory)

    def adopt(self, digest: bytes, size: int, pieces: Iterable[bytes]) -> None:
        """Make a chunk durable, if the disk takes it.

        Raises:
            RemoteError: the pieces are not that chunk.
            WorldError: the disk refused, or the pieces could not be had.
        """
        self._disk.pause()
        if self._disk.refusal and not self._is_sound(digest):
            raise WorldError(self._disk.refusal)
        super().adopt(digest, size, pieces)

    def remove(self, digest: bytes) -> None:
        """Give up a chunk, if the disk takes it.

        Raises:
            WorldError: the disk refused.
        """
        self._disk.pause()
        if self._disk.refusal:
            raise WorldError(self._disk.refusal)
        super().remove(digest)

    def read(self, digest: bytes, offset: int, length: int) -> bytes:
        """Read a range of a chunk, late.

        Raises:
            Corrupt: it is damaged there.
            WorldError: it is not kept here, or the disk is broken.
        """
        self._disk.check_reads()
        return super().read(digest, offset, length)


class GatedShelf:
    """What a peer's bulk server serves from, on a faulty disk."""

    def __init__(self, shelf: Shelf, disk: FaultyDisk) -> None:
        self._shelf = shelf
        self._disk = disk

    def locate(self, ref: str) -> Stretch:
        """Tell where the bytes lie.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here, or the disk is broken.
        """
        self._disk.check_reads()
        return self._shelf.locate(ref)

    def read(self, ref: str, offset: int, length: int) -> bytes:
        """Read a range, shorter only at the end.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here, or the disk is broken.
        """
        self._disk.check_reads()
        return self._shelf.read(ref, offset, length)


def writes(operation: Operation) -> bool:
    """Tell whether an operation needs a disk that takes writes."""
    return not isinstance(operation, READS)
