"""Output of a job: all of it at once where it was wanted, or nothing."""

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from murmuration.client.jobs.output import (
    Delivery,
    check_names,
    check_output,
    output_place,
    receive_directory,
    receive_stream,
)
from murmuration.client.jobs.results import read_lines, read_pairs
from murmuration.client.jobs.staging import staged_directory, staged_file
from murmuration.client.store.files import RingFiles
from murmuration.node.executor.arrow import arrow
from murmuration.node.executor.formats.formats import output_format as encoder
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import CallerError, RemoteError, WorldError
from murmuration.scheduling.jobs import ChunkRef, StoredFile

CONTENTS = {chunk_digest(text): text for text in (b"a\t1\n", b"b\t2\n", b"c\t3\n")}


def part(number: int, *texts: bytes) -> StoredFile:
    chunks = tuple(ChunkRef(digest=chunk_digest(text), size=len(text), newlines=1) for text in texts)
    return StoredFile(name=f"part-r-{number:05d}", size=sum(map(len, texts)), chunks=chunks)


PARTS = (part(0, b"a\t1\n", b"b\t2\n"), part(1), part(2, b"c\t3\n"))


def stream(chunks: Iterable[ChunkRef]) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk.digest not in CONTENTS:
            raise WorldError("chunk cannot be read")
        yield CONTENTS[chunk.digest]


