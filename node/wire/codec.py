"""Encode and decode every frame that crosses a socket; whatever does not fit its type is a `RemoteError`.

A frame is one msgpack array: the kind of frame, the protocol's version, whose it is, and the message, which is an
array too, headed by its type's name. The kinds tell apart what arrives at one socket: peers and clients share a port.
"""

from typing import Annotated, Final, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from ...ring.errors import CallerError, RemoteError
from ...ring.facts import Count
from ...ring.messages import RingMessage
from ...ring.terms import Id, PeerId
from ...scheduling.messages import SchedulingMessage
from .bulk import BulkReply, BulkRequest
from .limits import CONTROL_FRAME_BYTES_MAX, MESSAGE_BYTES_MAX
from .replies import ClientReply
from .requests import ClientRequest

PROTOCOL: Final = 1
"""Version of all that is spoken between processes; it grows with every change that an older one would misread."""


PIECE_BYTES: Final = 1 << 20
"""What one piece of a large message carries."""

PIECES_MAX: Final = -(-MESSAGE_BYTES_MAX // PIECE_BYTES)


class PeerFrame(Struct, frozen=True, array_like=True, tag="peer"):
    """A message of another peer to `recipient`, empty where the sender knows an address but not yet who is there.

    An address may be used again by another peer, which must not take what was meant for the one before it.
    """

    protocol: int
    sender: Annotated[PeerId, Meta(pattern="^[0-9a-f]{32}$")]
    recipient: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")]
    message: RingMessage | SchedulingMessage


class PieceFrame(Struct, frozen=True, array_like=True, tag="piece"):
    """The piece at `place`, of `count`, of a frame of `sender` that is larger than one may be; `number` names it."""

    protocol: int
    sender: Annotated[PeerId, Meta(pattern="^[0-9a-f]{32}$")]
    recipient: Annotated[str, Meta(pattern="^([0-9a-f]{32})?$")]
    number: Count
    place: Annotated[int, Meta(ge=0, lt=PIECES_MAX)]
    count: Annotated[int, Meta(ge=2, le=PIECES_MAX)]
    content: Annotated[bytes, Meta(max_length=PIECE_BYTES)]


class ClientFrame(Struct, frozen=True, array_like=True, tag="client"):
    """A question of a client; `request` is the client's own name for it and comes back with the reply."""

    protocol: int
    request: Id
    question: ClientRequest


class ReplyFrame(Struct, frozen=True, array_like=True, tag="reply"):
    """A peer's answer to a client."""

    protocol: int
    request: Id
    reply: ClientReply


class BulkRequestFrame(Struct, frozen=True, array_like=True, tag="fetch"):
    """A question to a bulk server; `number` comes back with the reply."""

    protocol: int
    number: Count
    request: BulkRequest


class BulkReplyFrame(Struct, frozen=True, array_like=True, tag="bytes"):
    """The answer of a bulk server; the bytes, if any, are a frame of their own."""

    protocol: int
    number: Count
    reply: BulkReply


class _Head(Struct, frozen=True, array_like=True):
    """What frames of all versions have in common."""

    kind: str
    protocol: int


Frame = PeerFrame | PieceFrame | ClientFrame | ReplyFrame | BulkRequestFrame | BulkReplyFrame
FrameT = TypeVar("FrameT", bound=Frame)

_ENCODER = Encoder()
_INCOMING: Decoder[PeerFrame | PieceFrame | ClientFrame] = Decoder(PeerFrame | PieceFrame | ClientFrame)
_PEER = Decoder(PeerFrame)
_CLIENT = Decoder(ClientFrame)
_REPLY = Decoder(ReplyFrame)
_BULK_REQUEST = Decoder(BulkRequestFrame)
_BULK_REPLY = Decoder(BulkReplyFrame)
_HEAD = Decoder(_Head)

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)
"""All that the decoder raises on bytes that are not what they should be; nesting without end among them."""


def encode_peer(sender: PeerId, recipient: str, message: RingMessage | SchedulingMessage) -> bytes:
    """Wrap a message to another peer, or to whoever is at an address if `recipient` is empty.

    It may be too large for one frame: see `pieces_of`.

    Raises:
        CallerError: the message is larger than any may be.
    """
    return _encode(PeerFrame(PROTOCOL, sender, recipient, message), MESSAGE_BYTES_MAX)


