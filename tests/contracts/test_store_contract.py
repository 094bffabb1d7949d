"""What a machine may rely on in any store that carries out its operations, the real one and others."""

import queue
import time

import pytest

from murmuration.node.storage.store import Store, StoreSettings
from murmuration.puppetmaster.simulation.disk import Disk
from murmuration.ring.facts import Ballot, Dot, Sibling, Versions
from murmuration.ring.operations import (
    AcceptBallot,
    DropHint,
    ExpireVersions,
    ListHints,
    ListVersions,
    MergeVersions,
    MintVersion,
    NoteChunk,
    PromiseBallot,
    ReadVersions,
)
from murmuration.ring.outcomes import (
    AcceptorState,
    HintsListed,
    VersionsExpired,
    VersionsListed,
    VersionsMerged,
    VersionsRead,
)
from murmuration.ring.terms import PeerId

ABSENT = PeerId("c" * 32)
OLD = Versions(seen={"a": 1}, siblings=(Sibling(Dot("a", 1), b"old"),))
NEW = Versions(seen={"a": 2}, siblings=(Sibling(Dot("a", 2), b"new"),))


class RealStore:
    """The store of production, asked for one outcome at a time."""

    def __init__(self, directory):
        self._outcomes = queue.Queue()
        self._store = Store(directory / "store", StoreSettings(), self._outcomes.put)

    def run(self, *operations):
        for ticket, operation in enumerate(operations):
            self._store.submit(ticket, operation)
        outcomes = []
        while len(outcomes) < len(operations):
            outcomes += self._outcomes.get(timeout=4)
        assert [ticket for ticket, _ in outcomes] == list(range(len(operations)))
        return [outcome for _, outcome in outcomes]

    def close(self):
        self._store.close()


class SimulatedStore:
    """The store of the simulator: one dict."""

    def __init__(self, directory):
        self._disk = Disk()

    def run(self, *operations):
        return [self._disk.operate(operation, unix_ms=time.time_ns() // 1_000_000) for operation in operations]

    def close(self):
        pass


STORES = [RealStore, SimulatedStore]
"""Each is made with a directory, and has `run(*operations) -> outcomes` in their order, and `close()`."""


@pytest.fixture(params=STORES, ids=lambda kind: kind.__name__)
def store(request, tmp_path):
    opened = request.param(tmp_path)
    yield opened
    opened.close()


def test_key_never_written_is_absent(store):
    assert store.run(ReadVersions(key=b"k")) == [VersionsRead(versions=None)]


def test_operations_take_effect_in_the_order_they_were_submitted(store):
    outcomes = store.run(
        MergeVersions(key=b"k", versions=OLD),
        MergeVersions(key=b"k", versions=NEW),
        ReadVersions(key=b"k"),
        MergeVersions(key=b"k", versions=OLD),
    )
    assert outcomes[2:] == [VersionsRead(versions=NEW), VersionsMerged(versions=NEW)]


def test_minted_value_replaces_what_its_context_covers(store):
    store.run(MergeVersions(key=b"k", versions=OLD))
    (minted,) = store.run(MintVersion(key=b"k", value=b"mine", context={"a": 1}, actor="b"))
    assert [sibling.value for sibling in minted.versions.siblings] == [b"mine"]


def test_value_that_has_ended_by_the_clock_is_read_as_a_tombstone_and_set_down_as_one(store):
    ended, lasting = (
        Versions(seen={"a": 1}, siblings=(Sibling(Dot("a", 1), b"v", end),))
        for end in (time.time_ns() // 1_000_000, 1 << 60)
    )
    store.run(MergeVersions(key=b"ended", versions=ended), MergeVersions(key=b"lasting", versions=lasting))
    gone, there = store.run(ReadVersions(key=b"ended"), ReadVersions(key=b"lasting"))
    assert [sibling.value for sibling in gone.versions.siblings] == [None]
    assert there == VersionsRead(versions=lasting)
    assert store.run(ExpireVersions(limit=10)) == [VersionsExpired(expired=0, more=False)]


def test_keys_are_listed_in_order_and_by_page(store):
    store.run(*(MergeVersions(key=key, versions=OLD) for key in (b"p/2", b"p/1", b"p/3", b"q")))
    first, second = store.run(
        ListVersions(prefix=b"p/", after=b"", limit=2), ListVersions(prefix=b"p/", after=b"p/2", limit=2)
    )
    assert isinstance(first, VersionsListed)
    assert ([key for key, _ in first.entries], first.more) == ([b"p/1", b"p/2"], True)
    assert ([key for key, _ in second.entries], second.more) == ([b"p/3"], False)


def test_hints_are_kept_until_they_are_dropped(store):
    store.run(
        MergeVersions(key=b"k", versions=OLD, hint_for=ABSENT), NoteChunk(digest=b"d" * 32, size=7, hint_for=ABSENT)
    )
    (hints,) = store.run(ListHints(target=ABSENT, limit=10))
    assert {(hint.key, hint.chunk_size) for hint in hints.hints} == {(b"k", 0), (b"d" * 32, 7)}
    store.run(DropHint(target=ABSENT, key=b"k", versions=OLD), DropHint(target=ABSENT, key=b"d" * 32, versions=None))
    assert store.run(ListHints(target=ABSENT, limit=10)) == [HintsListed(hints=())]


def test_promise_binds_an_acceptor(store):
    high, low = Ballot(2, "b"), Ballot(1, "a")
    promised = AcceptorState(promised=high, accepted=None, value=None)
    assert store.run(PromiseBallot(key=b"r", ballot=high), AcceptBallot(key=b"r", ballot=low, value=b"v")) == [
        promised,
        promised,
    ]


def test_values_of_every_size_come_back_as_they_were(store):
    for size in (0, 1, (32 << 10) - 100, 32 << 10, 1 << 20):
        value = bytes(size)
        versions = Versions(seen={"a": 1}, siblings=(Sibling(Dot("a", 1), value),))
        key = b"size %d" % size
        assert store.run(MergeVersions(key=key, versions=versions), ReadVersions(key=key)) == [
            VersionsMerged(versions=versions),
            VersionsRead(versions=versions),
        ]
