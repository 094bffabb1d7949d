"""Put, get, delete and list keys: what `client.kv` offers."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...node.wire.replies import KeyGot, KeyPut, KeysFound
from ...node.wire.requests import FindKeys, GetKey, PutKey
from ...ring.errors import CallerError, Corrupt
from ...ring.facts import Context
from ...ring.terms import RECORD_QUORUM, VALUE_BYTES_MAX, Condition, Quorum
from ...scheduling.jobs import job_key, manifest_key
from ..connection import TRIES, Connection
from ..progress import Progress, Silence

KEY_BYTES_MAX = 4096
PAGE = 1000

SIBLINGS_WARNED = 10
"""From so many concurrent values on, somebody writes without reading; at 100 the store refuses."""

PUTS_AT_ONCE = 256
"""Keys that `put_many` and `get_many` have on their way in one go."""

SYSTEM_PREFIXES = (manifest_key(""), job_key(""), b"seal/", b"chunk/")
"""Keys that files and jobs live under: read through `client.kv` if need be, never written."""

Pair = tuple[bytes, bytes]
"""A key and a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """What a read found: all concurrent values, and the context to hand back with the next put.

    Of the `replicas_answered`, so many as `primaries` are homes of the key, and the others stand in for homes.
    """

    key: bytes
    values: tuple[bytes, ...]
    context: Context
    replicas_answered: int
    primaries: int = 0
    left_out: int = 0
    """Further concurrent values, which a reply has no room for; the context covers them all the same."""

    @property
    def value(self) -> bytes:
        """The value, where there is exactly one.

        Raises:
            CallerError: the key is absent, or has siblings.
        """
        if not self.values:
            raise CallerError(f"{shown_key(self.key)} is absent")
        if len(self.values) > 1:
            raise CallerError(
                f"{shown_key(self.key)} has {len(self.values)} concurrent values: choose among `values` "
                "and put the choice with this `context`"
            )
        return self.values[0]


class KeyValueStore:
    """The key-value store of a cluster; N, R and W may be chosen for each request.

    With R + W of no more than N a read may miss the newest write: see `Quorum.may_miss_newest`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(
        self,
        key: bytes,
        value: bytes,
        *,
        context: Context | None = None,
        if_current: Context | None = None,
        if_absent: bool = False,
        ttl_s: float | None = None,
        quorum: Quorum | None = None,
    ) -> KeyPut:
        """Write a value over what `context` covers, and tell how many copies are durable.

        Without a context the value stands beside others that were put meanwhile, as a sibling.

        With `if_current` it is written only if nothing is there that this context, of an earlier read or put, does not
        cover; with `if_absent` only if there is no value. The condition is judged by one home of the key after reading
        R of them. It is weak: of two such puts at once through different homes, as during a cut, both may be written
        and are siblings then. Where there must be one winner, use strict quorums of all homes, or a job's register.

        After `ttl_s` seconds the value is gone as if deleted. The end is an instant of this machine's clock, and each
        home judges it by its own: clocks that differ shift the end by as much.

        Raises:
            CallerError: the key or value is too large, the key belongs to files or jobs, or the choices contradict.
            Conflict: the condition does not hold; the error has the `values` and the `context` that are there.
            Unknown: too few copies were acknowledged in time; the write may take effect all the same.
            WorldError: nothing was written.
        """
        if len(value) > VALUE_BYTES_MAX:
            raise CallerError(
                f"a value of {len(value)} bytes is over the limit of {VALUE_BYTES_MAX}; store it with `murmur fs put`"
            )
        if (context is not None) + (if_current is not None) + if_absent > 1:
            raise CallerError("choose one of `context`, `if_current` and `if_absent`")
        condition = Condition.IF_ABSENT if if_absent else Condition.NONE
        if if_current is not None:
            condition = Condition.IF_CURRENT
        known = context if if_current is None else if_current
        return self._connection.ask(_put(key, value, known, quorum, _end_after(ttl_s), condition), KeyPut)

    def put_many(
        self,
        pairs: Iterable[Pair],
        *,
        fresh: bool = False,
        ttl_s: float | None = None,
        quorum: Quorum | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write many values, several at a time, and tell how many they were.

        They are written in their order stretch by stretch, and `progress` hears of the end of each stretch; each value
        replaces what its key held. With `fresh` the keys are taken for new and not read before, which is twice as
        fast, but makes siblings where they were not.

        Raises:
            CallerError: as `put`; the stretches before are durable.
            WorldError: as `put`; of the stretch that failed any may be durable. To put it again is harmless.
        """
        done = 0
        told = progress or Silence()
        for stretch in _stretches(pairs):
            contexts = {} if fresh else {got.key: got.context for got in self.get_many(stretch, quorum=quorum)}
            end = _end_after(ttl_s)
            puts = [_put(key, value, contexts.get(key), quorum, end) for key, value in stretch.items()]
            done += sum(1 for _ in self._connection.ask_all(puts, KeyPut))
            told.advance("keys", done, done)
        return done

    def get(self, key: bytes, *, quorum: Quorum | None = None) -> KeyValues:
        """Read a key: no value if it is absent, several if they are concurrent.

        Raises:
            CallerError: R is more than N.
            Corrupt: there are copies, and none can be read.
            WorldError: too few copies answered.
        """
        return next(self.get_many((key,), quorum=quorum))

    def get_many(self, keys: Iterable[bytes], *, quorum: Quorum | None = None) -> Iterator[KeyValues]:
        """Read many keys, several at a time, and give each as it comes; not in order.

        Raises:
            WorldError: as `get`.
        """
        asked: list[bytes] = []
        wanted = quorum or Quorum()
        _check_quorum("reads", wanted.reads_required, wanted)

        def questions() -> Iterator[GetKey]:
            for key in keys:
                _check_size(key)
                asked.append(key)
                yield GetKey(key=key, quorum=wanted)

        for number, got in self._connection.ask_all(questions(), KeyGot):
            yield KeyValues(
                key=asked[number],
                values=tuple(dict.fromkeys(got.values)),
                context=got.context,
                replicas_answered=got.answered,
                primaries=got.primaries,
                left_out=got.left_out,
            )

    def delete(self, key: bytes, *, context: Context | None = None, quorum: Quorum | None = None) -> KeyPut:
        """Delete what `context` covers; without one, what a read finds now, be it readable or not.

        Raises:
            CallerError: as `put`.
            Unknown: as `put`.
            WorldError: as `put`.
        """
        _check_writable(key)
        known = self._context_now(key, quorum) if context is None else context
        return self._connection.ask(_put(key, None, known, quorum), KeyPut)

    def keys(self, prefix: bytes = b"") -> Iterator[bytes]:
        """List the live keys that begin with `prefix`, in order, but for those of files and jobs.

        A prefix that begins like theirs lists theirs.

        Raises:
            WorldError: so many homes are silent that they may hide keys; the error says what to do.
        """
        hidden = tuple(system for system in SYSTEM_PREFIXES if not prefix.startswith(system))
        quorum = Quorum() if hidden == SYSTEM_PREFIXES else RECORD_QUORUM
        after, more = b"", True
        while more:
            question = FindKeys(prefix=prefix, after=after, limit=PAGE, quorum=quorum)
            page = self._connection.ask(question, KeysFound, tries=TRIES)
            yield from (key for key in page.keys if not key.startswith(hidden))
            after, more = page.keys[-1] if page.keys else after, page.more and bool(page.keys)

    def _context_now(self, key: bytes, quorum: Quorum | None) -> Context:
        try:
            return self.get(key, quorum=quorum).context
        except Corrupt:
            return {}  # what is written over a copy that no home can read covers it whole


