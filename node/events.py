"""Name what can happen to a peer as a whole, beyond what its two halves know of."""

from dataclasses import dataclass

from ..ring.events import RingEvent
from ..ring.messages import RingMessage
from ..ring.terms import PeerId
from ..scheduling.events import SchedulingEvent
from ..scheduling.messages import SchedulingMessage
from ..scheduling.status import Condition
from .wire.replies import ClientReply
from .wire.requests import ClientRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSpoke:
    """A message of another peer has arrived and was understood."""

    sender: PeerId
    message: RingMessage | SchedulingMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAsked:
    """A client's question has arrived; `route` leads back to it and `request` is its own name for the question."""

    route: bytes
    request: str
    question: ClientRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStarted:
    """Sockets and disk are ready; the peer joins through `seeds`, or stands alone."""

    seeds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAtDisk:
    """The question of a `LookAtDisk` can be answered."""

    route: bytes
    request: str
    reply: ClientReply


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskMeasured:
    """The disk of a `MeasureDisk` was measured: bytes by name."""

    route: bytes
    request: str
    values: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnockDue:
    """It is time to knock at a silent peer once more."""

    peer: PeerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocked:
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
