"""What real peers keep: damage is found and mended, backups come back, old disks are known, and kills take nothing."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from gated_peers import until
from sound_cluster import MURMUR
from writing import writing

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.store.backup.verifying import verify_backup
from murmuration.node.wire.replies import KeyGot
from murmuration.node.wire.requests import GetKey
from murmuration.ring.errors import CallerError, Corrupt
from murmuration.ring.facts import Liveness
from murmuration.ring.placement.rendezvous import vnode_of
from murmuration.ring.terms import Quorum

pytestmark = [pytest.mark.live, pytest.mark.timeout(120), pytest.mark.xdist_group("durability")]

CONTENT = b"".join(b"line %d of a file\n" % number for number in range(20_000))
KEYS = {b"key-%d" % number: os.urandom(50) for number in range(50)}


def chunk_files(cluster, peer):
    return sorted((cluster.directory / peer / "chunks").glob("[0-9a-f][0-9a-f]/*"))


def flip(path):
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def murmur(cluster, *words):
    command = [*MURMUR, *words, "--peer", cluster.urls[0]]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    local = tmp_path_factory.mktemp("local") / "file.txt"
    local.write_bytes(CONTENT)
    with LocalCluster(peers=3, workers=1, directory=tmp_path_factory.mktemp("peers")) as found:
        with Client(found) as client:
            client.fs.put(local, "ring:/file.txt", chunk_size=100_000)
        yield found


@pytest.fixture
def client(cluster):
    with Client(cluster) as found:
        yield found


def test_backup_under_writes_comes_back_in_a_smaller_cluster_and_a_second_restore_changes_nothing(
    cluster, client, tmp_path
):
    kept = tmp_path / "backup"
    for key, value in KEYS.items():
        client.kv.put(key, value)
    client.kv.put(b"\x00\xff binary", b"left")
    client.kv.put(b"\x00\xff binary", b"right")
    client.kv.put(b"gone", b"x")
    client.kv.delete(b"gone")
    client.kv.put(b"ends late", b"v", ttl_s=3600.0)
    with writing(cluster.urls, "meanwhile") as writes:
        writes.goes_on()
        before = dict(writes.acknowledged)
        with pytest.raises(KeyboardInterrupt):
            client.backup(kept, progress=Interrupting())
        with pytest.raises(CallerError, match="no finished backup"):
            verify_backup(kept)
        fetched = {file: file.stat().st_mtime_ns for file in kept.glob("chunks/*/*")}
        manifest = client.backup(kept)
        assert fetched.items() <= {file: file.stat().st_mtime_ns for file in kept.glob("chunks/*/*")}.items()
    assert (manifest.siblings, manifest.files) == (1, 1)
    assert verify_backup(kept)[1] == []
    with pytest.raises(CallerError, match="finished backup"):
        client.backup(kept)
    with LocalCluster(peers=2, workers=0) as other, Client(other) as client:
        client.kv.put(b"key-0", b"newer")
        first = client.restore(kept)
        assert (first.written, first.left, first.ended) == (manifest.keys - 1, 1, 0)
        assert {key: client.kv.get(key).value for key in KEYS} == KEYS | {b"key-0": b"newer"}
        assert {key: client.kv.get(key).value for key in before} == before
        assert sorted(client.kv.get(b"\x00\xff binary").values) == [b"left", b"right"]
        assert client.kv.get(b"gone").values == ()
        assert end_of(client, b"ends late") > time.time() + 3000
        assert b"".join(client.fs.cat("ring:/file.txt")) == CONTENT
        again = client.restore(kept)
        assert (again.written, again.equal) == (0, manifest.keys - 1)
        client.kv.delete(b"key-1")
        lost = vnode_of(b"key-1", manifest.vnodes)
        assert (client.restore(kept, vnodes=[lost]).written, client.kv.get(b"key-1").value) == (1, KEYS[b"key-1"])
        assert client.restore(kept, overwrite=True).written == 1
        assert client.kv.get(b"key-0").value == KEYS[b"key-0"]
        flip(next((kept / "chunks").glob("*/*")))
        assert len(verify_backup(kept)[1]) == 1
        with pytest.raises(Corrupt, match="damaged"):
            client.restore(kept)
        client.backup(kept, overwrite=True)
        assert verify_backup(kept)[1] == []


class Interrupting:
    """Somebody who types Ctrl-C as soon as a chunk has come."""

    def advance(self, name, done, total):
        if name == "bytes of chunks":
            raise KeyboardInterrupt


def end_of(client, key):
    """Tell when a key's value ends, in seconds since 1970."""
    (end,) = client._connection.ask(GetKey(key=key), KeyGot).ends
    return end / 1000


