"""The control transport: batches in, frames out, and broken links noticed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest
import zmq

from murmuration.node.transport import control, links
from murmuration.node.transport.addresses import Address, parse_address, parse_listen_address
from murmuration.node.transport.control import BATCH_BYTES_MAX, ControlTransport
from murmuration.node.wire.limits import CONTROL_FRAME_BYTES_MAX
from murmuration.ring.errors import CallerError, WorldError

ANY = "tcp://127.0.0.1:0"
AT_ONCE_S = 1.0
"""Heartbeats alone would need three seconds."""


class Ears:
    """Keeps what a transport hands on, and lets a test wait until it is enough."""

    def __init__(self):
        self.frames = []
        self.batches = []
        self.broken = []
        self._changed = asyncio.Event()

    def on_frames(self, batch):
        self.batches.append(len(batch))
        self.frames += batch
        self._changed.set()

    def on_link_broken(self, url):
        self.broken.append(url)
        self._changed.set()

    async def until(self, condition):
        async with asyncio.timeout(4):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def peer(listen=ANY):
    ears = Ears()
    return ears, ControlTransport(listen, ears.on_frames, ears.on_link_broken)


async def until(condition):
    async with asyncio.timeout(4):
        while not condition():
            await asyncio.sleep(0.001)


def test_frames_sent_before_the_link_is_up_arrive_in_order():
    async def story():
        ears, a = peer()
        _, b = peer()
        wanted = [b"%d" % number for number in range(200)]
        for frame in wanted:
            b.send(a.url, frame)
        await ears.until(lambda: len(ears.frames) == 200)
        assert [frame for _, frame in ears.frames] == wanted
        a.close()
        b.close()

    asyncio.run(story())


def test_flood_larger_than_one_turn_arrives_in_bounded_batches():
    async def story():
        ears, a = peer()
        _, b = peer()
        b.send(a.url, b"hello")
        await ears.until(lambda: ears.frames)
        for number in range(900):
            b.send(a.url, b"%d" % number)
        await ears.until(lambda: len(ears.frames) == 901)
        assert max(ears.batches) <= control.BATCH_MAX
        assert not b.dropped
        a.close()
        b.close()

    asyncio.run(story())


def test_reply_goes_back_by_the_connection_it_came_from():
    async def story():
        ears, a = peer()
        client = zmq.Context.instance().socket(zmq.DEALER)
        client.connect(a.url)
        client.send(b"question")
        await ears.until(lambda: ears.frames)
        a.reply(ears.frames[0][0], b"answer")
        assert await asyncio.to_thread(client.poll, 2000)
        assert client.recv() == b"answer"
        client.close(linger=0)
        a.close()

    asyncio.run(story())


def test_reply_to_a_client_that_has_gone_is_counted_and_not_raised():
    async def story():
        _, a = peer()
        a.reply(b"nobody", b"answer")
        await until(lambda: a.dropped)
        assert a.dropped == {"client gone": 1}
        a.close()

    asyncio.run(story())


def test_malformed_and_oversized_frames_are_not_handed_on():
    async def story():
        ears, a = peer()
        client = zmq.Context.instance().socket(zmq.DEALER)
        client.connect(a.url)
        client.send_multipart([b"one", b"too many"])
        client.send(b"good")
        await ears.until(lambda: ears.frames)
        assert [frame for _, frame in ears.frames] == [b"good"]
        assert a.dropped == {"malformed": 1}
        client.send(b"x" * (CONTROL_FRAME_BYTES_MAX + 1))
        other = zmq.Context.instance().socket(zmq.DEALER)
        other.connect(a.url)
        other.send(b"still there")
        await ears.until(lambda: len(ears.frames) == 2)
        assert ears.frames[1][1] == b"still there"
        client.close(linger=0)
        other.close(linger=0)
        a.close()

    asyncio.run(story())


def test_turn_ends_after_a_large_frame_so_that_it_holds_up_nobody():
    async def story():
        ears, a = peer()
        _, b = peer()
        for number in range(4):
            b.send(a.url, bytes([number]) * BATCH_BYTES_MAX)
        await ears.until(lambda: len(ears.frames) == 4)
        assert ears.batches == [1, 1, 1, 1]
        a.close()
        b.close()

    asyncio.run(story())


VICTIM = """
import sys, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.bind_to_random_port("tcp://127.0.0.1")
print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
while True:
    print(socket.recv_multipart()[1].decode(), flush=True)
