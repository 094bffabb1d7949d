"""The store: what it has acknowledged is on the disk, and what it could not keep it says so."""

import os
import queue
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from murmuration.node.storage import disk
from murmuration.node.storage.store import Store, StoreSettings
from murmuration.ring.errors import InvariantBroken
from murmuration.ring.facts import Ballot, Dot, Sibling, Versions
from murmuration.ring.operations import ListVersions, MergeVersions, MintVersion, PromiseBallot, ReadVersions
from murmuration.ring.outcomes import AcceptorState, StoreFailed, VersionsMerged, VersionsRead

PATIENCE_S = 4


def versions(value, counter=1):
    return Versions(seen={"a": counter}, siblings=(Sibling(Dot("a", counter), value),))


def merge(key, value, counter=1):
    return MergeVersions(key=key, versions=versions(value, counter))


class Desk:
    """Hands operations to a store and collects what it delivers."""

    def __init__(self, directory, settings=None):
        self.deliveries = queue.Queue()
        self.directory = directory
        self.store = Store(directory, settings or StoreSettings(), self._deliver)
        self.gate = threading.Event()
        self.gate.set()

    def _deliver(self, outcomes):
        self.deliveries.put(outcomes)
        self.gate.wait(PATIENCE_S)

    def run(self, *operations):
        """Run operations in one batch: they are queued while the writer is held up after another one."""
        self.gate.clear()
        self.store.submit(-1, ReadVersions(key=b"-"))
        assert self.deliveries.get(timeout=PATIENCE_S)[0][0] == -1
        for ticket, operation in enumerate(operations):
            self.store.submit(ticket, operation)
        self.gate.set()
        outcomes = {}
        while len(outcomes) < len(operations):
            outcomes |= dict(self.deliveries.get(timeout=PATIENCE_S))
        return [outcomes[ticket] for ticket in range(len(operations))]

    def committed(self):
        connection = sqlite3.connect(self.directory / "cache.db")
        ((rows,),) = connection.execute("SELECT COUNT(*) FROM Cache WHERE key >= x'762f' AND key < x'7630'").fetchall()
        connection.close()
        return rows

    def files(self):
        return list(self.directory.glob("??/00/*.val"))


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path / "store")
    yield opened
    opened.store.close()


def test_operations_of_one_batch_see_what_earlier_ones_wrote(desk):
    outcomes = desk.run(
        merge(b"k", b"v"), ReadVersions(key=b"k"), ListVersions(prefix=b"", after=b"", limit=9), ReadVersions(key=b"x")
    )
    assert outcomes[1] == VersionsRead(versions=versions(b"v"))
    assert [key for key, _ in outcomes[2].entries] == [b"k"]
    assert outcomes[3] == VersionsRead(versions=None)


def test_outcome_is_delivered_after_its_commit_and_a_batch_in_one(tmp_path):
    seen = queue.Queue()
    ready = threading.Event()

    def deliver(outcomes):
        ready.wait(PATIENCE_S)
        seen.put((len(outcomes), desk.committed()))

    desk = Desk(tmp_path / "store")
    desk.store.close()
    desk.store = Store(tmp_path / "store", StoreSettings(batch_max=100), deliver)
    for number in range(301):
        desk.store.submit(number, merge(b"%d" % number, b"v"))
    ready.set()
    delivered = 0
    batches = []
    while delivered < 301:
        count, rows = seen.get(timeout=PATIENCE_S)
        delivered += count
        batches.append(count)
        assert rows == delivered
    assert max(batches) == 100
    desk.store.close()


@pytest.mark.parametrize("relaxed", [False, True])
def test_values_are_there_after_reopening(tmp_path, relaxed):
    first = Desk(tmp_path / "store", StoreSettings(relaxed=relaxed))
    first.run(merge(b"k", b"v"), merge(b"big", b"v" * 100_000), PromiseBallot(key=b"r", ballot=Ballot(3, "a")))
    first.store.close()
    second = Desk(tmp_path / "store")
    assert second.run(
        ReadVersions(key=b"k"), ReadVersions(key=b"big"), PromiseBallot(key=b"r", ballot=Ballot(1, "b"))
    ) == [
        VersionsRead(versions=versions(b"v")),
        VersionsRead(versions=versions(b"v" * 100_000)),
        AcceptorState(promised=Ballot(3, "a"), accepted=None, value=None),
    ]
    second.store.close()


def test_operations_that_wait_when_the_store_closes_are_carried_out(tmp_path):
    first = Desk(tmp_path / "store")
    for number in range(50):
        first.store.submit(number, merge(b"%d" % number, b"v"))
    first.store.close()
    assert first.committed() == 50
    first.store.submit(51, merge(b"late", b"v"))


def flip_a_bit(file):
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("damage", [flip_a_bit, Path.unlink])
def test_corrupt_copy_fails_its_own_operation_only_and_is_replaced_by_a_merge(desk, damage):
    desk.run(merge(b"bad", b"v" * 100_000), merge(b"good", b"v"))
    (file,) = desk.files()
    damage(file)
    bad, good, written, replaced, mended = desk.run(
        ReadVersions(key=b"bad"),
        ReadVersions(key=b"good"),
        merge(b"new", b"v"),
        merge(b"bad", b"w", 2),
        ReadVersions(key=b"bad"),
    )
    assert isinstance(bad, StoreFailed)
    assert bad.reason.startswith("corrupt ")
    assert good == VersionsRead(versions=versions(b"v"))
    assert written == VersionsMerged(versions=versions(b"v"))
    assert replaced == VersionsMerged(versions=versions(b"w", 2))
    assert mended == VersionsRead(versions=versions(b"w", 2))


