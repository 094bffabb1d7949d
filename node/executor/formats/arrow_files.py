"""Read Arrow's own files, and its streams: a file is one split, for its batches are found by reading it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..arrow import arrow, plain_table
from ..faults.wording import UserFault, fault
from ..tasks import MapTask
from . import blocks
from .batch import Batch, numbered
from .split_file import SplitFile
from .uncut import check_uncut

MAGIC = b"ARROW1"
"""What a file begins with, and a stream does not."""

REWRITE = "see whether another reader opens the file; pyarrow.ipc.new_file writes one that can be read here"


def arrow_batches(task: MapTask) -> Iterator[Batch]:
    """Give rows as dicts, under their numbers in the file."""
    for number, size, table in arrow_tables(task):
        with _blaming(task, number):
            rows = table.to_pylist()
        yield Batch(first_line=number, size=size, records=rows, pairing=numbered(number))


def arrow_tables(task: MapTask) -> Iterator[tuple[int, int, Any]]:
    """Give tables of about 1 MiB, each after the number of its first row and the bytes that were read for it."""
    check_uncut(task, "arrow")
    line, before = 1, 0
    with closing(SplitFile(task)) as file:
        for table in _tables(task, file):
            step = max(1, blocks.BLOCK_BYTES * len(table) // max(1, table.nbytes))
            read, before = max(0, file.tell() - before), max(before, file.tell())
            for begin in range(0, len(table), step):
                yield line, read * min(step, len(table) - begin) // len(table), table.slice(begin, step)
                line += min(step, len(table) - begin)


def _tables(task: MapTask, file: SplitFile) -> Iterator[Any]:
    number = 0
    with _blaming(task, 1):
        reader, count = _opened(file)
    while count is None or number < count:
        with _blaming(task, 1):
            batch = next(reader, None) if count is None else reader.get_batch(number)
            if batch is None:
                return
            batch.validate(full=True)
            table = plain_table(batch)
        number += 1
        yield table


def _opened(file: SplitFile) -> tuple[Any, int | None]:
    """Give a reader, and the number of batches where that is known."""
    pa = arrow()
    is_file = file.read(len(MAGIC)) == MAGIC
    file.seek(0)
    source = pa.PythonFile(file, mode="r")
    if not is_file:
        return iter(pa.ipc.open_stream(source)), None
    reader = pa.ipc.open_file(source)
    return reader, reader.num_record_batches


@contextmanager
def _blaming(task: MapTask, line: int) -> Iterator[None]:
    try:
        yield
    except UserFault:
        raise
    except (arrow().ArrowException, OSError, ValueError) as error:
        message = f"{task.file} cannot be read: {error}"
        raise fault("BadArrowFile", message, hint=REWRITE, file=task.file, line=line) from error
