"""Two lists of what falls into a leaf give the names that differ, and who has what."""

from murmuration.ring.copies.trees import NO_PRINT, print_of_chunk
from murmuration.ring.entropy.comparing import Difference, compare
from murmuration.ring.facts import LeafEntry, LeafPage

DIGEST = b"d" * 32
SOUND = LeafEntry(name=DIGEST, print=print_of_chunk(DIGEST, 100), chunk_size=100)
UNREADABLE = LeafEntry(name=DIGEST, print=NO_PRINT, chunk_size=0)


def page(*entries: LeafEntry) -> list[LeafPage]:
    return [LeafPage(entries=entries, more=False)]


def key(name: bytes, print_: bytes) -> LeafEntry:
    return LeafEntry(name=name, print=print_)


def test_chunk_whose_note_cannot_be_read_here_is_had_by_the_other_alone() -> None:
    found = compare(page(UNREADABLE), page(SOUND)).differences
    assert found == (Difference(name=DIGEST, chunk_size=100, is_mine=False, is_theirs=True),)


def test_chunk_whose_note_cannot_be_read_there_is_had_by_this_peer_alone() -> None:
    found = compare(page(SOUND), page(UNREADABLE)).differences
    assert found == (Difference(name=DIGEST, chunk_size=100, is_mine=True, is_theirs=False),)


def test_key_that_cannot_be_read_is_asked_for_at_both_sides() -> None:
    found = compare(page(key(b"k", NO_PRINT)), page(key(b"k", b"12345678"))).differences
    assert found == (Difference(name=b"k", chunk_size=None, is_mine=True, is_theirs=True),)


def test_equal_lists_differ_in_nothing() -> None:
    assert compare(page(SOUND, key(b"k", b"12345678")), page(SOUND, key(b"k", b"12345678"))).differences == ()