"""


def test_link_to_a_killed_process_is_reported_broken_at_once():
    async def story():
        ears, a = peer()
        with subprocess.Popen([sys.executable, "-c", VICTIM], stdout=subprocess.PIPE) as victim:
            url = (await asyncio.to_thread(victim.stdout.readline)).decode().strip()
            a.send(url, b"hello")
            assert await asyncio.to_thread(victim.stdout.readline) == b"hello\n"
            assert ears.broken == []
            killed_at = asyncio.get_running_loop().time()
            os.kill(victim.pid, signal.SIGKILL)
            await ears.until(lambda: ears.broken)
            assert ears.broken == [url]
            assert asyncio.get_running_loop().time() - killed_at < AT_ONCE_S
            a.send(url, b"too late")
            await until(lambda: a.dropped)
            assert a.dropped == {"link broken": 1}
        a.close()

    asyncio.run(story())


def test_link_to_an_address_where_nobody_listens_is_reported_broken_once():
    async def story():
        ears, a = peer()
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"tcp://127.0.0.1:{gone.getsockname()[1]}"
        a.send(url, b"lost")
        await ears.until(lambda: ears.broken)
        assert ears.broken == [url]
        assert a.dropped == {"link broken": 1}
        a.close()

    asyncio.run(story())


def test_link_comes_back_when_a_peer_listens_at_its_old_address_again():
    async def story():
        ears, a = peer()
        before, b = peer()
        a.send(b.url, b"before")
        await before.until(lambda: before.frames)
        url = b.url
        b.close()
        await ears.until(lambda: ears.broken)
        after, b = peer(url)
        while not after.frames:
            a.send(url, b"after")
            await asyncio.sleep(0.01)
        assert after.frames[0][1] == b"after"
        a.close()
        b.close()

    asyncio.run(story())


def test_frames_beyond_what_may_wait_for_a_first_connection_are_dropped_and_counted():
    async def story():
        _, a = peer()
        _, b = peer()
        for _ in range(links.WAITING_MAX + 10):
            a.send(b.url, b"x")
        await until(lambda: a.dropped)
        assert a.dropped == {"queue full": 10}
        a.close()
        b.close()

    asyncio.run(story())


def test_frames_to_a_receiver_that_does_not_read_are_dropped_and_counted_without_blocking():
    async def story():
        deaf = zmq.Context.instance().socket(zmq.ROUTER)
        deaf.setsockopt(zmq.RCVHWM, 1)
        deaf.bind("tcp://127.0.0.1:*")
        url = deaf.getsockopt_string(zmq.LAST_ENDPOINT)
        _, a = peer()
        a.send(url, b"hello")
        assert await asyncio.to_thread(deaf.poll, 2000)
        frame = bytes(1 << 16)
        for _ in range(3000):
            a.send(url, frame)
        await until(lambda: a.dropped["queue full"] > 0)
        deaf.close(linger=0)
        a.close()

    asyncio.run(story())


def test_idle_link_is_closed_without_being_reported_broken(monkeypatch):
    async def story():
        monkeypatch.setattr(control, "IDLE_S", 0.05)
        ears, a = peer()
        others, b = peer()
        a.send(b.url, b"hello")
        await others.until(lambda: others.frames)
        await until(lambda: not a._links)
        a.send(b.url, b"again")
        await others.until(lambda: len(others.frames) == 2)
        assert ears.broken == []
        a.close()
        b.close()

    asyncio.run(story())


@pytest.mark.parametrize("url", ["nonsense", "tcp://127.0.0.1:*", "ipc:///x", "tcp://127.0.0.1:99999"])
def test_frame_to_what_is_no_address_is_dropped_and_counted(url):
    async def story():
        _, a = peer()
        a.send(url, b"x")
        await until(lambda: a.dropped)
        assert a.dropped == {"no address": 1}
        a.close()

    asyncio.run(story())


@pytest.mark.parametrize("url", ["tcp://0.0.0.0:0", "tcp://10.1.2.3:5", "tcp://example.org:5", "tcp://[::]:5"])
def test_listening_where_strangers_could_knock_is_refused_in_one_line(url):
    with pytest.raises(CallerError, match=r"^[^\n]*needs? keys[^\n]*$") as refusal:
        parse_listen_address(url)
    assert url in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://localhost:30001/W", Address(host="127.0.0.1", port=30001)),
        ("tcp://127.0.0.1:*", Address(host="127.0.0.1", port=0)),
        ("tcp://127.9.9.9:7", Address(host="127.9.9.9", port=7)),
        ("tcp://[::1]:7", Address(host="::1", port=7)),
    ],
)
def test_loopback_address_is_read_with_its_path_ignored(url, address):
    assert parse_listen_address(url) == address
    assert parse_address(url) == address


@pytest.mark.parametrize("url", ["", "127.0.0.1:5", "tcp://127.0.0.1", "tcp://:5", "http://127.0.0.1:5"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(CallerError, match="tcp://HOST:PORT"):
        parse_address(url)


def test_listening_at_a_taken_port_names_the_port_and_the_way_out():
    async def story():
        _, a = peer()
        port = a.url.rpartition(":")[2]
        with pytest.raises(WorldError, match=rf"port {port} .*--listen"):
            peer(a.url + "/W")
        a.close()

    asyncio.run(story())


def test_listening_at_any_port_tells_the_real_one_and_ipv6_works_where_it_is():
    async def story():
        _, a = peer("tcp://localhost:*")
        assert a.url.startswith("tcp://127.0.0.1:")
        assert int(a.url.rpartition(":")[2]) > 0
        try:
            ears, b = peer("tcp://[::1]:0")
        except WorldError:
            pass  # a machine without IPv6
        else:
            a.send(b.url, b"six")
            await ears.until(lambda: ears.frames)
            b.close()
        a.close()

    asyncio.run(story())
