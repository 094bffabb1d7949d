"""Files of tables are planned by a look at their ends, here and in the ring, and their splits can be run again here."""

import io
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from murmuration.client.jobs.inputs import find_inputs
from murmuration.client.jobs.options import JobOptions
from murmuration.client.jobs.planning import Planner
from murmuration.client.jobs.rehearsing import prepare_rehearsal
from murmuration.client.progress import Silence
from murmuration.client.store.chunks import ChunkReader
from murmuration.client.store.files import RingFiles
from murmuration.client.store.share import Share
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import JobRecord, Program

SHOW = b"def map(key, row):\n    yield key, row['n']\n"


def plan(connection: Any, share: Share, fs: RingFiles, word: object, reads: str, **options: Any) -> JobRecord:
    planner = Planner(ChunkReader(connection), share.session(), 2, Silence())
    chosen = JobOptions(input_format=reads, reducers=0, **options)
    return planner.plan(Program("source", "show.py", SHOW), find_inputs([str(word)], fs), "", chosen)


def write(path: Path, reads: str, rows: int = 3000) -> bytes:
    table = pa.table({"n": range(rows), "name": [f"name {number * 7919}" for number in range(rows)]})
    sink = io.BytesIO()
    if reads == "parquet":
        pa.parquet.write_table(table, sink, row_group_size=200)
    else:
        sink.write(b"n,name\n" + b"".join(b"%d,name %d\n" % (number, number) for number in range(rows)))
    path.write_bytes(sink.getvalue())
    return sink.getvalue()


@pytest.mark.parametrize("place", ["here", "ring"])
@pytest.mark.parametrize("reads", ["csv", "parquet"])
def test_splits_tile_a_file_of_a_table_and_any_can_be_rehearsed(
    connection: Any, share: Share, fs: RingFiles, tmp_path: Path, place: str, reads: str
) -> None:
    content = write(tmp_path / "table", reads)
    fs.put(tmp_path / "table", "ring:/table", chunk_size=5000)
    word = tmp_path / "table" if place == "here" else "ring:/table"
    record = plan(connection, share, fs, word, reads, split_size=6000)
    assert len(record.splits) > 4
    assert (record.splits[0].begin, record.splits[-1].end) == (0, len(content))
    assert all(here.end == there.begin and here.end > here.begin for here, there in pairwise(record.splits))
    (file,) = record.files
    head, tail = content[: file.head], content[len(content) - file.tail :]
    assert (head, tail[-4:]) == ((b"n,name\n", b"") if reads == "csv" else (b"", b"PAR1"))
    command = prepare_rehearsal(record, 2, ChunkReader(connection))
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    between = record.splits[3].first_line - record.splits[2].first_line
    assert f"{between} records in" in ran.stderr


def test_file_of_a_table_is_looked_at_and_not_read(
    connection: Any, share: Share, fs: RingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "table", "parquet")
    fs.put(tmp_path / "table", "ring:/table", chunk_size=5000)

    def forbidden(*_: object) -> bytes:
        raise AssertionError("a chunk was read whole")

    monkeypatch.setattr(ChunkReader, "read", forbidden)
    assert plan(connection, share, fs, "ring:/table", "parquet", splits=7).splits[6].end > 0


def test_exactly_as_many_splits_are_made_of_row_groups_as_are_asked_for(
    connection: Any, share: Share, fs: RingFiles, tmp_path: Path
) -> None:
    content = write(tmp_path / "table", "parquet")
    for wanted in (1, 2, 7, 15, 16, 40):
        record = plan(connection, share, fs, tmp_path / "table", "parquet", splits=wanted)
        assert len(record.splits) == wanted
        assert [split.begin for split in record.splits[1:]] == [split.end for split in record.splits[:-1]]
        assert record.splits[-1].end == len(content)


def test_formats_that_are_read_from_the_beginning_make_one_split_of_a_file(
    connection: Any, share: Share, fs: RingFiles, tmp_path: Path
) -> None:
    (tmp_path / "many").write_bytes(b"\x01" * 10_000)
    for reads in ("msgpack", "arrow"):
        (split,) = plan(connection, share, fs, tmp_path / "many", reads, split_size=100).splits
        assert (split.begin, split.end, split.first_line) == (0, 10_000, 1)


def test_file_that_is_not_what_its_format_promises_is_refused_by_name(
    connection: Any, share: Share, fs: RingFiles, tmp_path: Path
) -> None:
    (tmp_path / "table").write_bytes(b"a,a\n1,2\n")
    for reads, message in (
        ("csv", "table: the first line names two columns 'a'; give"),
        ("parquet", "not as a Parquet"),
    ):
        with pytest.raises(CallerError, match=message):
            plan(connection, share, fs, tmp_path / "table", reads)