def test_damaged_and_missing_copies_are_found_and_brought_back(cluster, client):
    assert [health.is_sound for health in client.fs.check().files] == [True]
    flip(chunk_files(cluster, "peer-1")[0])
    chunk_files(cluster, "peer-2")[1].unlink()
    (sick,) = client.fs.check().files
    assert (sick.copies, sick.damaged, sick.lost) == (2, 2, 0)
    (well,) = client.fs.check(repair=True).files
    assert (well.is_sound, well.copies) == (True, 3)


def test_chunk_that_is_read_damaged_is_mended_without_anybody_asking(cluster, client):
    for file in chunk_files(cluster, "peer-1"):  # which serves its own copies to who asks it
        flip(file)
    assert b"".join(client.fs.cat("ring:/file.txt")) == CONTENT
    until(lambda: all_files_are_equal(cluster), 60.0)


def test_damage_that_nobody_reads_is_found_by_the_scrub_and_mended_from_a_replica(cluster, client):
    large = {b"large-%d" % number: os.urandom(100_000) for number in range(5)}
    for key, value in large.items():
        client.kv.put(key, value, quorum=Quorum(writes_required=3, strict=True))
    cluster.kill("peer-2")
    flip(chunk_files(cluster, "peer-2")[0])
    os.truncate(chunk_files(cluster, "peer-2")[1], 10)
    kept = sorted((cluster.directory / "peer-2" / "store").glob("??/??/*.val"))
    assert len(kept) >= len(large)
    flip(kept[0])
    os.truncate(kept[1], 10)
    cluster.restart("peer-2")
    with Client(cluster.urls[1]) as client:
        until(lambda: all_files_are_equal(cluster) and scrub(client)["scrub.mended"] > 0, 60.0)
        until(lambda: scrub(client)["scrub.waiting"] == 0)
        told = scrub(client)
        assert told["scrub.found"] == told["scrub.mended"], told
    with Client(cluster) as client:
        assert {key: client.kv.get(key).values for key in large} == {key: (value,) for key, value in large.items()}


def scrub(client):
    return {name: value for name, value in client.metrics().values.items() if name.startswith("scrub.")}


def all_files_are_equal(cluster):
    """Tell whether each peer's chunk files hold the same as those of the others."""
    first, *others = (
        [file.read_bytes() for file in chunk_files(cluster, peer)] for peer in ("peer-1", "peer-2", "peer-3")
    )
    return all(other == first for other in others)


def test_content_that_is_damaged_at_all_its_homes_is_told_as_lost(cluster):
    for peer in ("peer-1", "peer-2", "peer-3"):
        flip(chunk_files(cluster, peer)[2])
    done = murmur(cluster, "fs", "check", "--repair")
    assert done.returncode == 1
    assert "lost" in done.stdout


def test_old_copy_of_a_directory_is_known_and_becomes_a_new_peer(cluster, client, tmp_path):
    data, old = cluster.directory, tmp_path / "old"
    before = {view.member.name: view.member.id for view in client.peers()}
    cluster.kill("peer-3")
    shutil.copytree(data / "peer-3", old)
    known = incarnation_of(client, before["peer-3"])
    cluster.restart("peer-3")
    until(lambda: incarnation_of(client, before["peer-3"]) > known, 30.0)
    client.kv.put(b"k", b"v")
    cluster.kill("peer-3")
    shutil.rmtree(data / "peer-3")
    shutil.move(old, data / "peer-3")
    cluster.restart("peer-3")
    until(lambda: "peer-3" not in cluster.running(), 30.0)
    assert "is an old copy" in (data / "peer-3" / "stderr.log").read_text()
    cluster.restart("peer-3")
    until(lambda: any(is_new(view, before) for view in client.peers()), 60.0)
    assert client.kv.get(b"k").value == b"v"


def test_relaxed_peers_say_what_they_trade_and_lose_nothing_to_a_kill_of_all_amid_writes(tmp_path):
    names = ("a", "b", "c")
    with LocalCluster(names=names, workers=0, directory=tmp_path / "data", options=("--sync", "relaxed")) as cluster:
        assert "power cut may take" in (tmp_path / "data" / "a" / "stderr.log").read_text()
        with Client(cluster) as client:
            assert {view.sync for view in client.peers(measured=True)} == {"relaxed"}
        with writing(cluster.urls) as writes:
            writes.goes_on(20)
            for name in names:
                cluster.kill(name, signal.SIGSTOP)
            for name in names:
                cluster.kill(name)
            for name in names:
                cluster.restart(name)
            writes.goes_on()
        with Client(cluster) as client:
            assert writes.is_all_there(client)


def incarnation_of(client, peer):
    return next(view.incarnation for view in client.peers() if view.member.id == peer)


def is_new(view, before):
    return view.member.name == "peer-3" and view.member.id != before["peer-3"] and view.liveness is Liveness.ALIVE
