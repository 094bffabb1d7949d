"""Input that no text should be like: the output equals that of a sequential run, or a plain error names the way out."""

import re
from collections.abc import Iterator

import pytest
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("poisoned-input")]

LINES = "def map(number, line):\n    yield line, number\n\nreduce = 'list'\n"
BYTES = "def map(number, line):\n    yield line.hex(), number\n\nreduce = 'list'\n"
LENGTHS = "def map(number, line):\n    yield str(len(line)), 1\n\nreduce = 'sum'\n"

LONG_LINE = 64 << 20
"""Bytes of a line that is longer than a chunk, a block and a frame."""

EMPTY_LINES = 1_000_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=2) as cluster, Client(cluster) as client:
        found = SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)
        yield found
        found.assert_sound()


POISONED = {
    "nothing": b"",
    "one newline": b"\n",
    "no final newline": b"a\nb\nlast",
    "CRLF": b"a\r\nb\r\n\r\nc\r\n",
    "CR at the end of all": b"a\r\nb\r",
    "lone CR": b"a\rb\nc\r\rd\n",
    "NUL": b"a\0b\n\0\n\0\0c\n",
    "byte order mark": b"\xef\xbb\xbfa\nb\xef\xbb\xbf\n",
    "other ends of lines": "a\u2028b\u2029c\x0bd\x0ce\x1cf\x85g\n\u2028\n".encode(),
    "characters of many bytes": "\U0001f426\u00e9\u4e2d\n\u4e2d\u00e9\U0001f426\U0001f426\n\u00e9".encode(),
    "tabs and quotes": b'\t\n"\n\\\n\t"\\\t\n',
    "blanks": b" \n  \n\n\x09 \n",
}


def lines_of(content: bytes) -> list[bytes]:
    """Cut as the format promises: a line ends with a newline, or a carriage return and a newline, and nothing else."""
    lines = re.split(rb"\r?\n", content)
    return lines if lines[-1] else lines[:-1]


def numbered(lines: list[str]) -> dict[str, list[int]]:
    """Do the job in one loop."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        found.setdefault(line, []).append(number)
    return found


@pytest.mark.parametrize("name", POISONED)
def test_poisoned_text_gives_what_a_sequential_run_gives_wherever_it_is_cut(stage: SoundCluster, name: str) -> None:
    content = POISONED[name]
    expected = numbered([line.decode() for line in lines_of(content)])
    stored = f"ring:/poisoned/{name.replace(' ', '-')}"
    local = stage.file(content)
    stage.client.fs.put(local, stored, chunk_size=5)
    program = stage.file(LINES, ".py")
    choices = ((local, {"split_size": 3}), (stored, {"splits": 20}))
    jobs = [stage.client.submit(program, at, output_format="jsonl", reducers=2, **how) for at, how in choices]
    assert [dict(job.result(PATIENCE_S)) for job in jobs] == [expected, expected]


def test_many_files_some_of_them_empty_are_read_as_they_are(stage: SoundCluster) -> None:
    paths = [stage.file(content) for content in (b"", b"a\nb", b"", b"\r\n", b"a", b"")]
    job = stage.client.submit(stage.file(LINES, ".py"), paths, output_format="jsonl")
    assert {line: sorted(numbers) for line, numbers in job.result(PATIENCE_S)} == {"a": [1, 1], "b": [2], "": [1]}


NOT_UTF8 = b"good\n" * 30 + b"bad \xff\xfe line\n" + b"good\n" * 10


def test_text_that_is_not_utf8_fails_with_its_line_and_the_way_out(stage: SoundCluster) -> None:
    failed = stage.failure(LINES, NOT_UTF8, splits=8)
    assert failed.error.kind == "UnicodeDecodeError"
    assert (failed.error.line, failed.error.record) == (31, repr(b"bad \xff\xfe line"))
    assert "ff fe" in failed.error.message
    assert "--input-format bytes-lines" in failed.error.hint


@pytest.mark.parametrize(
    "content", [NOT_UTF8, bytes(range(256)) * 3, b"\xed\xa0\x80\n\xf0\x9f\n\x90\xa6", b"\xff" * 99]
)
def test_any_bytes_can_be_read_as_lines_of_bytes(stage: SoundCluster, content: bytes) -> None:
    job = stage.submit(BYTES, content, input_format="bytes-lines", output_format="jsonl", split_size=7)
    assert dict(job.result(PATIENCE_S)) == numbered([line.hex() for line in lines_of(content)])


def test_a_line_longer_than_a_chunk_is_one_record(stage: SoundCluster) -> None:
    local = stage.file(b"short\n" + b"x" * LONG_LINE + b"\nshort\n")
    stage.client.fs.put(local, "ring:/long", chunk_size=16 << 20)
    job = stage.client.submit(stage.file(LENGTHS, ".py"), "ring:/long", splits=8)
    assert dict(job.result(PATIENCE_S)) == {"5": "2", str(LONG_LINE): "1"}
    stage.client.fs.rm("ring:/long")


def test_a_million_empty_lines_are_a_million_records(stage: SoundCluster) -> None:
    assert stage.pairs(LENGTHS, b"\n" * EMPTY_LINES, splits=8, reducers=1) == {"0": str(EMPTY_LINES)}
