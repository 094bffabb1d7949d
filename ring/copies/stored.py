"""Read and name stored rows: what `replica` and its neighbours have in common."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec.msgpack import Decoder, Encoder

from ..errors import Corrupt
from ..facts import Update, Versions
from ..outcomes import AcceptorState, StoreOutcome
from ..terms import PeerId

Read = Callable[[bytes], bytes | None]
Scan = Callable[[bytes, bytes, int], Sequence[tuple[bytes, bytes | None]]]
Writes = dict[bytes, bytes | None]
Step = tuple[Writes, StoreOutcome]
Row = TypeVar("Row", Versions, AcceptorState, Update, int)

encode: Final = Encoder().encode
"""Give the bytes of a row."""

_DECODERS: Final[dict[type, Decoder[Any]]] = {kind: Decoder(kind) for kind in (Versions, AcceptorState, Update, int)}


STEP_BYTES_MAX: Final = 4 << 20
"""Bytes of rows that one step reads before it ends, for nothing else is written or read meanwhile."""

_FIRST_ROWS = 4
_GROWTH = 16
_ROWS_AHEAD_MAX = 512
_BYTES_AHEAD = 1 << 20


class Copies:
    """The rows as one step reads and writes them: each is read once, and each copy of a key is coded once."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._rows: dict[bytes, bytes | None] = {}
        self._versions: dict[bytes, Versions] = {}

    def read(self, row: bytes) -> bytes | None:
        """Give what a row held before the step.

        Raises:
            Corrupt: a value is there, but it is damaged.
        """
        if row not in self._rows:
            self._rows[row] = self._read(row)
        return self._rows[row]

    def versions(self, row: bytes) -> Versions | None:
        """Give the copy in a row, None where there is none.

        Raises:
            Corrupt: it is there, and cannot be read.
        """
        raw = self.read(row)
        return None if raw is None else self.decode(row, raw)

    def decode(self, row: bytes, raw: bytes) -> Versions:
        """Decode a copy that was read or encoded in this step, or another.

        Raises:
            Corrupt: it cannot be read.
        """
        versions = self._versions.get(raw)
        if versions is None:
            versions = self._versions[raw] = decode(row, raw, Versions)
        return versions

    def encode(self, versions: Versions) -> bytes:
        """Encode a copy that is to be written."""
        raw = encode(versions)
        self._versions[raw] = versions
        return raw


def hint_prefix(target: PeerId, kind: bytes) -> bytes:
    """Name what the rows of hints for a peer begin with: of kind `v` for keys, and `c` for chunks."""
    return b"h/" + target.encode() + b"/" + kind + b"/"


def read_row(read: Read, row: bytes, kind: type[Row]) -> Row | None:
    """Read one row, None where there is none.

    Raises:
        Corrupt: it is there, and cannot be read.
    """
    raw = read(row)
    return None if raw is None else decode(row, raw, kind)


def decode(row: bytes, raw: bytes | None, kind: type[Row]) -> Row:
    """Decode a row's value, which is None where a scan has found it damaged.

    Raises:
        Corrupt: it cannot be read.
    """
    if raw is None:
        raise Corrupt(f"corrupt row {row!r}: its checksum does not match")
    try:
        found: Row = _DECODERS[kind].decode(raw)
    except msgspec.DecodeError as error:
        raise Corrupt(f"corrupt row {row!r}: {error}") from error
    return found


def page_of(
    scan: Scan, prefix: bytes, after: bytes, limit: int, kind: type[Row]
) -> tuple[list[tuple[bytes, Row]], list[bytes]]:
    """Read `limit` sound rows, or all there are; beside them name the corrupt ones that were passed over."""
    sound: list[tuple[bytes, Row]] = []
    corrupt: list[bytes] = []
    while len(sound) < limit:
        wanted = limit - len(sound)
        rows = scan(prefix, after, wanted)
        for row, raw in rows:
            try:
                sound.append((row, decode(row, raw, kind)))
            except Corrupt:
                corrupt.append(row)
        if len(rows) < wanted:
            break
        after = rows[-1][0]
    return sound, corrupt


def rows_after(scan: Scan, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Read the rows of a range one after the other, and only a few ahead, by the weight of those before."""
    wanted = _FIRST_ROWS
    while rows := scan(prefix, after, wanted):
        yield from rows
        if len(rows) < wanted:
            return
        after = rows[-1][0]
        weight = sum(len(row) + len(raw or b"") for row, raw in rows)
        wanted = min(_GROWTH * wanted, _ROWS_AHEAD_MAX, max(1, _BYTES_AHEAD * len(rows) // weight))