def pieces_of(sender: PeerId, recipient: str, frame: bytes, number: int) -> list[bytes]:
    """Cut a wrapped message into frames that a peer takes; most are one already."""
    if len(frame) <= CONTROL_FRAME_BYTES_MAX:
        return [frame]
    contents = [frame[begin : begin + PIECE_BYTES] for begin in range(0, len(frame), PIECE_BYTES)]
    count = len(contents)
    return [
        _encode(PieceFrame(PROTOCOL, sender, recipient, number, place, count, content))
        for place, content in enumerate(contents)
    ]


def decode_peer(frame: bytes) -> tuple[PeerId, RingMessage | SchedulingMessage]:
    """Unwrap a message of another peer.

    Raises:
        RemoteError: the frame is not one, or of another protocol version.
    """
    opened = _decode(_PEER, frame, MESSAGE_BYTES_MAX)
    return opened.sender, opened.message


def encode_request(request: str, question: ClientRequest) -> bytes:
    """Wrap a client's question under the client's own name for it.

    Raises:
        CallerError: the question is larger than a frame may be.
    """
    return _encode(ClientFrame(PROTOCOL, request, question))


def decode_request(frame: bytes) -> tuple[str, ClientRequest]:
    """Unwrap a client's question.

    Raises:
        RemoteError: the frame is not one, or of another protocol version.
    """
    opened = _decode(_CLIENT, frame)
    return opened.request, opened.question


def decode_incoming(frame: bytes) -> PeerFrame | PieceFrame | ClientFrame:
    """Unwrap what arrives at a peer's control socket, be it of a peer or of a client.

    Raises:
        RemoteError: the frame is neither, or of another protocol version.
    """
    return _decode(_INCOMING, frame)


def encode_reply(request: str, reply: ClientReply) -> bytes:
    """Wrap a reply to a client.

    Raises:
        CallerError: the reply is larger than any message may be.
    """
    return _encode(ReplyFrame(PROTOCOL, request, reply), MESSAGE_BYTES_MAX)


def decode_reply(frame: bytes) -> tuple[str, ClientReply]:
    """Unwrap a reply of a peer: the client's name for the question, and the answer.

    Raises:
        RemoteError: the frame is not one, or of another protocol version.
    """
    opened = _decode(_REPLY, frame, MESSAGE_BYTES_MAX)
    return opened.request, opened.reply


def encode_bulk_request(number: int, request: BulkRequest) -> bytes:
    """Wrap a question to a bulk server."""
    return _encode(BulkRequestFrame(PROTOCOL, number, request))


def decode_bulk_request(frame: bytes) -> tuple[int, BulkRequest]:
    """Unwrap a question to a bulk server.

    Raises:
        RemoteError: the frame is not one, or of another protocol version.
    """
    opened = _decode(_BULK_REQUEST, frame)
    return opened.number, opened.request


def encode_bulk_reply(number: int, reply: BulkReply) -> bytes:
    """Wrap the header of a bulk server's answer."""
    return _encode(BulkReplyFrame(PROTOCOL, number, reply))


def decode_bulk_reply(frame: bytes) -> tuple[int, BulkReply]:
    """Unwrap the header of a bulk server's answer.

    Raises:
        RemoteError: the frame is not one, or of another protocol version.
    """
    opened = _decode(_BULK_REPLY, frame)
    return opened.number, opened.reply


def _encode(frame: Frame, bytes_max: int = CONTROL_FRAME_BYTES_MAX) -> bytes:
    encoded = _ENCODER.encode(frame)
    if len(encoded) > bytes_max:
        raise CallerError(f"a message of {len(encoded)} bytes is over the limit of {bytes_max}; make it smaller")
    return encoded


def _decode(decoder: Decoder[FrameT], frame: bytes, bytes_max: int = CONTROL_FRAME_BYTES_MAX) -> FrameT:
    if len(frame) > bytes_max:
        raise RemoteError(f"refused a frame of {len(frame)} bytes; the limit is {bytes_max}")
    try:
        opened = decoder.decode(frame)
    except _UNREADABLE as error:
        _refuse(frame, error)
    if opened.protocol != PROTOCOL:
        _refuse_version(opened.protocol)
    return opened


def _refuse(frame: bytes, error: Exception) -> NoReturn:
    """Say why a frame is refused; a newer version is a better reason than what the newer version put in."""
    try:
        head = _HEAD.decode(frame)
    except _UNREADABLE:
        head = None
    if head is not None and head.protocol != PROTOCOL:
        _refuse_version(head.protocol)
    reason = " ".join(str(error).split())[:200]
    raise RemoteError(f"refused a frame of {len(frame)} bytes: {reason}") from error


def _refuse_version(protocol: int) -> NoReturn:
    raise RemoteError(f"the other side speaks protocol {protocol}, this one {PROTOCOL}; run one version everywhere")
