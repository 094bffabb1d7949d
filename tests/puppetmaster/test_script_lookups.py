"""What scripts from other machines name is found here, and nothing that they name escapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.puppetmaster.live.lookups import base_name, find_file, find_mapper, is_dll, is_url, output_directory
from murmuration.ring.errors import CallerError

LISTING = ["pl.txt", "time/pl.txt", "time/60.txt", "Big.TXT"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("pl.txt", "pl.txt"),
        ("..\\..\\..\\Data\\pl.txt", "pl.txt"),
        ("..//..//pl.txt", "pl.txt"),
        ("C:\\Temp\\pl.txt", "pl.txt"),
        ("C:pl.txt", "pl.txt"),
        ("/home/ana/pl.txt", "pl.txt"),
        ("..\\time\\pl.txt", "time/pl.txt"),
        ("RESOURCES\\PL.TXT", "pl.txt"),
        ("big.txt", "Big.TXT"),
        ("60.txt", "time/60.txt"),
        ("missing.txt", None),
        ("..", None),
        ("", None),
    ],
)
def test_input_is_found_by_its_base_name(written, found):
    assert find_file(written, LISTING) == found


def test_input_spelt_exactly_goes_before_one_in_another_case():
    assert find_file("x\\job.txt", ["x/JOB.TXT", "far/away/job.txt"]) == "far/away/job.txt"


@pytest.mark.parametrize(
    ("written", "directory"),
    [
        ("result", "result"),
        ("result/", "result"),
        ("result\\", "result"),
        ("..\\..\\..\\output\\", "output"),
        ("..//..//output//", "output"),
        ("C:\\Temp\\out", "Temp/out"),
        ("\\\\psf\\Home\\out\\", "psf/Home/out"),
        (".", "."),
        ("..\\", "."),
        ("/tmp/out/", "/tmp/out"),
        ("//tmp//x/../out", "/tmp/out"),
        ("ring:/counts/", "ring:/counts"),
        ("s3://bucket/out", "s3://bucket/out"),
    ],
)
def test_output_directory_has_one_spelling(written, directory):
    assert output_directory(written) == directory


@pytest.mark.parametrize("written", ["/", "//", "/tmp/.."])
def test_output_in_the_root_directory_is_refused(written):
    with pytest.raises(CallerError, match="root"):
        output_directory(written)


@given(st.text(alphabet="ab./\\:C", max_size=20))
def test_output_that_is_not_absolute_never_climbs_out_of_its_directory(written):
    if not written.startswith("/") and not is_url(written):
        directory = output_directory(written)
        assert ".." not in directory.split("/")
        assert not directory.startswith("/")
        assert output_directory(directory) == directory or ":" in directory


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("CharCountMapper", "CharCountMapper"),
        ("PADIMapNoReduce.CharCountMapper", "CharCountMapper"),
        ("MapNoReduce.CharCountMapper,LibMapper", "CharCountMapper"),
        ("Outer+CharCountMapper", "CharCountMapper"),
        ("CHARCOUNTMAPPER", "CharCountMapper"),
        ("course.TimeMapper", "course.TimeMapper"),
        ("TimeMapper", "TimeMapper"),
        ("Mapper", None),
        ("", None),
    ],
)
def test_mapper_is_found_by_its_last_dotted_part(written, found):
    assert find_mapper(written, ["CharCountMapper", "TimeMapper", "course.TimeMapper"]) == found


@pytest.mark.parametrize(
    ("library", "expected"),
    [(None, True), ("..\\LibMapper.dll", True), ("LIBMAPPER.DLL", True), ("mappers.py", False)],
)
def test_library_of_another_system_is_known_as_such(library, expected):
    assert is_dll(library) is expected


def test_drive_letter_is_no_scheme():
    assert is_url("ring:/a")
    assert is_url("http://h/a")
    assert not is_url("C:\\a")
    assert not is_url("C://a")


@given(st.text())
def test_base_name_of_any_text_holds_no_separator(written):
    assert not {"/", "\\"} & set(base_name(written))
