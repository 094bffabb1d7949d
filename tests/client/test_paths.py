"""Paths in the ring: one spelling for each, and none that a file could not have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.client.store.paths import (
    ancestors_of,
    file_path,
    is_ring_path,
    joined,
    means_directory,
    name_of,
    parent_of,
    ring_path,
    shown,
)
from murmuration.ring.errors import CallerError

PART = st.text(st.characters(exclude_characters="/\x7f", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
PARTS = st.lists(PART.filter(lambda part: part not in {".", ".."}), min_size=1, max_size=6)


@pytest.mark.parametrize("text", ["ring:/a/b", "ring://a/b", "ring:a/b", "ring:///a//b/", "ring:/a/b/"])
def test_path_in_any_spelling_has_one_stored_form(text: str) -> None:
    assert ring_path(text) == "a/b"


@given(PARTS)
def test_path_shown_and_read_again_is_the_same(parts: list[str]) -> None:
    path = "/".join(parts)
    assert ring_path(shown(path)) == path
    assert is_ring_path(shown(path))


@given(PARTS)
def test_path_is_its_parents_child(parts: list[str]) -> None:
    path = "/".join(parts)
    assert joined(parent_of(path), name_of(path)) == path
    assert ancestors_of(path) == tuple("/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))


@pytest.mark.parametrize("text", ["ring:/../x", "ring:/a/./b", "ring:/a\n", "ring:/a\0b", f"ring:/{'x' * 256}"])
def test_path_that_no_file_can_have_is_refused(text: str) -> None:
    with pytest.raises(CallerError):
        ring_path(text)


def test_path_over_the_limit_is_refused() -> None:
    with pytest.raises(CallerError, match="too long"):
        ring_path("ring:/" + "/".join(["x" * 200] * 11))


def test_path_of_undecodable_name_is_refused_in_one_line() -> None:
    with pytest.raises(CallerError, match="rename the file"):
        ring_path("ring:/caf\udce9")


def test_local_path_is_no_ring_path() -> None:
    with pytest.raises(CallerError, match="ring:/data/x"):
        ring_path("/data/x")


def test_root_is_a_directory_and_no_file() -> None:
    assert ring_path("ring:/") == ""
    assert means_directory("ring:/")
    assert means_directory("ring:/a/")
    assert not means_directory("ring:/a")
    with pytest.raises(CallerError, match="root"):
        file_path("ring:/")
