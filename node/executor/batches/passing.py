"""Call `map_batch`, and tell the pairs that it gives from records that it passes on."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..faults.wording import fault
from ..formats.formats import Encode
from ..formats.outputs import PartWriter
from .lines import LineBatch

if TYPE_CHECKING:
    from .records import Records

Sink = Callable[["Records"], None]
"""Takes records to where they go without becoming pairs."""


class BatchEmit:
    """Calls a mapper's `map_batch` on each batch; what it gives is an iterable of pairs."""

    def __init__(self, map_batch: Callable[[Any], Any], key_bytes: int | None, sink: Sink | None) -> None:
        """Let records go to the sink, if there is one, until the first pairs: later ones must come after those."""
        self._map_batch = map_batch
        self._key_bytes = key_bytes
        self._sink = sink

    def __call__(self, _: Any, batch: Any) -> Iterable[tuple[Any, Any]]:
        """Give the pairs of a batch; the key is none of ours."""
        given = self._map_batch(batch)
        if given is None:
            return ()
        if isinstance(given, LineBatch):
            return self._lines(given)
        if is_array(given):
            return self._array(given)
        self._sink = None
        pairs: Iterable[tuple[Any, Any]] = given.items() if isinstance(given, Mapping) else given
        return pairs

    def _lines(self, given: LineBatch) -> Iterable[tuple[Any, Any]]:
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


def is_array(thing: Any) -> bool:
    """Tell whether something is a numpy array; without numpy nothing is."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.ndarray)
