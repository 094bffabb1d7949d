"""Be the bare floor of a quorum store: ROUTER, msgpack, diskcache with group commit at full sync, and nothing else.

    python benchmarks/bare_floor.py DIRECTORY        (one of the three servers; prints its address)

The client coordinates: a put goes to all three and is done at two acknowledgements, a get asks all three and takes the
newest of the first two answers. A server keeps the newest version of a key (compare and set), and syncs before it says
so. No membership, no hints, no repair, no checksums, no concurrent values: what the building blocks allow at best.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import msgpack  # type: ignore[import-untyped]
import zmq
from diskcache import Cache  # type: ignore[import-untyped]

from murmuration.client.cluster import DieWithParent
from murmuration.node.transport.sockets import Socket

SERVERS = 3
QUORUM = 2
BATCH_MAX = 256
ANSWER_PATIENCE_MS = 10_000
FILE_BYTES_MIN = 32 << 10
VERSION_BYTES = 8

Question = tuple[bytes, int, bytes, bytes]
"""Of one put: the asker's route, the asker's number for it, the key, and the version with the value behind it."""


class FloorServer:
    """One server: reads in the loop, writes in one thread that commits all that waits together."""

    def __init__(self, directory: Path) -> None:
        self._cache = _open_cache(directory)
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[Question] = SimpleQueue()
        self._router: Socket = zmq.Context.instance().socket(zmq.ROUTER)
        port: int = self._router.bind_to_random_port("tcp://127.0.0.1")
        self.url = f"tcp://127.0.0.1:{port}"
        self._loop.add_reader(self._router.FD, self._drain)
        threading.Thread(target=self._write, daemon=True).start()

    def _drain(self) -> None:
        """Take all frames that are there: the descriptor tells of changes only."""
        for _ in range(BATCH_MAX):
            try:
                route, frame = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            number, key, sealed = msgpack.unpackb(frame)
            if sealed is None:
                self._answer(route, number, self._cache.get(key))
            else:
                self._waiting.put((route, number, key, sealed))
        self._loop.call_soon(self._drain)

    def _answer(self, route: bytes, number: int, sealed: bytes | None) -> None:
        self._router.send_multipart([route, msgpack.packb((number, sealed))], zmq.NOBLOCK)

    def _acknowledge(self, batch: list[Question]) -> None:
        for route, number, _, _ in batch:
            self._answer(route, number, None)
        self._drain()

    def _write(self) -> None:
        cache = _open_cache(self._directory)
        while True:
            batch = self._next_batch()
            with cache.transact():
                for _, _, key, sealed in batch:
                    held = cache.get(key)
                    if held is None or held[:VERSION_BYTES] < sealed[:VERSION_BYTES]:
                        cache.set(key, sealed)
            self._loop.call_soon_threadsafe(self._acknowledge, batch)

    def _next_batch(self) -> list[Question]:
        batch = [self._waiting.get()]
        while len(batch) < BATCH_MAX:
            try:
                batch.append(self._waiting.get_nowait())
            except Empty:
                break
        return batch


def _open_cache(directory: Path) -> Cache:
    return Cache(
        str(directory),
        disk_min_file_size=FILE_BYTES_MIN,
        eviction_policy="none",
        cull_limit=0,
        statistics=0,
        sqlite_synchronous=2,
    )


class FloorClient:
    """One client, which is its own coordinator."""

    errors: tuple[type[Exception], ...] = (TimeoutError, zmq.ZMQError)

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._number = 0
        self._poller = zmq.Poller()
        self._sockets: list[Socket] = [zmq.Context.instance().socket(zmq.DEALER) for _ in urls]
        for each, url in zip(self._sockets, urls, strict=True):
            each.linger = 0
            each.connect(url)
            self._poller.register(each, zmq.POLLIN)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value to all servers, and wait for two."""
        self._ask(key, time.time_ns().to_bytes(VERSION_BYTES, "big") + value)

    def get(self, key: bytes) -> bytes:
        """Give the newest of two answers; empty where there is none."""
        found = [sealed for sealed in self._ask(key, None) if sealed is not None]
        return max(found, default=b"", key=lambda sealed: sealed[:VERSION_BYTES])[VERSION_BYTES:]

    def close(self) -> None:
        """Free the sockets."""
        for each in self._sockets:
            each.close()

    def _ask(self, key: bytes, sealed: bytes | None) -> list[bytes | None]:
        self._number += 1
        frame = msgpack.packb((self._number, key, sealed))
        for each in self._sockets:
            each.send(frame)
        answers: list[bytes | None] = []
        while len(answers) < QUORUM:
            ready = self._poller.poll(ANSWER_PATIENCE_MS)
            if not ready:
                raise TimeoutError("fewer than two servers of the floor answered")
            for each, _ in ready:
                number, found = msgpack.unpackb(each.recv())
                if number == self._number:
                    answers.append(found)
        return answers


@contextmanager
def floor_cluster(directory: Path) -> Iterator[tuple[str, ...]]:
    """Run three servers with their data under `directory`; gives their addresses."""
    with ExitStack() as stack:
        urls = []
        for number in range(SERVERS):
            command = [sys.executable, __file__, str(directory / f"server{number}")]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, start_new_session=True, preexec_fn=DieWithParent()
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            stack.callback(process.stdout.close)
            urls.append(process.stdout.readline().decode().strip())
        yield tuple(urls)


async def _serve(directory: Path) -> None:
    server = FloorServer(directory)
    print(server.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
