"""The reference that outputs are judged by: it numbers lines truly, checks the splits, and sees every difference."""

from pathlib import Path

import pytest

from murmuration.puppetmaster.live.library import SHIPPED_MAPPERS
from murmuration.puppetmaster.live.sequential import (
    PIECE_BYTES,
    Errand,
    PartFacts,
    check_tiling,
    difference,
    facts_of,
    listing_of,
    run_sequentially,
)
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import InputFile, JobRecord, JobSpec, Program, Split

TEXT = b"one\n\ntwo words\r\nParadise lost"
SPLITS = (
    Split(file=0, begin=0, end=4, first_line=1),
    Split(file=0, begin=4, end=5, first_line=2),
    Split(file=0, begin=5, end=5, first_line=3),
    Split(file=0, begin=5, end=len(TEXT), first_line=3),
)


def errand(path: Path, mapper: str, splits: tuple[Split, ...] = SPLITS, **spec: object) -> Errand:
    path.write_bytes(TEXT)
    program = Program(kind="source", name=f"mappers.py::{mapper}", body=SHIPPED_MAPPERS.read_bytes())
    described = {"name": "job", "program": program, "output": "/out", "reducers": 0, "split_size": 1, **spec}
    record = JobRecord(
        id="0" * 16,
        spec=JobSpec(**described),  # type: ignore[arg-type]
        files=(InputFile(name="in", size=len(TEXT)),),
        splits=splits,
    )
    return Errand(record=record, path=str(path))


@pytest.mark.parametrize(
    ("mapper", "parts"),
    [
        ("CharCountMapper", [b"1\t3\n", b"2\t0\n", b"", b"3\t9\n4\t13\n"]),
        ("ParadiseCountMapper", [b"", b"", b"", b"4\t1\n"]),
        ("DummyMapper", [b"key1\to\nkey2\te\n", b"key1\t\nkey2\t\n", b"", b"key1\tt\nkey2\ts\nkey1\tP\nkey2\tt\n"]),
    ],
)
def test_course_mapper_gives_one_file_a_split_empty_ones_included(
    tmp_path: Path, mapper: str, parts: list[bytes]
) -> None:
    listing = run_sequentially(errand(tmp_path / "in", mapper))
    assert listing == {f"{number}.out": facts_of(part) for number, part in enumerate(parts, start=1)}


@pytest.mark.parametrize(
    "wrong",
    [
        SPLITS[1:],
        SPLITS[:-1],
        (*SPLITS[:3], Split(file=0, begin=5, end=len(TEXT), first_line=4)),
        (Split(file=0, begin=0, end=2, first_line=1), Split(file=0, begin=2, end=len(TEXT), first_line=1)),
        (SPLITS[0], Split(file=0, begin=0, end=len(TEXT), first_line=1)),
    ],
    ids=["begins late", "ends early", "wrong line", "inside a line", "twice"],
)
def test_splits_that_do_not_tile_the_input_are_refused(wrong: tuple[Split, ...]) -> None:
    with pytest.raises(CallerError):
        check_tiling(TEXT, wrong)


def test_job_with_reducers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="without reducers"):
        run_sequentially(errand(tmp_path / "in", "CharCountMapper", reducers=1))


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"1.out": b"a\n"}, "lacks 2.out"),
        ({"1.out": b"a\n", "2.out": b"", "3.out": b""}, "besides 3.out"),
        ({"1.out": b"a\n", "2.out": b"b\nb\n"}, "1 of 2 files differ, as 2.out: 2 lines"),
        ({"1.out": b"a\n", "2.out": b""}, ""),
    ],
)
def test_difference_names_what_is_wrong(found: dict[str, bytes], told: str) -> None:
    expected = {"1.out": facts_of(b"a\n"), "2.out": facts_of(b"")}
    said = difference({name: facts_of(content) for name, content in found.items()}, expected)
    assert told in said
    assert bool(said) is bool(told)


def test_facts_tell_equal_sizes_apart() -> None:
    assert facts_of(b"ab\n") != facts_of(b"ba\n")
    assert isinstance(facts_of(b""), PartFacts)


def test_listing_of_files_read_in_pieces_is_that_of_their_content(tmp_path: Path) -> None:
    contents = {"1.out": b"line\n" * PIECE_BYTES, "2.out": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert listing_of(tmp_path) == {name: facts_of(content) for name, content in contents.items()}
