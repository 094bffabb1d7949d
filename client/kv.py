"""Put, get, delete and list keys: what `client.kv` offers."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..node.wire.requests import FindKeys, GetKey, KeyGot, KeyPut, KeysFound, PutKey
from ..ring.errors import CallerError
from ..ring.messages import Context
from ..ring.terms import VALUE_BYTES_MAX, Quorum
from ..scheduling.jobs import job_key, manifest_key
from .connection import Connection

KEY_BYTES_MAX = 4096
PAGE = 1000

SYSTEM_PREFIXES = (manifest_key(""), job_key(""), b"seal/", b"chunk/")
"""Keys that files and jobs live under: read through `client.kv` if need be, never written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValues:
    """What a read found: all concurrent values, and the context to hand back with the next put."""

    key: bytes
    values: tuple[bytes, ...]
    context: Context
    replicas_answered: int

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
    """The key-value store of a cluster; N, R and W may be chosen for each request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, key: bytes, value: bytes, *, context: Context | None = None, quorum: Quorum | None = None) -> KeyPut:
        """Write a value over what `context` covers, and tell how many copies are durable.

        Without a context the value stands beside others that were put meanwhile, as a sibling.

        Raises:
            CallerError: the key or value is too large, or the key belongs to files or jobs.
            WorldError: too few copies were acknowledged; whether the write took effect is unknown.
        """
        if len(value) > VALUE_BYTES_MAX:
            raise CallerError(
                f"a value of {len(value)} bytes is over the limit of {VALUE_BYTES_MAX}; store it with `murmur fs put`"
            )
        return self._write(key, value, context or {}, quorum)

    def get(self, key: bytes, *, quorum: Quorum | None = None) -> KeyValues:
        """Read a key: no value if it is absent, several if they are concurrent.

        Raises:
            WorldError: too few copies answered.
        """
        _check_size(key)
        got = self._connection.ask(GetKey(key=key, quorum=quorum or Quorum()), KeyGot)
        return KeyValues(
            key=key, values=tuple(dict.fromkeys(got.values)), context=got.context, replicas_answered=got.answered
        )

    def delete(self, key: bytes, *, context: Context | None = None, quorum: Quorum | None = None) -> KeyPut:
        """Delete what `context` covers; without one, what a read finds now.

        Raises:
            CallerError: as `put`.
            WorldError: as `put`.
        """
        _check_writable(key)
        known = self.get(key, quorum=quorum).context if context is None else context
        return self._write(key, None, known, quorum)

    def keys(self, prefix: bytes = b"") -> Iterator[bytes]:
        """List the live keys that begin with `prefix`, in order, but for those of files and jobs.

        A prefix that begins like theirs lists theirs.

        Raises:
            WorldError: too few peers answered to list every key.
        """
        hidden = tuple(system for system in SYSTEM_PREFIXES if not prefix.startswith(system))
        after, more = b"", True
        while more:
            page = self._connection.ask(FindKeys(prefix=prefix, after=after, limit=PAGE), KeysFound)
            yield from (key for key in page.keys if not key.startswith(hidden))
            after, more = page.keys[-1] if page.keys else after, page.more and bool(page.keys)

    def _write(self, key: bytes, value: bytes | None, context: Context, quorum: Quorum | None) -> KeyPut:
        _check_writable(key)
        request = PutKey(key=key, value=value, context=context, quorum=quorum or Quorum())
        return self._connection.ask(request, KeyPut)


def shown_key(key: bytes) -> str:
    """Spell a key for people: as text where it is text."""
    try:
        return repr(key.decode())
    except UnicodeDecodeError:
        return repr(key)


def _check_writable(key: bytes) -> None:
    _check_size(key)
    if key.startswith(SYSTEM_PREFIXES):
        raise CallerError(f"{shown_key(key)} belongs to files and jobs; choose a key that begins otherwise")


def _check_size(key: bytes) -> None:
    if not 1 <= len(key) <= KEY_BYTES_MAX:
        raise CallerError(f"a key has 1 to {KEY_BYTES_MAX} bytes, not {len(key)}")
