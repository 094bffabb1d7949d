"""Strangers at the ports of a live peer: it refuses, it stays small, and it answers whoever speaks its language."""

import resource
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import pytest
import zmq
from gated_peers import until
from strangers import GREETING, LONG, READY, Stranger, claim, descriptors, resident_bytes, zmtp_frame

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.node.wire.codec import PROTOCOL, encode_request
from murmuration.node.wire.limits import BULK_REQUEST_BYTES_MAX, CONTROL_FRAME_BYTES_MAX
from murmuration.node.wire.requests import Hello
from murmuration.ring.errors import MurmurationError

pytestmark = [pytest.mark.live, pytest.mark.timeout(60), pytest.mark.xdist_group("hostile-sockets")]

MIB = 1 << 20
PROMPT_S = 1.0
"""An honest question is answered within this time whatever strangers do; a quiet peer takes some milliseconds."""
SPARE_DESCRIPTORS = 10
"""An honest client's connections come and go meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The peer under attack, an honest client of it, and the two ports that all can reach."""

    pid: int
    client: Client
    control: str
    bulk: str

    @property
    def ports(self) -> tuple[str, str]:
        return self.control, self.bulk

    def serves_promptly(self) -> bool:
        """Tell whether an honest write and read go through at once."""
        began = time.monotonic()
        value = str(began).encode()
        self.client.kv.put(b"honest", value, context=self.client.kv.get(b"honest").context)
        return self.client.kv.get(b"honest").values == (value,) and time.monotonic() - began < PROMPT_S


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with LocalCluster(peers=1, workers=0) as cluster, Client(cluster) as client:
        ((_, pid),) = cluster.processes.items()
        found = Host(pid=pid, client=client, control=cluster.urls[0], bulk=client.peers()[0].member.bulk_url)
        assert found.serves_promptly()
        yield found
        assert cluster.running(), "the peer has not lived through it"


Knock = Callable[[str], Stranger]


@pytest.fixture(autouse=True)
def knock(host: Host) -> Iterator[Knock]:
    """Connect strangers; when they have gone, the peer has all its descriptors back."""
    before = descriptors(host.pid)
    strangers: list[Stranger] = []

    def connect(url: str) -> Stranger:
        strangers.append(Stranger(url))
        return strangers[-1]

    yield connect
    for stranger in strangers:
        stranger.close()
    until(lambda: descriptors(host.pid) <= before + SPARE_DESCRIPTORS)


# --- 33: frames that are no messages ---


def peer_frame(message: bytes, sender: str = "a" * 32, protocol: bytes = b"\1") -> bytes:
    """Spell a frame of another peer, with a message that need not be one."""
    return b"\x95\xa4peer" + protocol + b"\xd9\x20" + sender.encode() + b"\xa0" + message


def question(message: bytes) -> bytes:
    return b"\x94\xa6client\1\xa1r" + message


PUT_HEAD = b"\x96\xa6PutKey\xc4\1k\xc4\1v"
PUT_TAIL = b"\x94\3\2\2\xc2\xcb" + struct.pack(">d", 5.0)
GARBAGE = {
    "nothing": b"",
    "one byte": b"\xc1",
    "nested arrays": b"\x91" * 100_000,
    "nested maps": b"\x81\1" * 100_000,
    "arrays nested in a message": peer_frame(b"\x92\xa6Gossip" + b"\x91" * 100_000),
    "arrays nested where they are skipped": question(b"\x92\xa5Hello" + b"\x91" * 100_000),
    "an extension type": peer_frame(b"\xd4\1\0"),
    "a time": question(b"\xd6\xff\0\0\0\0"),
    "2^32 elements claimed": b"\xdd\xff\xff\xff\xff",
    "2^32 pairs claimed": b"\xdf\xff\xff\xff\xff",
    "a text of 2^32 bytes claimed": peer_frame(b"\xdb\xff\xff\xff\xff"),
    "2^32 pieces of news claimed": peer_frame(b"\x92\xa6Gossip\xdd\xff\xff\xff\xff"),
    "a key that is no number": question(PUT_HEAD + b"\x81\xcb\x7f\xf8\0\0\0\0\0\0\1" + PUT_TAIL),
    "a patience that is no number": question(PUT_HEAD + b"\x80\x94\3\2\2\xc2\xcb\x7f\xf8\0\0\0\0\0\0"),
    "an integer over 63 bits": question(PUT_HEAD + b"\x81\xa1a\xcf" + b"\xff" * 8 + PUT_TAIL),
    "an integer over 64 bits": peer_frame(b"\x92\xa6Gossip\xc4\x09" + b"\xff" * 9),
    "text that is no text": question(b"\x92\xa2\xff\xfe\1"),
    "bytes left over": question(b"\x91\xa5Hello") + b"\0",
    "two messages in one": question(b"\x91\xa5Hello") * 2,
    "half a message": question(b"\x91\xa5Hello")[:-2],
    "another protocol": peer_frame(b"\x92\xa6Gossip\x90", protocol=b"\x7f"),
    "a message for nobody": peer_frame(b"\x91\xa7Nothing"),
    "a sender that is no peer": peer_frame(b"\x92\xa6Gossip\x90", sender="Z" * 32),
}


