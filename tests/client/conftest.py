"""A cluster of one peer in memory, which a real connection talks to through real frames."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from murmuration.client.connection import Connection
from murmuration.client.store.files import RingFiles
from murmuration.client.store.share import Share
from murmuration.node.transport.bulk_pull import pull
from murmuration.node.transport.bulk_server import BulkServer
from murmuration.node.transport.host import host_id
from murmuration.node.transport.shelves import SharedFiles
from murmuration.node.wire.codec import decode_request, encode_reply
from murmuration.node.wire.replies import (
    ChunkAt,
    ChunkKept,
    ClientReply,
    KeyConflict,
    KeyGot,
    KeyPut,
    KeysFound,
    PeersShown,
    Refused,
    Welcome,
)
from murmuration.node.wire.requests import (
    ClientRequest,
    FindKeys,
    GetKey,
    Hello,
    ListPeers,
    LocateChunk,
    OfferChunk,
    PutKey,
)
from murmuration.ring.digests import chunk_digest
from murmuration.ring.terms import Member, Source

URL = "tcp://127.0.0.1:1"


class FakePeer:
    """Keeps keys with all siblings that a context does not cover, and chunks as files that a bulk server serves."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.asked: list[ClientRequest] = []
        self.keys: dict[bytes, dict[int, bytes | None]] = {}
        self.chunks: dict[bytes, Path] = {}
        self.writes = 0
        self.shelf = SharedFiles()
        self.bulk = BulkServer(self.shelf)

    def answer(self, request: ClientRequest) -> ClientReply:
        self.asked.append(request)
        match request:
            case Hello():
                return Welcome(member=self.member(), version="test", urls=())
            case PutKey():
                return self._put(request)
            case GetKey(key=key):
                values = [value for value in self.keys.get(key, {}).values() if value is not None]
                return KeyGot(values=tuple(values), context={"a": self.writes}, replicas=1, answered=1)
            case FindKeys():
                return self._find(request)
            case OfferChunk():
                return self._keep(request)
            case LocateChunk(digest=digest):
                return ChunkAt(sources=self.places(digest))
            case ListPeers():
                return PeersShown(peers=())
            case _:
                return Refused(kind="internal", reason=f"the fake peer knows no {type(request).__name__}")

    def member(self) -> Member:
        return Member(
            id="0" * 32, name="one", url=URL, bulk_url=self.bulk.url, host=host_id(), directory=str(self.directory)
        )

    def places(self, digest: bytes) -> tuple[Source, ...]:
        path = self.chunks.get(digest)
        if path is None:
            return ()
        return (Source(url=self.bulk.url, ref=self.shelf.register(path), host=host_id(), path=str(path)),)

    def _put(self, request: PutKey) -> KeyPut | KeyConflict:
        siblings = self.keys.setdefault(request.key, {})
        covered = request.context.get("a", 0)
        values = tuple(value for dot, value in siblings.items() if value is not None and dot > covered)
        if request.condition and values:
            return KeyConflict(values=values, context={"a": self.writes})
        self.writes += 1
        for dot in [dot for dot in siblings if dot <= covered]:
            del siblings[dot]
        siblings[self.writes] = request.value
        return KeyPut(context={"a": self.writes}, replicas=1, primaries=1, fallbacks=0)

    def _find(self, request: FindKeys) -> KeysFound:
        live = (key for key, siblings in self.keys.items() if any(value is not None for value in siblings.values()))
        found = sorted(key for key in live if key.startswith(request.prefix) and key > request.after)
        return KeysFound(keys=tuple(found[: request.limit]), more=len(found) > request.limit)

    def _keep(self, request: OfferChunk) -> ClientReply:
        content = b"".join(pull(request.source, request.size))
        if chunk_digest(content) != request.digest:
            return Refused(kind="quorum", reason="the chunk does not match its digest")
        path = self.directory / request.digest.hex()
        path.write_bytes(content)
        self.chunks[request.digest] = path
        return ChunkKept(holders=("one",))


class MemoryCarrier:
    """Answers every frame at once."""

    def __init__(self, peer: FakePeer) -> None:
        self._peer = peer
        self._arrivals: deque[tuple[str, bytes]] = deque()

    def send(self, url: str, frame: bytes) -> None:
        name, request = decode_request(frame)
        self._arrivals.append((url, encode_reply(name, self._peer.answer(request))))

    def receive(self, timeout_s: float) -> tuple[str, bytes] | None:
        return self._arrivals.popleft() if self._arrivals else None

    def close(self) -> None:
        self._arrivals.clear()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[FakePeer]:
    fake = FakePeer(tmp_path / "peer")
    yield fake
    fake.bulk.close()


@pytest.fixture
def connection(peer: FakePeer) -> Iterator[Connection]:
    with Connection((URL,), carrier=MemoryCarrier(peer), clock=time.monotonic) as made:
        yield made


@pytest.fixture
def share() -> Iterator[Share]:
    made = Share()
    yield made
    made.close()


@pytest.fixture
def fs(connection: Connection, share: Share) -> RingFiles:
    return RingFiles(connection, share)
