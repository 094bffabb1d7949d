"""Read a split for `map_batch`: about 1 MiB of records at a time, as one thing to look at."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..arrow import arrow, is_table
from ..formats.blocks import line_blocks, record_blocks
from ..formats.formats import input_format
from ..formats.text import decoded, halves
from ..tasks import MapTask
from .bulk import Bulk
from .layout import SEEN_AS_TABLES, fixed_layout
from .lines import LineBatch


def bulk_format(name: str) -> Callable[[MapTask], Iterator[Bulk]]:
    """Give what reads an input format for `map_batch`; raises `UserFault` if there is none of that name."""
    input_format(name)
    fixed = fixed_layout(name)
    if fixed is not None:
        return partial(_arrays, fixed[0])
    if name == "bytes-lines":
        return partial(_lines, raw=True)
    if name == "whole-file":
        return _files
    if name in SEEN_AS_TABLES:
        from .table_reading import READERS  # late: only such jobs need it

        arrow()
        return READERS[name]
    return partial(_lines, key=_before_tab if name == "key-value" else None)


def picked(batch: Any, places: list[int]) -> Any:
    """Make a batch of some records of one, at ascending places."""
    if isinstance(batch, LineBatch):
        return batch.picked(places)
    if is_table(batch):
        return batch.take(places)
    return [batch[place] for place in places] if isinstance(batch, list) else batch[places]


def _lines(task: MapTask, *, raw: bool = False, key: Callable[[Any], Any] | None = None) -> Iterator[Bulk]:
    number = task.first_line
    for block in line_blocks(task.extents):
        lines = LineBatch(block, number, decode=partial(decoded, task, number), raw=raw, key=key)
        yield Bulk(first_line=number, size=len(block), content=lines)
        number += len(lines)


def _before_tab(line: str) -> str:
    return halves(line)[0]


def _files(task: MapTask) -> Iterator[Bulk]:
    for batch in input_format("whole-file")(task):
        yield Bulk(first_line=1, size=batch.size, content=[value for _, value in batch.pairs()])


def _arrays(width: int, task: MapTask) -> Iterator[Bulk]:
    import numpy as np  # late: only such jobs need it

    number = task.first_line
    for block in record_blocks(task.extents, width):
        array = np.frombuffer(block, dtype=f"S{width}")
        yield Bulk(first_line=number, size=len(block), content=array)
        number += len(array)
