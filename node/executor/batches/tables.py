"""Hold Arrow tables whose first column is the key, and deal, sort and write them without making objects of their rows.

Import it where tables are at hand, and not before. Keys stand in the same order, and go to the same partitions, as they
would one by one: dealing makes an object of each different key.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ....scheduling.ordering import order_key
from ..arrow import arrow
from ..faults.wording import BadTable
from ..shuffle.dealing import Dealer
from .layout import TABLE_KIND
from .rows import RowKind

KEY_TYPES = (
    "is_null",
    "is_boolean",
    "is_integer",
    "is_float32",
    "is_float64",
    "is_string",
    "is_large_string",
    "is_binary",
    "is_large_binary",
)
"""What the first column may be of."""

KEYS = (
    "the first column of a table is its key, which must hold numbers, text or bytes: "
    "table.select([...]) puts another first, and .cast(...) makes text of what is neither"
)


class Tables:
    """Rows of a table, each under what its first column holds."""

    __slots__ = ("table",)

    def __init__(self, table: Any) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def nbytes(self) -> int:
        """Count the bytes that they take."""
        return int(self.table.nbytes)

    def part(self, begin: int, end: int) -> "Tables":
        """Give some adjoining rows."""
        return Tables(self.table.slice(begin, end - begin))

    def taken(self, places: Any) -> "Tables":
        """Give the rows at these places, in that order."""
        return Tables(self.table.take(arrow().array(places)))

    def keys(self) -> list[Any]:
        """Make an object of each key."""
        return list(self.table.column(0).to_pylist())

    def values(self) -> list[dict[str, Any]]:
        """Make a dict of each row."""
        return list(self.table.to_pylist())

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Walk through the rows one by one, each a dict under its key."""
        return zip(self.keys(), self.values(), strict=True)

    def order(self) -> Any:
        """Give the places of the rows in the order of their keys; equal keys keep theirs."""
        key = self.table.column_names[0]
        order = arrow().compute.sort_indices(self.table.select([0]), sort_keys=[(key, "ascending")]).to_numpy()
        return np.roll(order, self.table.column(0).null_count)  # Arrow has nulls last, and None comes first

    def sorted(self) -> "Tables":
        """Give all rows in the order of their keys."""
        return self.taken(self.order())

    def key(self, place: int) -> Any:
        """Give what a row is sorted by."""
        return order_key(self.table.column(0)[place].as_py())

    def before(self, key: Any, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is not below this one."""
        return bisect_left(range(len(self)), key, begin, key=self.key)

    def up_to(self, key: Any, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is above this one."""
        return bisect_right(range(len(self)), key, begin, key=self.key)

    def dealt(self, dealer: Dealer, partitions: int) -> list["Tables"]:
        """Give each partition its rows, in the order in which they are; raises as the dealer does."""
        encoded = self.table.column(0).dictionary_encode(null_encoding="encode").unify_dictionaries()
        if not len(encoded):
            return [self] * partitions
        of_keys = np.array(dealer(encoded.chunk(0).dictionary.to_pylist()), np.uint16)
        if partitions == 1:
            return [self]
        numbers = of_keys[np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])]
        ordered = self.taken(numbers.argsort(kind="stable"))
        ends = np.bincount(numbers, minlength=partitions).cumsum().tolist()
        return [ordered.part(begin, end) for begin, end in pairwise([0, *ends])]


def tables_of(given: Any) -> Tables:
    """Take what a program passes on: a table, or a batch of records.

    Raises `BadTable` if its first column cannot be a key, or two columns have the same name.
    """
    pa = arrow()
    table = pa.Table.from_batches([given]) if isinstance(given, pa.RecordBatch) else given
    table = table.replace_schema_metadata(None)
    names = table.column_names
    if not names or len(set(names)) < len(names):
        raise BadTable(f"the table that was given has the columns {names!r:.200}", "name each once, and one at least")
    kind = table.schema.types[0]
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        table = table.set_column(0, names[0], table.column(0).cast(kind))
    if not any(getattr(pa.types, test)(kind) for test in KEY_TYPES):
        raise BadTable(f"the column {names[0]!r} of type {kind} cannot be a key", KEYS)
    return Tables(table)


def joined(parts: Sequence[Tables]) -> Tables:
    """Put rows of one schema, of which there is at least one part, into one table."""
    return Tables(arrow().concat_tables([part.table for part in parts]))


def bodies_of(pieces: Iterable[Tables], block_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Make blocks of about so many bytes of rows, which may differ in schema; gives each with its rows."""
    held: list[Tables] = []
    room = 0
    for piece in pieces:
        for some in _small(piece, block_bytes):
            if held and (room < some.nbytes or not held[0].table.schema.equals(some.table.schema)):
                yield _body(held)
                held = []
            room = (room if held else block_bytes) - some.nbytes
            held.append(some)
    if held:
        yield _body(held)


def tables_of_body(body: bytes) -> Tables:
    """See a block of a run as rows again."""
    pa = arrow()
    with pa.ipc.open_stream(pa.py_buffer(memoryview(body)[len(TABLE_KIND) :])) as reader:
        return Tables(reader.read_all())


def columns_of_body(body: bytes) -> tuple[list[Any], tuple[Any, ...]]:
    """Make the columns of a block of pairs: each row as a dict under its key."""
    rows = tables_of_body(body)
    return rows.keys(), tuple(rows.values())


TABLES = RowKind(bodies=bodies_of, of_body=tables_of_body, joined=joined)


def dealing_tables(partitions: int, dealer: Dealer) -> Callable[[Tables], list[Tables]]:
    """Give what deals rows as the dealer does."""
    return lambda rows: rows.dealt(dealer, partitions)


def _small(piece: Tables, block_bytes: int) -> Iterator[Tables]:
    step = max(1, block_bytes * len(piece) // max(1, piece.nbytes))
    return (piece.part(begin, min(begin + step, len(piece))) for begin in range(0, len(piece), step))


def _body(held: Sequence[Tables]) -> tuple[bytes, int]:
    pa = arrow()
    table = pa.concat_tables([some.table for some in held]).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return TABLE_KIND + sink.getvalue().to_pybytes(), table.num_rows
