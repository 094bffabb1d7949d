"""Look through rows for those that no longer match their checksums, and make a damaged hint anew on the spot.

A hint is a copy of what its keeper holds itself, so nobody else is needed: what this peer holds of the key now covers
whatever the hint held. A damaged hint of a key or chunk that is not here any more stands for nothing, and goes.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ..errors import Corrupt
from ..operations import ScrubRows
from ..outcomes import RowsScrubbed

VALUES: Final = b"v/"
HINTS: Final = b"h/"

Read = Callable[[bytes], bytes | None]
Scan = Callable[[bytes, bytes, int], Sequence[tuple[bytes, bytes | None]]]
Writes = dict[bytes, bytes | None]


def scrub_rows(operation: ScrubRows, read: Read, scan: Scan) -> tuple[Writes, RowsScrubbed]:
    """Read the next rows of all kinds, in the order of their keys; give what mends the hints among them."""
    rows = scan(b"", operation.after, operation.limit)
    corrupt = [row for row, raw in rows if raw is None]
    writes = {row: _source_of_hint(row, read) for row in corrupt if row.startswith(HINTS)}
    outcome = RowsScrubbed(
        keys=tuple(row[len(VALUES) :] for row in corrupt if row.startswith(VALUES)),
        hints=len(writes),
        others=tuple(row for row in corrupt if not row.startswith((VALUES, HINTS))),
        after=rows[-1][0] if len(rows) == operation.limit else None,
        rows=len(rows),
        bytes_read=sum(len(raw) for _, raw in rows if raw is not None),
    )
    return writes, outcome


def _source_of_hint(row: bytes, read: Read) -> bytes | None:
    """Find what a hint for `h/<target>/v/<key>` or `h/<target>/c/<digest>` is made of again; None drops it."""
    _, _, kind, key = row.split(b"/", 3)
    try:
        return read(kind + b"/" + key)
    except Corrupt:
        return None
