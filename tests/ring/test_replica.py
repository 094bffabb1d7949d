"""Each store operation promises one atomic meaning: what it writes, what it reports, and never an unread loss."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.copies.replica import apply
from murmuration.ring.copies.versions import EMPTY, SIBLINGS_MAX, context_of, join, live_values, mint, stripped
from murmuration.ring.facts import Ballot, Versions
from murmuration.ring.operations import (
    AcceptBallot,
    DropHint,
    ListHints,
    ListVersions,
    MergeVersions,
    MintVersion,
    NoteChunk,
    Operation,
    PromiseBallot,
    ReadVersions,
)
from murmuration.ring.outcomes import (
    AcceptorState,
    Hint,
    HintsListed,
    Noted,
    StoreFailed,
    StoreOutcome,
    VersionsListed,
    VersionsMerged,
    VersionsRead,
)
from murmuration.ring.terms import JOINED_MAX, PeerId

TARGET = PeerId("a" * 32)
OTHER = PeerId("b" * 32)


class Shelf:
    """A store of rows in memory that carries out one operation after another."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        names = sorted(name for name in self.rows if name.startswith(prefix) and name > after)
        return [(name, self.rows[name]) for name in names[:limit]]

    def do(self, operation: Operation) -> StoreOutcome:
        writes, outcome = apply(operation, self.rows.get, self.scan)
        for name, raw in writes.items():
            if raw is None:
                self.rows.pop(name, None)
            else:
                self.rows[name] = raw
        return outcome


def written(value: bytes | None, actor: str = "A", over: Versions = EMPTY) -> Versions:
    return mint(over, context_of(over), value, actor)


def ballot(number: int, proposer: str = "p") -> Ballot:
    return Ballot(round=number, proposer=proposer)


def hints(shelf: Shelf, target: PeerId = TARGET, limit: int = 100) -> tuple[Hint, ...]:
    outcome = shelf.do(ListHints(target=target, limit=limit))
    assert isinstance(outcome, HintsListed)
    return outcome.hints


def test_read_of_a_key_never_written_is_none_and_of_a_written_one_its_versions():
    shelf = Shelf()
    assert shelf.do(ReadVersions(key=b"k")) == VersionsRead(versions=None)
    minted = shelf.do(MintVersion(key=b"k", value=b"1", context={}, actor="A"))
    assert minted == VersionsMerged(versions=written(b"1"), actor="A")
    assert shelf.do(ReadVersions(key=b"k")) == VersionsRead(versions=written(b"1"))
    assert next(iter(shelf.rows)) == b"v/k"


def test_merge_joins_with_the_copy_and_never_overwrites_newer_with_older():
    shelf = Shelf()
    old = written(b"old")
    new = written(b"new", over=old)
    shelf.do(MergeVersions(key=b"k", versions=new))
    assert shelf.do(MergeVersions(key=b"k", versions=old)) == VersionsMerged(versions=new)


def test_merge_that_brings_nothing_new_writes_nothing():
    shelf = Shelf()
    merge = MergeVersions(key=b"k", versions=written(b"1"), hint_for=TARGET)
    shelf.do(merge)
    writes, outcome = apply(merge, shelf.rows.get, shelf.scan)
    assert writes == {}
    assert outcome == VersionsMerged(versions=written(b"1"))


def test_merge_with_a_hint_writes_copy_and_hint_in_one_step():
    merge = MergeVersions(key=b"k", versions=written(b"1"), hint_for=TARGET)
    writes, _ = apply(merge, {}.get, Shelf().scan)
    assert {row for row in writes if row[:2] in (b"v/", b"h/")} == {b"v/k", b"h/" + TARGET.encode() + b"/v/k"}


def test_hints_of_one_key_are_merged_so_that_the_newest_is_handed_over():
    shelf = Shelf()
    old = written(b"old")
    new = written(b"new", over=old)
    for versions in (new, old):
        shelf.do(MergeVersions(key=b"k", versions=versions, hint_for=TARGET))
    assert hints(shelf) == (Hint(key=b"k", versions=new, chunk_size=0),)
    assert hints(shelf, OTHER) == ()


def test_hint_is_dropped_only_when_all_of_it_was_acknowledged():
    """Pynamo, defect 2 at its root: what was written since the delivery began must still be delivered."""
    shelf = Shelf()
    sent = written(b"sent")
    newer = written(b"newer", over=sent)
    shelf.do(MergeVersions(key=b"k", versions=newer, hint_for=TARGET))
    assert shelf.do(DropHint(target=TARGET, key=b"k", versions=sent)) == Noted()
    assert hints(shelf) == (Hint(key=b"k", versions=newer, chunk_size=0),)
    shelf.do(DropHint(target=TARGET, key=b"k", versions=newer))
    assert hints(shelf) == ()
    assert shelf.do(ReadVersions(key=b"k")) == VersionsRead(versions=newer)
    assert shelf.do(DropHint(target=TARGET, key=b"k", versions=newer)) == Noted()


