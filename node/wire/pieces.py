"""Put the pieces of large messages together again, within bounds that hold whoever sends them."""

from dataclasses import dataclass, field
from typing import Final

from ...ring.terms import PeerId
from .codec import PieceFrame

OPEN_MAX: Final = 4
"""Messages that may be incomplete at a time, of a sender each; so 64 MiB at most wait for the rest."""


@dataclass(slots=True)
class _Parcel:
    """One message that is not complete yet."""

    number: int
    contents: list[bytes] = field(default_factory=list)


class Pieces:
    """Holds what has come of each sender's newest large message.

    The pieces of a message come in their order, for they share a connection. So a piece that is not the next one says
    that some are lost, and with them the message; who sent it asks again, as for any lost message.
    """

    def __init__(self) -> None:
        self._open: dict[PeerId, _Parcel] = {}

    def take(self, piece: PieceFrame) -> bytes | None:
        """Take in a piece, and give the whole where it was the last one."""
        parcel = self._open.pop(piece.sender, None)
        if piece.place == 0:
            parcel = _Parcel(piece.number)
        if parcel is None or (parcel.number, len(parcel.contents)) != (piece.number, piece.place):
            return None
        parcel.contents.append(piece.content)
        if piece.place + 1 == piece.count:
            return b"".join(parcel.contents)
        self._open[piece.sender] = parcel
        while len(self._open) > OPEN_MAX:
            del self._open[next(iter(self._open))]
        return None
