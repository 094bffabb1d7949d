"""Run three etcd nodes on loopback, and speak to them from Python in the fastest reasonable way.

That is gRPC by `grpcio` with the few protobuf fields spelled by hand; where `grpcio` is not installed it is the JSON
gateway by one persistent HTTP connection. Writes and reads are etcd's own defaults: synced logs, linearizable reads.
"""

import base64
import http.client
import importlib.util
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from murmuration.client.cluster import DieWithParent

HOW_TO_GET = "etcd is not installed: `apt-get update && apt-get install etcd-server` (Debian), then run this again"
NODES = 3
START_PATIENCE_S = 20.0
ANSWER_PATIENCE_S = 10.0
LOOK_EVERY_S = 0.1
_BYTES = 2
"""Protobuf's wire type of strings, bytes and messages."""


def has_etcd() -> bool:
    """Tell whether the server can be run here."""
    return shutil.which("etcd") is not None


def way_to_speak() -> str:
    """Name the API that the clients use."""
    return "gRPC" if importlib.util.find_spec("grpc") else "JSON gateway"


@contextmanager
def etcd_cluster(directory: Path) -> Iterator[tuple[str, ...]]:
    """Run the nodes with their data under `directory`; gives host:port of each, the leader's first."""
    ports = _free_ports(2 * NODES)
    clients, peers = ports[:NODES], ports[NODES:]
    members = ",".join(f"node{number}=http://127.0.0.1:{port}" for number, port in enumerate(peers))
    with ExitStack() as stack:
        for number, (client, peer) in enumerate(zip(clients, peers, strict=True)):
            process = _spawn(directory, f"node{number}", client, peer, members)
            stack.callback(_end, process)
        addresses = [f"127.0.0.1:{port}" for port in clients]
        states = [_await_state(address) for address in addresses]
        order = sorted(range(NODES), key=lambda number: states[number]["leader"] != states[number]["me"])
        yield tuple(addresses[number] for number in order)


def _spawn(directory: Path, name: str, client: int, peer: int, members: str) -> subprocess.Popen[bytes]:
    command = ["etcd", "--name", name, "--data-dir", str(directory / name), "--log-level", "error"]
    for option, port in (("client", client), ("peer", peer)):
        url = f"http://127.0.0.1:{port}"
        advertise = "--advertise-client-urls" if option == "client" else "--initial-advertise-peer-urls"
        command += [f"--listen-{option}-urls", url, advertise, url]
    command += ["--initial-cluster", members, "--initial-cluster-state", "new"]
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, preexec_fn=DieWithParent())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_state(address: str) -> dict[str, str]:
    """Wait until a node knows its leader."""
    deadline, pause = time.monotonic() + START_PATIENCE_S, threading.Event()
    while True:
        try:
            told = _ask_json(http.client.HTTPConnection(address, timeout=1.0), "/v3/maintenance/status", {})
        except (OSError, http.client.HTTPException, ValueError):
            told = {}
        if told.get("leader", "0") != "0":
            return {"me": told["header"]["member_id"], "leader": told["leader"]}
        if time.monotonic() > deadline:
            raise TimeoutError(f"etcd at {address} has found no leader within {START_PATIENCE_S:g} s")
        pause.wait(LOOK_EVERY_S)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class EtcdByGrpc:
    """One client by gRPC."""

    def __init__(self, address: str) -> None:
        import grpc  # type: ignore[import-untyped]  # here, for it may be missing

        self._channel = grpc.insecure_channel(address)
        self._put = self._channel.unary_unary("/etcdserverpb.KV/Put")
        self._range = self._channel.unary_unary("/etcdserverpb.KV/Range")
        self.errors: tuple[type[Exception], ...] = (grpc.RpcError,)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        self._put(_field(1, key) + _field(2, value), timeout=ANSWER_PATIENCE_S)

    def get(self, key: bytes) -> bytes:
        """Read a value; empty where there is none."""
        answer = self._range(_field(1, key), timeout=ANSWER_PATIENCE_S)
        row = next((content for number, content in _fields(answer) if number == 2), b"")
        return next((content for number, content in _fields(row) if number == 5), b"")

    def close(self) -> None:
        """End the connection."""
        self._channel.close()


class EtcdByJson:
    """One client by the JSON gateway."""

    errors: tuple[type[Exception], ...] = (OSError, http.client.HTTPException, ValueError)

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=ANSWER_PATIENCE_S)
        self._connection.connect()
        assert self._connection.sock is not None
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        _ask_json(self._connection, "/v3/kv/put", {"key": _base64(key), "value": _base64(value)})

    def get(self, key: bytes) -> bytes:
        """Read a value; empty where there is none."""
        rows = _ask_json(self._connection, "/v3/kv/range", {"key": _base64(key)}).get("kvs", [])
        return base64.b64decode(rows[0]["value"]) if rows else b""

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def etcd_client(address: str) -> EtcdByGrpc | EtcdByJson:
    """Connect to one node."""
    return EtcdByGrpc(address) if way_to_speak() == "gRPC" else EtcdByJson(address)


def _ask_json(connection: http.client.HTTPConnection, path: str, question: dict[str, str]) -> dict[str, Any]:
    connection.request("POST", path, json.dumps(question))
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _field(number: int, content: bytes) -> bytes:
    """Spell one protobuf field of bytes."""
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(digits) + bytes([value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Read the protobuf fields of bytes, and pass over the numbers."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        size, at = _read_varint(message, at)
        if tag & 7 == _BYTES:
            yield tag >> 3, message[at : at + size]
            at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        digit = message[at]
        value, shift, at = value | (digit & 0x7F) << shift, shift + 7, at + 1
        if digit < 0x80:
            return value, at
