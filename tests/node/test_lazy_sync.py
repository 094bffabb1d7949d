"""Relaxed commits: the log is synced again and again, but only when there is something in it."""

import os
import queue
import sqlite3
import threading

import pytest

from murmuration.node.storage import lazy_sync
from murmuration.node.storage.lazy_sync import LazySync
from murmuration.node.storage.store import Store, StoreSettings
from murmuration.ring.operations import MintVersion, ReadVersions
from murmuration.ring.outcomes import VersionsMerged, VersionsRead

MINT = MintVersion(key=b"k", value=b"v", context={}, actor="a")


def test_log_is_synced_when_it_has_changed_and_not_else(tmp_path, monkeypatch):
    log, synced = tmp_path / lazy_sync.LOG_FILE, threading.Semaphore(0)
    monkeypatch.setattr(lazy_sync.os, "fdatasync", lambda descriptor: synced.release())
    lazy = LazySync(tmp_path, every_s=0.01)
    log.write_bytes(b"a commit")
    assert synced.acquire(timeout=4)
    log.write_bytes(b"a longer commit")
    assert synced.acquire(timeout=4)
    lazy.close()
    assert lazy.syncs == 2


@pytest.mark.parametrize(("relaxed", "threads"), [(False, set()), (True, {"sync"})])
def test_store_starts_the_lazy_sync_only_where_it_is_relaxed(tmp_path, relaxed, threads):
    outcomes = queue.Queue()
    store = Store(tmp_path / "store", StoreSettings(relaxed=relaxed), outcomes.put)
    try:
        assert {thread.name for thread in threading.enumerate()} & {"sync"} == threads
        store.submit(1, MINT)
        ((_, outcome),) = outcomes.get(timeout=4)
        assert isinstance(outcome, VersionsMerged)
    finally:
        store.close()
    assert "sync" not in {thread.name for thread in threading.enumerate()}


def test_log_that_a_power_cut_has_shortened_leaves_an_earlier_moment(tmp_path):
    outcomes = queue.Queue()
    store = Store(tmp_path / "store", StoreSettings(relaxed=True), outcomes.put)
    log, sizes = tmp_path / "store" / lazy_sync.LOG_FILE, []
    for ticket, key in enumerate((b"first", b"second")):
        store.submit(ticket, MintVersion(key=key, value=b"v", context={}, actor="a"))
        outcomes.get(timeout=4)
        sizes.append(log.stat().st_size)
    copy = tmp_path / "after" / "store"
    copy.mkdir(parents=True)
    for name in ("cache.db", lazy_sync.LOG_FILE):
        (copy / name).write_bytes((tmp_path / "store" / name).read_bytes())
    store.close()
    os.truncate(copy / lazy_sync.LOG_FILE, sizes[0] + 100)
    assert sqlite3.connect(copy / "cache.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    after = Store(copy, StoreSettings(), outcomes.put)
    found = []
    for ticket, key in enumerate((b"first", b"second")):
        after.submit(ticket, ReadVersions(key=key))
        ((_, outcome),) = outcomes.get(timeout=4)
        assert isinstance(outcome, VersionsRead)
        found.append(outcome.versions is not None)
    after.close()
    assert found == [True, False]