def test_directory_holds_every_part_and_nothing_else(tmp_path: Path) -> None:
    receive_directory(PARTS, tmp_path / "out", stream)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == {
        "part-r-00000": b"a\t1\nb\t2\n",
        "part-r-00001": b"",
        "part-r-00002": b"c\t3\n",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_directory_that_is_empty_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    receive_directory(PARTS, tmp_path / "out", stream)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_failure_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(WorldError):
        receive_directory((*PARTS, part(3, b"lost\n")), tmp_path / "out", stream, overwrite=True)
    with pytest.raises(WorldError):
        receive_directory((*PARTS, part(3, b"lost\n")), tmp_path / "new", stream)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["out", "out/mine"]


def test_directory_in_use_is_replaced_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(CallerError, match="exists"):
        receive_directory(PARTS, tmp_path / "out", stream)
    assert (tmp_path / "out" / "old").exists()
    receive_directory(PARTS, tmp_path / "out", stream, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [one.name for one in PARTS]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupt_leaves_nothing_behind(tmp_path: Path, interrupt: BaseException) -> None:
    with pytest.raises((KeyboardInterrupt, WorldError)), staged_directory(tmp_path / "out") as hidden:
        (hidden / "some").write_text("x")
        raise interrupt
    with pytest.raises((KeyboardInterrupt, WorldError)), staged_file(tmp_path / "file") as hidden:
        hidden.write_text("x")
        raise interrupt
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_half_written_goes_and_what_another_is_writing_stays(tmp_path: Path) -> None:
    (tmp_path / ".out.murmur-0123abcd").mkdir()
    (tmp_path / ".out.murmur-0123abcd" / "some").write_text("x")
    (tmp_path / ".other.murmur-0123abcd").mkdir()
    with staged_directory(tmp_path / "out") as first:
        (first / "first").touch()
        with staged_file(tmp_path / "out") as second:
            second.touch()
            assert first.is_dir()
            assert not (tmp_path / ".out.murmur-0123abcd").exists()
        (tmp_path / "out").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.murmur-0123abcd", "out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first"]


def test_place_taken_while_the_job_ran_is_not_overwritten(tmp_path: Path) -> None:
    def racing(chunks: Iterable[ChunkRef]) -> Iterator[bytes]:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine").write_text("kept")
        yield from stream(chunks)

    with pytest.raises(WorldError, match="out cannot be written"):
        receive_directory(PARTS, tmp_path / "out", racing)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


@pytest.mark.parametrize("place", ["out", "file"])
def test_output_that_exists_is_refused_before_the_job(tmp_path: Path, fs: RingFiles, place: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").touch()
    (tmp_path / "file").touch()
    with pytest.raises(CallerError, match="exists; use --overwrite or another --output"):
        check_output(str(tmp_path / place), fs, overwrite=False)
    check_output(str(tmp_path / place), fs, overwrite=True)


def test_output_in_the_ring_that_exists_is_refused_before_the_job(tmp_path: Path, fs: RingFiles) -> None:
    (tmp_path / "x").write_text("x")
    fs.put(tmp_path / "x", "ring:/out/x")
    with pytest.raises(CallerError, match="ring:/out exists; use --overwrite or another --output"):
        check_output("ring:/out", fs, overwrite=False)
    check_output("ring:/out", fs, overwrite=True)
    check_output("ring:/other", fs, overwrite=False)


def test_output_has_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert output_place("out") == str(tmp_path / "out")
    assert output_place("ring://a//b/") == "ring:/a/b"
    assert output_place("-") == "-"
    with pytest.raises(CallerError):
        output_place("ring:/")
    with pytest.raises(CallerError, match="not to URLs"):
        output_place("s3://bucket/out")


def test_stdout_gets_the_parts_in_order() -> None:
    target = io.BytesIO()
    receive_stream(PARTS, target, stream)
    assert target.getvalue() == b"a\t1\nb\t2\nc\t3\n"


def test_output_is_delivered_once(fs: RingFiles) -> None:
    target = io.BytesIO()
    delivery = Delivery("-", fs, stdout=target)
    delivery.deliver((part(0),))
    delivery.deliver((part(0, b"unreadable\n"),))
    assert target.getvalue() == b""


def test_part_names_that_climb_or_repeat_are_refused() -> None:
    for names in (("../x",), ("a/b",), ("",), (".hidden",), ("a", "a")):
        with pytest.raises(RemoteError):
            check_names([StoredFile(name=name, size=0, chunks=()) for name in names])


def test_pairs_come_back_however_the_pieces_were_cut() -> None:
    whole = "a\t1\nb\t2\tx\n\nlone\n\u00e9\t3".encode()
    expected = [("a", "1"), ("b", "2\tx"), ("", ""), ("lone", ""), ("\u00e9", "3")]
    for size in range(1, len(whole) + 1):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert list(read_pairs(pieces, "text")) == expected


def test_pairs_of_other_formats_come_back_or_are_refused() -> None:
    assert list(read_pairs([b'{"key": 1, "value": [2]}\n'], "jsonl")) == [(1, [2])]
    assert list(read_pairs([b"x\ny\n"], "values")) == [(None, "x"), (None, "y")]
    with pytest.raises(CallerError, match="fixed"):
        read_pairs([], "fixed")


@pytest.mark.parametrize("output_format", ["csv", "msgpack", "parquet", "arrow"])
@pytest.mark.parametrize("size", [3, 1 << 20])
def test_rows_come_back_as_dicts_under_no_key_and_pairs_as_pairs(output_format: str, size: int) -> None:
    rows = [{"city": 'a, "b"\nc\u2028', "amount": at} for at in range(5000)]
    for pairs in ([(None, row) for row in rows], [(f"k{at}", at) for at in range(9)], []):
        part = output_of(output_format, pairs)
        back = list(read_pairs([part[at : at + size] for at in range(0, len(part), size)], output_format))
        assert back == (as_text(pairs) if output_format == "csv" else pairs)


def as_text(pairs: list[tuple[object, object]]) -> list[tuple[object, object]]:
    return [
        (key, {name: str(field) for name, field in value.items()} if isinstance(value, dict) else str(value))
        for key, value in pairs
    ]


def output_of(output_format: str, pairs: list[tuple[object, object]]) -> bytes:
    write = encoder(output_format)
    return write(pairs) + write.end()


def test_output_of_tables_without_pyarrow_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arrow.cache_clear()
    try:
        with pytest.raises(CallerError, match=r"pip install 'murmuration\[arrow\]'"):
            list(read_pairs([b"x"], "parquet"))
    finally:
        arrow.cache_clear()


def test_lines_end_at_newlines_only() -> None:
    assert list(read_lines(["a\u2028b\x0cc\n".encode(), b"\xff\n"])) == ["a\u2028b\x0cc", "\udcff"]
