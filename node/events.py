"""Name what can happen to a peer as a whole, beyond what its two halves know of."""

from msgspec import Struct

from ..ring.events import RingEvent
from ..ring.messages import RingMessage
from ..ring.terms import PeerId
from ..scheduling.events import SchedulingEvent
from ..scheduling.messages import SchedulingMessage
from ..scheduling.status import Condition
from .wire.replies import ClientReply
from .wire.requests import ClientRequest


class PeerSpoke(Struct, frozen=True, kw_only=True):
    """A message of another peer has arrived and was understood."""

    sender: PeerId
    message: RingMessage | SchedulingMessage


class ClientAsked(Struct, frozen=True, kw_only=True):
    """A client's question has arrived; `route` leads back to it and `request` is its own name for the question."""

    route: bytes
    request: str
    question: ClientRequest


class PeerStarted(Struct, frozen=True, kw_only=True):
    """Sockets and disk are ready; the peer joins through `seeds`, or stands alone."""

    seeds: tuple[str, ...]


class LookedAtDisk(Struct, frozen=True, kw_only=True):
    """The question of a `LookAtDisk` can be answered."""

    route: bytes
    request: str
    reply: ClientReply


class DiskMeasured(Struct, frozen=True, kw_only=True):
    """The disk of a `MeasureDisk` was measured: bytes by name."""

    route: bytes
    request: str
    values: dict[str, float]


class KnockDue(Struct, frozen=True, kw_only=True):
    """It is time to knock at a silent peer once more."""

    peer: PeerId


class Knocked(Struct, frozen=True, kw_only=True):
    """A knock has shown how a silent peer is."""

    peer: PeerId
    condition: Condition


NodeEvent = (
    LookedAtDisk
    | DiskMeasured
    | Knocked
    | KnockDue
    | RingEvent
    | SchedulingEvent
    | PeerSpoke
    | ClientAsked
    | PeerStarted
)
