"""Call `map_batch`, and tell the pairs that it gives from records, or tables, that it passes on."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..arrow import is_table, may_be_tables
from ..faults.wording import fault
from ..formats.formats import Encode
from ..formats.outputs import PartWriter
from .lines import LineBatch

if TYPE_CHECKING:
    from .records import Records
    from .tables import Tables

Sink = Callable[["Records"], None]
"""Takes records to where they go without becoming pairs."""

RowSink = Callable[["Tables"], None]
"""Takes rows of tables there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """Where what is passed on goes; without a sink it becomes pairs."""

    records: Sink | None = None
    rows: RowSink | None = None


NO_SINKS = Sinks()


class BatchEmit:
    """Calls a mapper's `map_batch` on each batch; what it gives is an iterable of pairs."""

    def __init__(self, map_batch: Callable[[Any], Any], key_bytes: int | None, sinks: Sinks = NO_SINKS) -> None:
        """Let records go to their sink, if there is one, until the first pairs: later ones must come after those.

        So must rows of tables after records, and records after these.
        """
        self._map_batch = map_batch
        self._key_bytes = key_bytes
        self._sink = sinks.records
        self._row_sink = sinks.rows

    def __call__(self, _: Any, batch: Any) -> Iterable[tuple[Any, Any]]:
        """Give the pairs of a batch; the key is none of ours."""
        given = self._map_batch(batch)
        if given is None:
            return ()
        if isinstance(given, LineBatch):
            return self._lines(given)
        if is_array(given):
            return self._array(given)
        if is_table(given):
            return self._table(given)
        if isinstance(given, Mapping):
            self._sink = self._row_sink = None
            return given.items()
        return self._some(given)

    def _some(self, given: Any) -> Iterable[tuple[Any, Any]]:
        """Give the pairs of an iterable; one that gives tables is gone through at once."""
        if may_be_tables():
            walk = iter(given)
            for first in walk:
                given = chain([first], walk)
                if is_table(first):
                    return chain.from_iterable(map(self._table, given))
                break
        self._sink = self._row_sink = None
        pairs: Iterable[tuple[Any, Any]] = given
        return pairs

    def _table(self, given: Any) -> Iterable[tuple[Any, Any]]:
        if not is_table(given):
            raise fault("BadBatch", f"after a table map_batch gave {given!r:.100}", hint="yield tables, or pairs")
        from .tables import tables_of  # late: only such jobs need pyarrow

        rows, self._sink = tables_of(given), None
        if self._row_sink is None:
            return rows.pairs()
        self._row_sink(rows)
        return ()

    def _lines(self, given: LineBatch) -> Iterable[tuple[Any, Any]]:
        self._row_sink = None
        records = given.records() if self._sink is not None else None
        if self._sink is not None and records is not None:
            self._sink(records)
            return ()
        self._sink = None
        return given.pairs()

    def _array(self, given: Any) -> Iterable[tuple[Any, Any]]:
        from .records import records_of_array

        records = records_of_array(given, self._key_bytes)
        if records is None:
            raise fault(
                "BadBatch",
                f"map_batch gave an array of {given.dtype} in {given.ndim} dimensions",
                hint="records are passed on as an array of dtype S or V; give anything else as pairs, or as a dict",
            )
        self._row_sink = None
        if self._sink is None:
            return records.pairs()
        self._sink(records)
        return ()


def record_sink(part: PartWriter, encode: Encode) -> Sink:
    """Give what writes records to a part as they come, in one of the formats that `WRITES_RECORDS` names."""

    def write(records: "Records") -> None:
        from .records import write_to  # late: only such jobs need numpy

        write_to(part, records, encode)

    return write


def row_sink(part: PartWriter) -> RowSink:
    """Give what writes rows to a part as they come, in one of the formats that `WRITES_TABLES` names."""
    return lambda rows: part.write_table(rows.table)


def is_array(thing: Any) -> bool:
    """Tell whether something is a numpy array; without numpy nothing is."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.ndarray)
