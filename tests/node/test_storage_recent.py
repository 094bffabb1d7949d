"""Rows in memory: what is found there is what the disk holds, within bounds."""

import queue
import threading

import pytest

from murmuration.node.storage.draft import Draft
from murmuration.node.storage.recent import ROW_BYTES_MAX, RecentRows
from murmuration.node.storage.rows import Rows
from murmuration.node.storage.store import Store, StoreSettings
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.operations import MergeVersions, ReadVersions
from murmuration.ring.outcomes import StoreFailed, VersionsRead


def versions(value, counter=1):
    return Versions(seen={"a": counter}, siblings=(Sibling(Dot("a", counter), value),))


def test_row_is_found_until_it_is_forgotten_and_absence_is_a_finding():
    recent = RecentRows(10_000)
    with pytest.raises(KeyError):
        recent.find(b"k")
    recent.keep(b"k", b"v")
    recent.keep(b"none", None)
    assert (recent.find(b"k"), recent.find(b"none")) == (b"v", None)
    recent.forget([b"k"])
    with pytest.raises(KeyError):
        recent.find(b"k")


def test_rows_used_longest_ago_go_first_and_large_ones_never_stay():
    recent = RecentRows(1000)
    for key in (b"1", b"2", b"3"):
        recent.keep(key, b"x" * 100)
    recent.find(b"1")
    recent.keep(b"4", b"x" * 100)
    assert recent.find(b"1")
    with pytest.raises(KeyError):
        recent.find(b"2")
    recent.keep(b"1", bytes(ROW_BYTES_MAX + 1))
    with pytest.raises(KeyError):
        recent.find(b"1")


@pytest.fixture
def rows(tmp_path):
    opened = Rows(tmp_path / "rows")
    yield opened
    opened.close()


def test_batch_sees_its_own_writes_in_reads_and_scans_before_the_disk_does(rows):
    before = Draft(rows, RecentRows(10_000))
    before.write({b"p/1": b"one", b"p/2": b"two", b"p/3": b"three"})
    before.commit()
    draft = Draft(rows, RecentRows(10_000))
    draft.write({b"p/1": None, b"p/2": b"new", b"p/25": b"more", b"q": b"other"})
    assert (draft.read(b"p/1"), draft.read(b"p/2"), draft.read(b"p/3")) == (None, b"new", b"three")
    assert draft.scan(b"p/", b"p/", 2) == [(b"p/2", b"new"), (b"p/25", b"more")]
    assert draft.scan(b"p/", b"p/2", 9) == [(b"p/25", b"more"), (b"p/3", b"three")]
    assert rows.get(b"p/1") == b"one"
    draft.commit()
    assert (rows.get(b"p/1"), rows.get(b"p/25")) == (None, b"more")


def test_commit_that_the_disk_refuses_leaves_nothing_of_it_in_memory(rows, monkeypatch):
    recent = RecentRows(10_000)
    draft = Draft(rows, recent)
    draft.write({b"k": b"v"})

    def refuse(writes):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "write", refuse)
    with pytest.raises(WorldError, match="No space left"):
        draft.commit()
    with pytest.raises(KeyError):
        recent.find(b"k")


def test_damaged_row_that_a_scan_meets_is_no_longer_found_in_memory(rows):
    recent = RecentRows(10_000)
    draft = Draft(rows, recent)
    draft.write({b"k": b"v"})
    draft.commit()
    with rows.transaction():
        rows._cache.set(b"k", b"damage")
    assert Draft(rows, recent).scan(b"", b"", 9) == [(b"k", None)]
    with pytest.raises(KeyError):
        recent.find(b"k")


def test_read_at_once_never_overtakes_a_write_submitted_before_it(tmp_path):
    delivered, gate = queue.Queue(), threading.Event()

    def deliver(outcomes):
        delivered.put(outcomes)
        gate.wait(4)

    store = Store(tmp_path / "store", StoreSettings(), deliver)
    read = ReadVersions(key=b"k")
    assert store.read_now(read) is None
    store.submit(1, MergeVersions(key=b"k", versions=versions(b"old")))
    delivered.get(timeout=4)
    assert store.read_now(read) == VersionsRead(versions=versions(b"old"))
    store.submit(2, MergeVersions(key=b"k", versions=versions(b"new", 2)))  # the writer is still held up
    assert store.read_now(read) is None
    assert store.read_now(ReadVersions(key=b"other")) is None
    gate.set()
    delivered.get(timeout=4)
    assert store.read_now(read) == VersionsRead(versions=versions(b"new", 2))
    store.close()


def test_failed_write_no_longer_holds_up_reads_at_once(tmp_path, monkeypatch):
    delivered = queue.Queue()
    store = Store(tmp_path / "store", StoreSettings(), delivered.put)
    store.submit(1, MergeVersions(key=b"k", versions=versions(b"old")))
    delivered.get(timeout=4)

    def refuse(writes):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store._rows, "write", refuse)
    store.submit(2, MergeVersions(key=b"k", versions=versions(b"new", 2)))
    ((ticket, outcome),) = delivered.get(timeout=4)
    assert (ticket, type(outcome)) == (2, StoreFailed)
    store.submit(3, ReadVersions(key=b"k"))
    assert delivered.get(timeout=4) == [(3, VersionsRead(versions=versions(b"old")))]
    assert store.read_now(ReadVersions(key=b"k")) == VersionsRead(versions=versions(b"old"))
    store.close()