@pytest.mark.parametrize("frame", GARBAGE.values(), ids=GARBAGE)
def test_frame_that_is_no_message_gets_no_answer_and_harms_nobody(host: Host, frame: bytes) -> None:
    before = resident_bytes(host.pid)
    for url in host.ports:
        with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
            stranger.linger = 0
            stranger.connect(url)
            for _ in range(20):
                stranger.send(frame)
            stranger.send(encode_request("after", Hello()))
            if url == host.control:
                assert stranger.poll(5000), "what comes after rubbish is answered"
                (answer,) = stranger.recv_multipart()
                assert msgspec.msgpack.decode(answer)[:3] == ["reply", PROTOCOL, "after"]
            assert not stranger.poll(20)
    assert host.serves_promptly()
    assert resident_bytes(host.pid) - before < 32 * MIB


def test_repeated_key_of_a_context_counts_once(host: Host) -> None:
    doubled = question(PUT_HEAD.replace(b"\xc4\1k", b"\xc4\2kk") + b"\x82\xa1a\1\xa1a\2" + PUT_TAIL)
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.connect(host.control)
        stranger.send(doubled)
        assert stranger.poll(5000)
        assert msgspec.msgpack.decode(stranger.recv())[3][0] == "KeyPut"
    assert host.client.kv.get(b"kk").context["a"] == 2


def test_flood_of_the_largest_frames_costs_bounded_memory_and_holds_up_nobody(host: Host, knock: Knock) -> None:
    room = CONTROL_FRAME_BYTES_MAX - 64  # an element of one byte each
    legal = zmtp_frame(b"\xdd" + struct.pack(">I", room) + b"\x90" * room)
    skipped = zmtp_frame(question(b"\xdd" + struct.pack(">I", room) + b"\xa5Hello" + b"\x90" * (room - 1)))
    before = resident_bytes(host.pid)
    peak = before

    def flood(frame: bytes) -> None:
        stranger = knock(host.control).greet()
        for _ in range(150):
            stranger.say(frame)

    flooders = [threading.Thread(target=flood, args=(frame,)) for frame in (legal, skipped)]
    for flooder in flooders:
        flooder.start()
    while any(flooder.is_alive() for flooder in flooders):
        assert host.serves_promptly()
        peak = max(peak, resident_bytes(host.pid))
    assert peak - before < 400 * MIB, f"{(peak - before) // MIB} MiB more"
    assert host.serves_promptly()


# --- 34: those who say nothing, or say it slowly ---


def test_silent_connections_are_closed_and_keep_nobody_waiting(host: Host, knock: Knock) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert host.serves_promptly()
    strangers = [knock(url) for _ in range(1000) for url in host.ports]
    assert host.serves_promptly()
    assert all(stranger.is_closed_within(5.0) for stranger in strangers)


