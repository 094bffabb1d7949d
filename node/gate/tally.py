"""Count what passes a gate."""

from dataclasses import dataclass

from ..transport.shelves import Shelf, Stretch


@dataclass(slots=True)
class Tally:
    """Messages between peers, with the bytes of their frames, and bytes that the bulk server has given out.

    `dropped` are messages that the gate took off their way; what clients say and hear is not counted.
    """

    messages_out: int = 0
    bytes_out: int = 0
    messages_in: int = 0
    bytes_in: int = 0
    bulk_bytes_out: int = 0
    dropped: int = 0


class CountedShelf:
    """What a peer's bulk server serves from, counted as it goes out."""

    def __init__(self, shelf: Shelf, tally: Tally) -> None:
        self._shelf = shelf
        self._tally = tally

    def locate(self, ref: str) -> Stretch:
        """Tell where the bytes lie.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here.
        """
        return self._shelf.locate(ref)

    def read(self, ref: str, offset: int, length: int) -> bytes:
        """Read a range, shorter only at the end.

        Raises:
            Corrupt: they are here, but damaged.
            WorldError: they are not here, or cannot be read.
        """
        found = self._shelf.read(ref, offset, length)
        self._tally.bulk_bytes_out += len(found)
        return found