def test_batch_that_the_disk_refuses_is_run_one_by_one_so_that_only_the_guilty_fail(desk, monkeypatch):
    desk.run(merge(b"k", b"old" * 50_000))
    write = disk.write_durably

    def poisoned(path, content):
        if b"poison" in content:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(disk, "write_durably", poisoned)
    outcomes = desk.run(
        merge(b"k", b"new" * 50_000, 2), merge(b"p", b"poison" * 50_000), merge(b"q", b"v"), ReadVersions(key=b"k")
    )
    assert outcomes[0] == VersionsMerged(versions=versions(b"new" * 50_000, 2))
    assert isinstance(outcomes[1], StoreFailed)
    assert "No space left" in outcomes[1].reason
    assert outcomes[2] == VersionsMerged(versions=versions(b"v"))
    assert outcomes[3] == VersionsRead(versions=versions(b"new" * 50_000, 2))
    assert len(desk.files()) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_store_whose_writer_met_an_unforeseen_error_takes_nothing_more(desk):
    desk.store.submit(0, object())
    desk.store._writer.join(PATIENCE_S)
    with pytest.raises(InvariantBroken, match="writer has ended"):
        desk.store.submit(1, ReadVersions(key=b"k"))


CHILD = """
import sys, threading
from pathlib import Path
from murmuration.node.storage.store import Store, StoreSettings
from murmuration.ring.facts import Dot, Sibling, Versions
from murmuration.ring.operations import MergeVersions, ReadVersions

def deliver(outcomes):
    for ticket, outcome in outcomes:
        print(ticket, type(outcome).__name__, flush=True)

def submit(store, ticket, size):
    value = (b"%d " % ticket).ljust(size, b".")
    versions = Versions(seen={"a": 1}, siblings=(Sibling(Dot("a", 1), value),))
    store.submit(ticket, MergeVersions(key=b"%d" % ticket, versions=versions))

store = Store(Path(sys.argv[1]), StoreSettings(), deliver)
"""

WRITE_FOR_EVER = """
for ticket in range(int(sys.argv[2]), 1_000_000):
    submit(store, ticket, 40 if ticket % 8 else 100_000)
    if ticket % 32 == 0:
        sys.stdin.read(1)
"""


def child(program, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD + program, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)


@pytest.mark.timeout(30)
def test_killed_process_loses_no_acknowledged_write(tmp_path):
    acknowledged = []
    for round_ in range(3):
        with child(WRITE_FOR_EVER, tmp_path / "store", round_ * 10_000) as process:
            process.stdin.write("." * (5 + 7 * round_))
            process.stdin.flush()
            lines = [process.stdout.readline() for _ in range(100)]
            process.kill()
            lines += process.stdout.readlines()
        acknowledged += [int(line.split()[0]) for line in lines if line.endswith("VersionsMerged\n")]
        desk = Desk(tmp_path / "store")
        read = desk.run(*(ReadVersions(key=b"%d" % ticket) for ticket in acknowledged))
        for ticket, outcome in zip(acknowledged, read, strict=True):
            assert isinstance(outcome, VersionsRead)
            assert outcome.versions is not None
            assert outcome.versions.siblings[0].value.startswith(b"%d " % ticket)
        desk.store.close()
    assert len(acknowledged) >= 300


FILL_A_SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for ticket in range(100):
    submit(store, ticket, 5000 if ticket % 2 else 300_000)
store.submit(100, ReadVersions(key=b"1"))
store.close()
"""


@pytest.mark.timeout(30)
def test_full_disk_fails_writes_keeps_reads_and_leaves_no_orphan(tmp_path):
    with child(FILL_A_SMALL_DISK, tmp_path / "store") as process:
        ends = {int(ticket): end for ticket, end in map(str.split, process.stdout.read().splitlines())}
    assert ends[100] == "VersionsRead"
    kept = [ticket for ticket, end in ends.items() if end == "VersionsMerged"]
    failed = [ticket for ticket, end in ends.items() if end == "StoreFailed"]
    assert len(kept) + len(failed) == 100
    assert 1 in kept
    assert set(range(0, 100, 2)) < set(failed)
    assert list((tmp_path / "store").glob("??/00/*.val")) == []
    desk = Desk(tmp_path / "store")
    *read, listed = desk.run(
        *(ReadVersions(key=b"%d" % ticket) for ticket in kept), ListVersions(prefix=b"", after=b"", limit=1000)
    )
    assert all(isinstance(outcome, VersionsRead) and outcome.versions is not None for outcome in read)
    assert len(listed.entries) == len(kept)
    desk.store.close()


def test_mint_that_is_to_be_foretold_is_told_before_its_commit_and_as_it_becomes_durable(tmp_path):
    told = queue.Queue()
    store = Store(tmp_path / "store", StoreSettings(), told.put, told.put)
    plain = MintVersion(key=b"k", value=b"v", context={}, actor="a")
    store.submit(1, replace(plain, is_foretold=True))
    foretold, done = told.get(timeout=PATIENCE_S), told.get(timeout=PATIENCE_S)
    store.submit(2, plain)
    ((ticket, _),) = told.get(timeout=PATIENCE_S)
    store.close()
    assert foretold == done
    assert (ticket, told.empty()) == (2, True)