def shown_key(key: bytes) -> str:
    """Spell a key for people: as text where it is text."""
    try:
        return repr(key.decode())
    except UnicodeDecodeError:
        return repr(key)


def _put(
    key: bytes,
    value: bytes | None,
    context: Context | None,
    quorum: Quorum | None,
    expires_at: int = 0,
    condition: Condition = Condition.NONE,
) -> PutKey:
    _check_writable(key)
    wanted = quorum or Quorum()
    _check_quorum("writes", wanted.writes_required, wanted)
    return PutKey(
        key=key, value=value, context=context or {}, quorum=wanted, expires_at=expires_at, condition=condition
    )


def _end_after(ttl_s: float | None) -> int:
    if ttl_s is None:
        return 0
    if not 0 < ttl_s < float("inf"):
        raise CallerError(f"a value cannot live for {ttl_s:g} s; give a time above 0")
    return time.time_ns() // 1_000_000 + max(1, int(ttl_s * 1000))


def _stretches(pairs: Iterable[Pair]) -> Iterator[dict[bytes, bytes]]:
    """Cut pairs into stretches in which no key comes twice, for of two writes at once neither replaces the other."""
    stretch: dict[bytes, bytes] = {}
    for key, value in pairs:
        if len(stretch) == PUTS_AT_ONCE or key in stretch:
            yield stretch
            stretch = {}
        if len(value) > VALUE_BYTES_MAX:
            raise CallerError(f"the value of {shown_key(key)} has {len(value)} bytes; the limit is {VALUE_BYTES_MAX}")
        stretch[key] = value
    if stretch:
        yield stretch


def _check_quorum(word: str, required: int, quorum: Quorum) -> None:
    if required > quorum.replicas:
        raise CallerError(f"{word}_required = {required} is more than the {quorum.replicas} replicas there are")


def _check_writable(key: bytes) -> None:
    _check_size(key)
    if key.startswith(SYSTEM_PREFIXES):
        raise CallerError(f"{shown_key(key)} belongs to files and jobs; choose a key that begins otherwise")


def _check_size(key: bytes) -> None:
    if not 1 <= len(key) <= KEY_BYTES_MAX:
        raise CallerError(f"a key has 1 to {KEY_BYTES_MAX} bytes, not {len(key)}")
