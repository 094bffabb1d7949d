"""Drive a store by clients that are processes of their own, and measure what each of them waits.

Every client is one process with one connection and one request at a time, for every contestant alike: so no client
waits for another's interpreter lock. Client number i speaks to server i modulo 3 where the store has a coordinator.
A client overwrites its own keys in turn, and reads the keys of all clients at random.
"""

import multiprocessing
import random
import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Literal, Protocol

from bare_floor import FloorClient
from etcd_cluster import etcd_client

import murmuration as mm
from murmuration.ring.errors import MurmurationError
from murmuration.ring.facts import Context

Kind = Literal["murmuration", "etcd", "floor"]
Operation = Literal["put", "get"]

KEYS_EACH = 64
"""Keys of one size that belong to one client."""
WARM_UP_S = 0.3
"""The beginning of each measurement, which does not count."""
LEAD_S = 0.1
"""Time for all clients to hear of a measurement before it begins."""


class StoreClient(Protocol):
    """What is asked of every contestant."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What a failed request raises."""

    def put(self, key: bytes, value: bytes) -> None:
        """Overwrite a value."""

    def get(self, key: bytes) -> bytes:
        """Read a value."""

    def close(self) -> None:
        """Free what the connection holds."""


class MurmurationClient:
    """One client of Murmuration; it hands back the context of its last put, and so overwrites it."""

    errors: tuple[type[Exception], ...] = (MurmurationError,)

    def __init__(self, urls: Sequence[str]) -> None:
        self._client = mm.Client(list(urls))
        self._contexts: dict[bytes, Context] = {}

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value over this client's last one."""
        self._contexts[key] = self._client.kv.put(key, value, context=self._contexts.get(key)).context

    def get(self, key: bytes) -> bytes:
        """Read a value; siblings would be a failure, for a key has one writer."""
        return self._client.kv.get(key).value

    def close(self) -> None:
        """Free the sockets."""
        self._client.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Connect to a contestant under a name, and store this client's keys of these sizes."""

    name: str
    kind: Kind
    addresses: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Write `count` fresh keys of `size` bytes each whose names begin with `prefix`."""

    name: str
    prefix: bytes
    count: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Repeat an operation until `seconds` after the warm-up are over; `begin` is a moment of the monotonic clock."""

    name: str
    operation: Operation
    size: int
    seconds: float
    begin: float


@dataclass(slots=True)
class Account:
    """What one client did: its waits in seconds, and how many requests failed, with the first reasons."""

    waits: "array[float]" = field(default_factory=lambda: array("d"))
    failures: int = 0
    reasons: list[str] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        """Count a failed request."""
        self.failures += 1
        if len(self.reasons) < 3:
            self.reasons.append(" ".join(str(error).split())[:200])


class Clients:
    """A number of client processes, which end with the `with` block."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Pipe] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, number, count), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        """Give the process ids of the clients."""
        return [process.pid or 0 for process in self._processes]

    def order(self, order: Open | Fill) -> list[Account]:
        """Have every client do something, and wait for all."""
        return self._gather(order, len(self._pipes))

    def run(self, name: str, operation: Operation, size: int, clients: int, seconds: float) -> list[Account]:
        """Measure `clients` of them at once."""
        begin = time.monotonic() + LEAD_S
        return self._gather(Run(name=name, operation=operation, size=size, seconds=seconds, begin=begin), clients)

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(5.0)
            process.kill()

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gather(self, order: Open | Fill | Run, count: int) -> list[Account]:
        for pipe in self._pipes[:count]:
            pipe.send(order)
        return [pipe.recv() for pipe in self._pipes[:count]]


def _serve(pipe: Pipe, number: int, count: int) -> None:
    """Be one client until the pipe is closed."""
    rng = random.Random(number)
    stores: dict[str, StoreClient] = {}
    while True:
        try:
            order: Open | Fill | Run = pipe.recv()
        except (EOFError, OSError):
            return
        match order:
            case Open():
                stores[order.name] = _connect(order, number)
                pipe.send(_fill_own(stores[order.name], order, number))
            case Fill():
                pipe.send(_fill(stores[order.name], order, number))
            case Run():
                pipe.send(_measure(stores[order.name], order, _Keys(number, count, rng)))


def _connect(order: Open, number: int) -> StoreClient:
    first = number % len(order.addresses)
    turned = (*order.addresses[first:], *order.addresses[:first])
    match order.kind:
        case "murmuration":
            return MurmurationClient(turned)
        case "etcd":
            return etcd_client(turned[0])
        case "floor":
            return FloorClient(turned)


@dataclass(slots=True)
class _Keys:
    """Chooses the keys of one client."""

    number: int
    count: int
    rng: random.Random

    def next(self, operation: Operation, size: int, turn: int) -> bytes:
        if operation == "put":
            return _own_key(size, self.number, turn % KEYS_EACH)
        return _own_key(size, self.rng.randrange(self.count), self.rng.randrange(KEYS_EACH))


def _own_key(size: int, number: int, turn: int) -> bytes:
    return b"bench/%d/%d/%d" % (size, number, turn)


def _fill_own(store: StoreClient, order: Open, number: int) -> Account:
    account = Account()
    for size in order.sizes:
        value = random.Random(size).randbytes(size)
        for turn in range(KEYS_EACH):
            _attempt(store, "put", _own_key(size, number, turn), value, account)
    return account


def _fill(store: StoreClient, order: Fill, number: int) -> Account:
    account = Account()
    value = random.Random(order.size).randbytes(order.size)
    for turn in range(order.count):
        _attempt(store, "put", order.prefix + b"%d/%d" % (number, turn), value, account)
    return account


def _measure(store: StoreClient, order: Run, keys: _Keys) -> Account:
    account, warm_up = Account(), Account()
    value = random.Random(order.size).randbytes(order.size)
    threading.Event().wait(max(0.0, order.begin - time.monotonic()))
    counted = order.begin + WARM_UP_S
    end, turn = counted + order.seconds, 0
    while (now := time.monotonic()) < end:
        key = keys.next(order.operation, order.size, turn)
        _attempt(store, order.operation, key, value, account if now >= counted else warm_up)
        turn += 1
    account.failures += warm_up.failures
    account.reasons += warm_up.reasons
    return account


def _attempt(store: StoreClient, operation: Operation, key: bytes, value: bytes, account: Account) -> None:
    begin = time.perf_counter()
    try:
        if operation == "put":
            store.put(key, value)
        elif len(found := store.get(key)) != len(value):
            account.fail(ValueError(f"{key!r} has {len(found)} bytes, not {len(value)}"))
            return
    except store.errors as error:
        account.fail(error)
        return
    account.waits.append(time.perf_counter() - begin)
