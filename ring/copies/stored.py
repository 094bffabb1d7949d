"""Read and name stored rows: what `replica` and its neighbours have in common."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from ..errors import Corrupt
from ..facts import Update, Versions
from ..outcomes import AcceptorState, StoreOutcome
from ..terms import PeerId

Read = Callable[[bytes], bytes | None]
Scan = Callable[[bytes, bytes, int], Sequence[tuple[bytes, bytes | None]]]
Writes = dict[bytes, bytes | None]
Step = tuple[Writes, StoreOutcome]
Row = TypeVar("Row", Versions, AcceptorState, Update, int)


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
        return msgspec.msgpack.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise Corrupt(f"corrupt row {row!r}: {error}") from error


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
