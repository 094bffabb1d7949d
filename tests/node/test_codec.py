"""The codec: what goes in comes out, and nothing but `RemoteError` comes of anything else."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.wire import codec
from murmuration.node.wire.bulk import ChunkCut, CutChunk, Fetch, Fetched, Locate, Located, Unavailable
from murmuration.node.wire.limits import CONTROL_FRAME_BYTES_MAX
from murmuration.node.wire.replies import KeyGot, Refused
from murmuration.node.wire.requests import GetKey, Hello, PutKey
from murmuration.ring.errors import CallerError, RemoteError
from murmuration.ring.facts import Ballot, Dot, Liveness, Sibling, Update, Versions
from murmuration.ring.messages import Gossip, Ping, Promised, StoreVersions
from murmuration.ring.terms import Member, PeerId
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.messages import Account, Attempt, Claim, ClaimNews, Stage

ME = PeerId("ab" * 16)
OTHER = "b" * 32
MEMBER = Member(id=ME, name="a", url="tcp://127.0.0.1:1", bulk_url="tcp://127.0.0.1:2", host="h", directory="/d")
VERSIONS = Versions(seen={"a": 3}, siblings=(Sibling(Dot("a", 3), b"value"), Sibling(Dot("a", 2), None)))
PEER_MESSAGES = [
    Ping(7, ME, (Update(MEMBER, Liveness.SUSPECT, 1 << 20),)),
    Gossip((Update(MEMBER, Liveness.ALIVE, 0),)),
    StoreVersions("r1", b"key", VERSIONS, ME),
    Promised("r2", Ballot(1, "a"), Ballot(2, "b"), None, None),
    ClaimNews("0" * 16, (Claim(Phase.MAP, 3, Attempt(ME, 1, 2), Account(Stage.RUNNING, 0.5)),)),
]
VALID = [
    *(codec.encode_peer(ME, OTHER, message) for message in PEER_MESSAGES),
    codec.encode_request("q", PutKey(b"k", b"v")),
    codec.encode_request("q", GetKey(b"k")),
]
DECODERS = [
    codec.decode_incoming,
    codec.decode_peer,
    codec.decode_request,
    codec.decode_reply,
    codec.decode_bulk_request,
    codec.decode_bulk_reply,
]


@pytest.mark.parametrize("message", PEER_MESSAGES, ids=lambda message: type(message).__name__)
def test_peer_message_encoded_and_decoded_is_itself(message):
    assert codec.decode_peer(codec.encode_peer(ME, OTHER, message)) == (ME, message)


def test_client_question_and_reply_encoded_and_decoded_are_themselves():
    question, reply = PutKey(b"k", None), KeyGot((b"a", b"b"), {"x": 1}, 3, 2)
    assert codec.decode_request(codec.encode_request("q7", question)) == ("q7", question)
    assert codec.decode_reply(codec.encode_reply("q7", reply)) == ("q7", reply)


@pytest.mark.parametrize("request_", [Fetch("chunk/00", 5, 9), Locate("share/1"), CutChunk("chunk/00", 100)])
def test_bulk_request_encoded_and_decoded_is_itself(request_):
    assert codec.decode_bulk_request(codec.encode_bulk_request(3, request_)) == (3, request_)


@pytest.mark.parametrize("reply", [Fetched(), Located(5, "h", "/p", 1), ChunkCut(((0, 0), (9, 2))), Unavailable("no")])
def test_bulk_reply_encoded_and_decoded_is_itself(reply):
    assert codec.decode_bulk_reply(codec.encode_bulk_reply(4, reply)) == (4, reply)


def test_incoming_frames_of_peers_and_clients_are_told_apart():
    peer = codec.decode_incoming(codec.encode_peer(ME, OTHER, PEER_MESSAGES[0]))
    client = codec.decode_incoming(codec.encode_request("q", Hello()))
    assert isinstance(peer, codec.PeerFrame)
    assert (peer.sender, peer.message) == (ME, PEER_MESSAGES[0])
    assert isinstance(client, codec.ClientFrame)
    assert (client.request, client.question) == ("q", Hello())


def test_frame_is_plain_msgpack_that_any_language_reads():
    assert msgpack.unpackb(codec.encode_request("q", PutKey(b"k", b"v")))[:3] == ["client", 1, "q"]
    assert msgpack.unpackb(codec.encode_peer(ME, OTHER, PEER_MESSAGES[2])) == [
        "peer",
        1,
        ME,
        OTHER,
        ["StoreVersions", "r1", b"key", [{"a": 3}, [[["a", 3], b"value", 0], [["a", 2], None, 0]]], ME],
    ]


def test_frame_of_another_protocol_is_refused_in_one_line_that_says_so():
    newer = [msgpack.packb(["peer", 2, "shape", "unknown", "here"]), codec.encode_peer(ME, OTHER, PEER_MESSAGES[0])]
    newer[1] = newer[1].replace(b"\xa4peer\x01", b"\xa4peer\x02")
    for frame in newer:
        with pytest.raises(RemoteError, match=r"^the other side speaks protocol 2, this one 1; [^\n]+$"):
            codec.decode_incoming(frame)


def test_frame_over_the_limit_is_refused_at_both_ends():
    with pytest.raises(CallerError, match="over the limit"):
        codec.encode_reply("q", KeyGot(tuple(b"x" * (1 << 20) for _ in range(17)), {}, 3, 2))
    with pytest.raises(RemoteError, match="the limit is"):
        codec.decode_incoming(b"\x00" * (CONTROL_FRAME_BYTES_MAX + 1))


@pytest.mark.parametrize("nest", [b"\x91", b"\x81\xa1a"], ids=["arrays", "maps"])
@pytest.mark.parametrize("decode", DECODERS)
def test_endless_nesting_is_refused(decode, nest):
    depth = (CONTROL_FRAME_BYTES_MAX - 100) // len(nest)
    for head in (b"", msgpack.packb(["peer", 1, ME, OTHER, 0, 0])[:-2]):
        with pytest.raises(RemoteError):
            decode(head + nest * depth + b"\xc0")


def test_value_beyond_its_bounds_is_refused():
    frames = [
        codec.encode_peer(PeerId("no id"), OTHER, PEER_MESSAGES[0]),
        codec.encode_request("q", GetKey(b"")),
        codec.encode_request("q", GetKey(b"k", patience_s=float("nan"))),
        codec.encode_request("q" * 65, Hello()),
        codec.encode_request("q", Hello()) + b"\x00",
        codec.encode_reply("q", Refused("kind", "reason")),
        b"\xdd\xff\xff\xff\xff",
        msgpack.packb(["client", 1, "q", ["Hello"]], use_bin_type=True).replace(b"\xa1q", b"\xa1\xff"),
    ]
    for frame in frames:
        with pytest.raises(RemoteError):
            codec.decode_incoming(frame)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_understood_but_never_raise_another_error(frame):
    for decode in DECODERS:
        _decoded_or_refused(decode, frame)


@given(st.sampled_from(VALID), st.data())
def test_mutated_frame_is_refused_or_understood_but_never_raises_another_error(frame, data):
    mutable = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(mutable) - 1))
        mutable[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        mutable = mutable or bytearray(b"\x00")
    for decode in DECODERS:
        _decoded_or_refused(decode, bytes(mutable))


def _decoded_or_refused(decode, frame):
    try:
        decode(frame)
    except RemoteError as error:
        assert "\n" not in str(error)