def test_chunk_hint_is_kept_until_it_is_dropped():
    shelf = Shelf()
    digest = bytes(range(32))
    assert shelf.do(NoteChunk(digest=digest, size=7, hint_for=TARGET)) == Noted()
    assert hints(shelf) == (Hint(key=digest, versions=None, chunk_size=7),)
    shelf.do(DropHint(target=TARGET, key=digest, versions=None))
    assert hints(shelf) == ()


@pytest.mark.parametrize(("values", "chunks"), [(9, 9), (9, 1), (1, 9), (9, 0), (0, 9), (2, 2)])
@pytest.mark.parametrize("limit", [1, 4, 5])
def test_page_of_hints_is_full_and_neither_kind_starves_the_other(values, chunks, limit):
    shelf = Shelf()
    for number in range(values):
        shelf.do(MergeVersions(key=b"%d" % number, versions=written(b"1"), hint_for=TARGET))
    for number in range(chunks):
        shelf.do(NoteChunk(digest=bytes([number] * 32), size=number, hint_for=TARGET))
    page = hints(shelf, limit=limit)
    of_values = sum(hint.versions is not None for hint in page)
    assert len(page) == min(limit, values + chunks)
    assert of_values >= min(values, (limit + 1) // 2)
    assert len(page) - of_values >= min(chunks, limit // 2)


def test_listing_gives_pages_in_order_stripped_of_values_and_tells_if_more_follow():
    shelf = Shelf()
    for key in (b"a/3", b"b", b"a/1", b"a/2"):
        shelf.do(MergeVersions(key=key, versions=written(b"value"), hint_for=TARGET))
    bare = stripped(written(b"value"))
    first = shelf.do(ListVersions(prefix=b"a/", after=b"", limit=2))
    assert first == VersionsListed(entries=((b"a/1", bare), (b"a/2", bare)), more=True)
    assert shelf.do(ListVersions(prefix=b"a/", after=b"a/2", limit=2)) == VersionsListed(
        entries=((b"a/3", bare),), more=False
    )
    everything = shelf.do(ListVersions(prefix=b"", after=b"", limit=10))
    assert isinstance(everything, VersionsListed)
    assert [key for key, _ in everything.entries] == [b"a/1", b"a/2", b"a/3", b"b"]


@pytest.mark.parametrize(
    ("row", "operation"),
    [
        (b"v/k", ReadVersions(key=b"k")),
        (b"v/k", MintVersion(key=b"k", value=b"1", context={}, actor="A")),
        (b"h/" + TARGET.encode() + b"/v/k", DropHint(target=TARGET, key=b"k", versions=written(b"1"))),
        (b"p/k", PromiseBallot(key=b"k", ballot=ballot(1))),
        (b"p/k", AcceptBallot(key=b"k", ballot=ballot(1), value=b"1")),
    ],
)
@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x01\x02", msgspec.msgpack.encode("text")])
def test_unreadable_row_fails_the_operation_and_is_neither_absent_nor_overwritten(row, operation, raw):
    shelf = Shelf()
    shelf.rows[row] = raw
    writes, outcome = apply(operation, shelf.rows.get, shelf.scan)
    assert writes == {}
    assert isinstance(outcome, StoreFailed)
    assert outcome.reason.startswith("corrupt")


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x01\x02", msgspec.msgpack.encode("text")])
def test_merge_replaces_a_corrupt_copy_and_a_corrupt_hint(raw):
    shelf = Shelf()
    hint = b"h/" + TARGET.encode() + b"/v/k"
    shelf.rows |= {b"v/k": raw, hint: raw}
    outcome = shelf.do(MergeVersions(key=b"k", versions=written(b"1"), hint_for=TARGET))
    assert outcome == VersionsMerged(versions=written(b"1"))
    assert shelf.do(ReadVersions(key=b"k")) == VersionsRead(versions=written(b"1"))
    assert hints(shelf) == (Hint(key=b"k", versions=written(b"1"), chunk_size=0),)


def test_mint_over_a_copy_that_was_replaced_uses_no_dot_of_the_lost_one_again():
    shelf = Shelf()
    first = shelf.do(MintVersion(key=b"k", value=b"1", context={}, actor="A"))
    shelf.do(MintVersion(key=b"k", value=b"2", context={}, actor="A"))
    for repairs in (1, 2):
        shelf.rows[b"v/k"] = b"\xc1"
        shelf.do(MergeVersions(key=b"k", versions=first.versions))
        minted = shelf.do(MintVersion(key=b"k", value=b"3", context={}, actor="A"))
        assert isinstance(minted, VersionsMerged)
        assert minted.actor == f"A~{repairs}"
        assert minted.versions.seen == {"A": 1, minted.actor: 1}
    other = shelf.do(MintVersion(key=b"other", value=b"1", context={}, actor="A"))
    assert isinstance(other, VersionsMerged)
    assert other.actor == "A"


@pytest.mark.parametrize("raw", [b"\xc1", None])
def test_list_passes_over_corrupt_rows_fills_its_page_and_names_them(raw):
    shelf = Shelf()
    for number in range(9):
        shelf.do(MergeVersions(key=b"k%d" % number, versions=written(b"1"), hint_for=TARGET))
    for number in (0, 1, 3, 8):
        shelf.rows[b"v/k%d" % number] = raw
        shelf.rows[b"h/" + TARGET.encode() + b"/v/k%d" % number] = raw
    first = shelf.do(ListVersions(prefix=b"k", after=b"", limit=3))
    assert isinstance(first, VersionsListed)
    assert [key for key, _ in first.entries] == [b"k2", b"k4", b"k5"]
    assert first.more
    assert first.corrupt == (b"k0", b"k1", b"k3")
    second = shelf.do(ListVersions(prefix=b"k", after=b"k5", limit=3))
    assert isinstance(second, VersionsListed)
    assert [key for key, _ in second.entries] == [b"k6", b"k7"]
    assert (second.more, second.corrupt) == (False, (b"k8",))
    assert [hint.key for hint in hints(shelf, limit=3)] == [b"k2", b"k4", b"k5"]


def test_merge_that_would_outgrow_the_wire_fails_and_the_resolving_put_is_still_merged():
    shelf = Shelf()
    many = EMPTY
    for coordinator in range(JOINED_MAX // SIBLINGS_MAX):
        few = EMPTY
        for number in range(SIBLINGS_MAX):
            few = mint(few, {}, b"%d" % number, f"A{coordinator}")
        many = join(many, few)
        assert isinstance(shelf.do(MergeVersions(key=b"k", versions=few)), VersionsMerged)
    more = mint(EMPTY, {}, b"one too many", "B")
    refused = shelf.do(MergeVersions(key=b"k", versions=more))
    assert isinstance(refused, StoreFailed)
    assert "read the key" in refused.reason
    assert isinstance(shelf.do(MintVersion(key=b"k", value=b"1", context={}, actor="A0")), StoreFailed)
    resolved = mint(more, context_of(join(many, more)), b"one", "B")
    outcome = shelf.do(MergeVersions(key=b"k", versions=resolved))
    assert isinstance(outcome, VersionsMerged)
    assert live_values(outcome.versions) == (b"one",)


def test_acceptor_promises_the_highest_ballot_and_reports_what_it_accepted():
    shelf = Shelf()
    assert shelf.do(PromiseBallot(key=b"k", ballot=ballot(2))) == AcceptorState(
        promised=ballot(2), accepted=None, value=None
    )
    accepted = AcceptorState(promised=ballot(2), accepted=ballot(2), value=b"x")
    assert shelf.do(AcceptBallot(key=b"k", ballot=ballot(2), value=b"x")) == accepted
    assert shelf.do(PromiseBallot(key=b"k", ballot=ballot(1))) == accepted
    assert shelf.do(AcceptBallot(key=b"k", ballot=ballot(1), value=b"y")) == accepted
    assert shelf.do(PromiseBallot(key=b"k", ballot=ballot(3))) == AcceptorState(
        promised=ballot(3), accepted=ballot(2), value=b"x"
    )
    assert list(shelf.rows) == [b"p/k"]


def test_value_accepted_at_a_ballot_is_not_exchanged_at_the_same_ballot():
    shelf = Shelf()
    shelf.do(AcceptBallot(key=b"k", ballot=ballot(1), value=b"x"))
    again = shelf.do(AcceptBallot(key=b"k", ballot=ballot(1), value=b"y"))
    assert again == AcceptorState(promised=ballot(1), accepted=ballot(1), value=b"x")


ballots = st.builds(ballot, st.integers(1, 4), st.sampled_from("pq"))
acceptor_steps = st.one_of(
    st.builds(PromiseBallot, key=st.just(b"k"), ballot=ballots),
    st.builds(AcceptBallot, key=st.just(b"k"), ballot=ballots, value=st.sampled_from([b"x", b"y"])),
)


@given(st.lists(acceptor_steps, max_size=20))
def test_acceptor_never_goes_back_on_a_promise_or_an_acceptance(operations):
    shelf = Shelf()
    before = None
    for operation in operations:
        state = shelf.do(operation)
        assert isinstance(state, AcceptorState)
        assert state.promised >= operation.ballot
        assert state.accepted is None or state.promised >= state.accepted
        if before is not None:
            assert state.promised >= before.promised
            assert before.accepted is None or (state.accepted is not None and state.accepted >= before.accepted)
            if state.accepted == before.accepted:
                assert state.value == before.value
            if operation.ballot < before.promised:
                assert state == before
        if isinstance(operation, PromiseBallot) and before is not None:
            assert (state.accepted, state.value) == (before.accepted, before.value)
        before = state
