"""A disk that takes no writes, or takes its time, behind the two stores of a peer."""

import asyncio
from pathlib import Path

import pytest

from murmuration.node.gate.disk import FaultyDisk, GatedChunks, GatedStore, writes
from murmuration.node.gate.orders import DiskState, SetDisk
from murmuration.node.storage.store import StoreSettings
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Ballot, Versions
from murmuration.ring.operations import (
    AcceptBallot,
    DropHint,
    ForgetMember,
    ListHints,
    ListMembers,
    ListOpenRecords,
    ListVersions,
    MergeVersions,
    MintVersion,
    NoteChunk,
    Operation,
    PromiseBallot,
    ReadVersions,
)
from murmuration.ring.outcomes import AcceptorState, StoreFailed, StoreOutcome, VersionsMerged, VersionsRead
from murmuration.ring.terms import PeerId

PEER = PeerId("a" * 32)
BALLOT = Ballot(round=1, proposer="p")
NOTHING = Versions(seen={}, siblings=())
FULL = SetDisk(state=DiskState.FULL)

WRITES: tuple[Operation, ...] = (
    MintVersion(key=b"k", value=b"v", context={}, actor="a"),
    MergeVersions(key=b"k", versions=NOTHING),
    NoteChunk(digest=b"d" * 32, size=1, hint_for=PEER),
    DropHint(target=PEER, key=b"k", versions=NOTHING),
    PromiseBallot(key=b"r", ballot=BALLOT),
    AcceptBallot(key=b"r", ballot=BALLOT, value=b"v"),
    ForgetMember(peer=PEER),
)
READS: tuple[Operation, ...] = (
    ReadVersions(key=b"k"),
    ListVersions(prefix=b"", after=b"", limit=10),
    ListHints(target=PEER, limit=10),
    ListMembers(),
    ListOpenRecords(after=b"", limit=10),
)


class Stage:
    """A store on a faulty disk, and what it has answered."""

    def __init__(self, directory: Path) -> None:
        self.disk = FaultyDisk()
        self.outcomes: dict[int, StoreOutcome] = {}
        self.order: list[int] = []
        self._loop = asyncio.get_running_loop()
        self.store = GatedStore(directory / "store", StoreSettings(), self._deliver, self.disk)

    def _deliver(self, outcomes: list[tuple[int, StoreOutcome]]) -> None:
        self._loop.call_soon_threadsafe(self._take, outcomes)

    def _take(self, outcomes: list[tuple[int, StoreOutcome]]) -> None:
        self.outcomes.update(outcomes)
        self.order += [ticket for ticket, _ in outcomes]

    async def all_of(self, operations: tuple[Operation, ...]) -> list[StoreOutcome]:
        self.outcomes.clear()
        for ticket, operation in enumerate(operations):
            self.store.submit(ticket, operation)
        async with asyncio.timeout(4):
            while len(self.outcomes) < len(operations):
                await asyncio.sleep(0.001)
        return [self.outcomes[ticket] for ticket in range(len(operations))]


def play(directory: Path, scene) -> None:
    async def run() -> None:
        stage = Stage(directory)
        try:
            await scene(stage)
        finally:
            stage.store.close()

    asyncio.run(run())


def test_operations_are_told_apart_by_whether_they_write():
    assert all(map(writes, WRITES))
    assert not any(map(writes, READS))


@pytest.mark.parametrize(
    ("state", "words"),
    [(DiskState.FULL, "disk full"), (DiskState.READONLY, "disk read-only")],
    ids=["full", "readonly"],
)
def test_every_write_fails_in_the_disks_own_words_and_every_read_goes_on(tmp_path, state, words):
    async def scene(stage: Stage) -> None:
        assert isinstance((await stage.all_of(WRITES[:1]))[0], VersionsMerged)
        stage.disk.order(SetDisk(state=state))
        for outcome in await stage.all_of(WRITES):
            assert isinstance(outcome, StoreFailed)
            assert words in outcome.reason
        for outcome in await stage.all_of(READS):
            assert not isinstance(outcome, StoreFailed)
        stage.disk.order(SetDisk())
        assert isinstance((await stage.all_of(WRITES))[4], AcceptorState)

    play(tmp_path, scene)


def test_slow_disk_answers_late_and_in_order_and_a_quick_one_at_once(tmp_path):
    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        stage.disk.order(SetDisk(delay_s=0.1))
        found = await stage.all_of((*WRITES[:1], *READS[:1]))
        assert loop.time() - began >= 0.1
        assert stage.order == [0, 1]
        assert isinstance(found[1], VersionsRead)
        assert found[1].versions is not None
        stage.disk.order(SetDisk(delay_s=60.0))
        loop.call_later(0.01, stage.disk.order, SetDisk())
        loop.call_later(0.01, stage.store.hurry)
        await stage.all_of(READS)
        assert loop.time() - began < 30

    play(tmp_path, scene)


def test_chunk_is_not_adopted_by_a_full_disk_but_one_that_is_kept_is_read_and_vouched_for(tmp_path):
    disk = FaultyDisk()
    chunks = GatedChunks(tmp_path / "chunks", disk)
    kept, other = b"kept" * 1000, b"other" * 1000
    chunks.adopt(chunk_digest(kept), len(kept), [kept])
    disk.order(FULL)
    with pytest.raises(WorldError, match="disk full"):
        chunks.adopt(chunk_digest(other), len(other), [other])
    assert not chunks.has(chunk_digest(other))
    chunks.adopt(chunk_digest(kept), len(kept), [])
    assert chunks.read(chunk_digest(kept), 0, 4) == b"kept"
    disk.order(SetDisk())
    chunks.adopt(chunk_digest(other), len(other), [other])
    chunks.close()
