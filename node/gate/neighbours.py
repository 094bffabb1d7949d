"""Tell which peer a frame is of, and which peer a bulk server belongs to, by the address that link rules name."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from ...ring.errors import RemoteError
from ...ring.facts import Update
from ...ring.messages import PushPull
from ...ring.terms import PeerId
from ..edge import Members
from ..wire.codec import decode_peer
from .rules import Endpoint, endpoint_of


class _Envelope(Struct, frozen=True, array_like=True):
    """The head of a frame at a control socket; a client's frame has its own name for a question as third."""

    kind: str
    protocol: int
    sender: str


_ENVELOPE = msgspec.msgpack.Decoder(_Envelope)


def _nobody() -> Mapping[PeerId, Update]:
    return {}


class Neighbours:
    """A view on the member table; to look at only."""

    def __init__(self) -> None:
        self._members: Members = _nobody

    def meet(self, members: Members) -> None:
        """Learn where the member table is, once there is one."""
        self._members = members

    def sender_of(self, frame: bytes) -> PeerId | None:
        """Tell who sent a frame; None if it is of no peer."""
        try:
            envelope = _ENVELOPE.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None  # the peer will refuse it, and count that
        return PeerId(envelope.sender) if envelope.kind in ("peer", "piece") else None

    def home_of(self, sender: PeerId, frame: bytes) -> Endpoint:
        """Tell the address of a frame's sender; empty if that is not known."""
        update = self._members().get(sender)
        url = update.member.url if update is not None else _address_of_stranger(sender, frame)
        return endpoint_of(url)

    def home_of_server(self, bulk_url: str) -> Endpoint:
        """Tell the control address of the peer whose bulk server is there; that of a client stands for itself.

        Called in other threads than the table's: so it looks at a copy.
        """
        for update in list(self._members().values()):
            if update.member.bulk_url == bulk_url:
                return endpoint_of(update.member.url)
        return endpoint_of(bulk_url)


def _address_of_stranger(sender: PeerId, frame: bytes) -> str:
    """Read the address of a peer that is not known yet: it brings its table, itself included, when it joins."""
    try:
        message = decode_peer(frame)[1]
    except RemoteError:
        return ""
    if isinstance(message, PushPull):
        return next((update.member.url for update in message.members if update.member.id == sender), "")
    return ""
