"""Bring in pyarrow where a job asks for it, and not before: it takes 50 MB of memory, and need not be installed."""

import sys
from functools import cache
from typing import Any

from .faults.wording import fault

INSTALL = (
    "pip install 'murmuration[arrow]' where the job is submitted and at every peer; or do without tables: "
    "--input-format csv, jsonl or msgpack with map(key, value), --output-format csv, jsonl or msgpack"
)


@cache
def arrow() -> Any:
    """Give the module `pyarrow`, kept from starting threads of its own: an executor has one slot.

    Raises `UserFault` if it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.csv
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise fault("MissingLibrary", f"tables need pyarrow, which is not there: {error}", hint=INSTALL) from error
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    return pyarrow


def may_be_tables() -> bool:
    """Tell whether anything can be a table: not before somebody has brought pyarrow in."""
    return "pyarrow" in sys.modules


def is_table(thing: Any) -> bool:
    """Tell whether something is an Arrow table, or a batch of records; without pyarrow nothing is."""
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and isinstance(thing, (pyarrow.Table, pyarrow.RecordBatch))


def plain_table(batch: Any) -> Any:
    """Make a table of a batch of records, without what is told beside; raises `ValueError` if a name is no text."""
    table = arrow().Table.from_batches([batch]).replace_schema_metadata(None)
    if not all(isinstance(name, str) for name in table.column_names):
        raise ValueError("a column has no name")
    return table
