"""Fetch what one split of a job was, program and input, so that it can be run again here."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from ...node.executor.rehearsal import lay_out
from ...node.executor.tasks import Extent, MapTask, load_order, parted
from ...node.transport.bulk_pull import pull
from ...ring.errors import CallerError
from ...scheduling.jobs import JobRecord
from ..store.chunks import ChunkReader


def prepare_rehearsal(record: JobRecord, split: int, reader: ChunkReader) -> list[str]:
    """Lay out a split of a job in a folder of its own; gives the command that runs it there and removes the folder.

    Raises:
        CallerError: the job has no such split.
        WorldError: its input cannot be read any more.
    """
    if not 0 <= split < len(record.splits):
        raise CallerError(f"job {record.spec.name} has no split {split}: they are 0 to {len(record.splits) - 1}")
    folder = Path(tempfile.mkdtemp(prefix="murmur-debug-"))
    content = folder / "input"
    with content.open("wb") as file:
        file.writelines(_bytes_of(record, split, reader))
    cut = record.splits[split]
    extent = Extent(path=str(content), offset=0, length=content.stat().st_size)
    head, body, tail = parted((extent,), record.files[cut.file].head, cut.end - cut.begin)
    task = MapTask(
        attempt="here",
        split=split,
        file=record.files[cut.file].name,
        first_line=cut.first_line,
        first_byte=cut.begin,
        extents=body,
        output=str(folder / "output"),
        head=head,
        tail=tail,
    )
    return lay_out(folder, load_order(record, "here"), task)


def _bytes_of(record: JobRecord, split: int, reader: ChunkReader) -> Iterator[bytes]:
    cut = record.splits[split]
    file = record.files[cut.file]
    for begin, end in file.ranges(cut):
        if file.source is None:
            yield from reader.stream(file.chunks, begin, end)
        else:
            yield from pull(replace(file.source, offset=file.source.offset + begin), end - begin)