def test_silent_connections_that_take_all_descriptors_do_so_for_a_moment_only(host: Host, knock: Knock) -> None:
    limits = resource.prlimit(host.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        for _ in range(600):
            knock(host.control)
        began = time.monotonic()
        with Client(host.control) as another:
            assert another.kv.get(b"honest").values
        assert time.monotonic() - began < 6.0, "each second the silent ones give way to those behind them"
    finally:
        resource.prlimit(host.pid, resource.RLIMIT_NOFILE, limits)


STALLED = {
    "half a greeting": (False, GREETING[:11], b""),
    "a greeting byte by byte": (False, b"", GREETING),
    "a greeting and no more": (False, GREETING, b""),
    "a command that is never whole": (False, GREETING + READY[:9], b""),
    "nothing after the handshake": (True, b"", b""),
    "half the head of a frame": (True, claim(MIB)[:5], b""),
    "a frame byte by byte": (True, claim(MIB // 64), b"x" * 1000),
}


def test_stalled_connections_are_closed(host: Host, knock: Knock) -> None:
    closed: set[tuple[str, str]] = set()

    def stall(kind: str, stranger: Stranger, url: str) -> None:
        greets, at_once, drip = STALLED[kind]
        if greets:
            stranger.greet()
        stranger.say(at_once)
        if stranger.is_closed_within(8.0, drip):
            closed.add((kind, url))

    visits = [(kind, knock(url), url) for kind in STALLED for url in host.ports]
    threads = [threading.Thread(target=stall, args=visit) for visit in visits]
    for thread in threads:
        thread.start()
    assert host.serves_promptly()
    for thread in threads:
        thread.join()
    assert closed == {(kind, url) for kind, _, url in visits}


# --- 35: those who look for something else ---

SCANS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP with a body": b"POST /jobs HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"{" * 100_000,
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\1" * 194,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "ZMTP 1.0": b"\1\0" + b"\6\0hello",
    "ZMTP 2.0": b"\xff" + b"\0" * 8 + b"\x7f\1\5" + b"\0\0" + b"\0\5hello",
    "PLAIN": GREETING.replace(b"NULL\0", b"PLAIN"),
    "CURVE": GREETING.replace(b"NULL\0", b"CURVE"),
    "no socket of ours": GREETING + READY.replace(b"DEALER", b"PUBSUB"),
    "zeros": b"\0" * 100_000,
    "nothing at all": b"",
}


@pytest.mark.parametrize("said", SCANS.values(), ids=SCANS)
def test_port_scan_finds_a_peer_that_does_not_mind(host: Host, knock: Knock, said: bytes) -> None:
    strangers = [knock(url) for url in host.ports for _ in range(5)]
    for stranger in strangers:
        stranger.say(said)
    assert host.serves_promptly()


# --- 36 and 11: frames beyond all measure, and frames that break off ---


def test_frame_over_the_limit_closes_its_connection_at_once_and_takes_no_memory(host: Host, knock: Knock) -> None:
    before = resident_bytes(host.pid)
    sizes = {host.control: CONTROL_FRAME_BYTES_MAX, host.bulk: BULK_REQUEST_BYTES_MAX}
    for url, allowed in sizes.items():
        for size in (allowed + 1, 1 << 30, 1 << 62, (1 << 64) - 1):
            stranger = knock(url).greet()
            stranger.say(claim(size) + b"x" * 1000)
            assert stranger.is_closed_within(1.0), f"{size} bytes claimed at {url}"
    assert host.serves_promptly()
    assert resident_bytes(host.pid) - before < 8 * MIB


def test_message_of_a_hundred_thousand_parts_is_refused(host: Host, knock: Knock) -> None:
    before = resident_bytes(host.pid)
    parts = zmtp_frame(b"x" * 20, more=True) * 100_000
    for url in host.ports:
        stranger = knock(url).greet()
        stranger.say(parts + zmtp_frame(encode_request("last part", Hello())))
        stranger.say(zmtp_frame(encode_request("after", Hello())))
        if url == host.control:
            heard = b""
            while b"Welcome" not in heard:
                heard += stranger.socket.recv(4096)
            assert b"last part" not in heard
    assert host.serves_promptly()
    assert resident_bytes(host.pid) - before < 128 * MIB


def test_connections_reset_amid_a_frame_are_given_back(host: Host, knock: Knock) -> None:
    half = zmtp_frame(b"x" * 1000, more=True) + claim(1000, LONG) + b"x" * 500
    for _ in range(100):
        for url in host.ports:
            stranger = knock(url).greet()
            stranger.say(half)
            stranger.reset()
    assert host.serves_promptly()


# --- 39: one key that everybody writes and nobody reads ---


def test_sibling_bomb_is_refused_at_its_limit_and_resolved_by_one_write(host: Host) -> None:
    kv = host.client.kv
    for number in range(100):
        kv.put(b"bomb", b"%d" % number)
    with pytest.raises(MurmurationError, match="over 100 concurrent values: read the key, then put one value"):
        kv.put(b"bomb", b"one too many")
    found = kv.get(b"bomb")
    assert sorted(found.values) == sorted(b"%d" % number for number in range(100))
    kv.put(b"bomb", b"resolved", context=found.context)
    assert kv.get(b"bomb").values == (b"resolved",)
