"""What real peers keep: damage is found and mended, backups come back, old disks are known, and kills take nothing."""

import os
import shutil
import signal
import subprocess

import pytest
from gated_peers import until
from sound_cluster import MURMUR

from murmuration.client.api import Client
from murmuration.client.backup import verify_backup
from murmuration.client.cluster import LocalCluster
from murmuration.ring.errors import CallerError, Corrupt
from murmuration.ring.facts import Liveness

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

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


def put_file(client, tmp_path):
    local = tmp_path / "file.txt"
    local.write_bytes(CONTENT)
    client.fs.put(local, "ring:/file.txt", chunk_size=100_000)


def test_damaged_and_missing_copies_are_found_and_brought_back(tmp_path):
    with LocalCluster(peers=3, workers=1) as cluster, Client(cluster) as client:
        put_file(client, tmp_path)
        assert [health.is_sound for health in client.fs.check().files] == [True]
        flip(chunk_files(cluster, "peer-1")[0])
        chunk_files(cluster, "peer-2")[1].unlink()
        (sick,) = client.fs.check().files
        assert (sick.copies, sick.damaged, sick.lost) == (2, 2, 0)
        (well,) = client.fs.check(repair=True).files
        assert (well.is_sound, well.copies) == (True, 3)
        for peer in ("peer-1", "peer-2", "peer-3"):
            flip(chunk_files(cluster, peer)[2])
        done = murmur(cluster, "fs", "check", "--repair")
        assert done.returncode == 1
        assert "lost" in done.stdout


def test_chunk_that_is_read_damaged_is_mended_without_anybody_asking(tmp_path):
    with LocalCluster(peers=3, workers=1) as cluster, Client(cluster) as client:
        put_file(client, tmp_path)
        for peer in ("peer-1", "peer-2"):
            for file in chunk_files(cluster, peer):
                flip(file)
        assert b"".join(client.fs.cat("ring:/file.txt")) == CONTENT
        files = [file for peer in ("peer-1", "peer-2") for file in chunk_files(cluster, peer)]
        sound = [file.read_bytes() for file in chunk_files(cluster, "peer-3")]
        until(lambda: [file.read_bytes() for file in files] == sound * 2, 60.0)


def test_backup_comes_back_in_another_cluster_and_a_second_restore_changes_nothing(tmp_path):
    kept = tmp_path / "backup"
    with LocalCluster(peers=3, workers=1) as cluster, Client(cluster) as client:
        put_file(client, tmp_path)
        for key, value in KEYS.items():
            client.kv.put(key, value)
        client.kv.put(b"\x00\xff binary", b"left")
        client.kv.put(b"\x00\xff binary", b"right")
        client.kv.put(b"gone", b"x")
        client.kv.delete(b"gone")
        manifest = client.backup(kept)
        assert (manifest.keys, manifest.siblings, manifest.files) == (len(KEYS) + 2, 1, 1)
        assert verify_backup(kept)[1] == []
        with pytest.raises(CallerError, match="finished backup"):
            client.backup(kept)
    with LocalCluster(peers=2, workers=1) as cluster, Client(cluster) as client:
        client.kv.put(b"key-0", b"newer")
        first = client.restore(kept)
        assert (first.written, first.left) == (manifest.keys - 1, 1)
        assert {key: client.kv.get(key).value for key in KEYS} == KEYS | {b"key-0": b"newer"}
        assert sorted(client.kv.get(b"\x00\xff binary").values) == [b"left", b"right"]
        assert client.kv.get(b"gone").values == ()
        assert b"".join(client.fs.cat("ring:/file.txt")) == CONTENT
        again = client.restore(kept)
        assert (again.written, again.equal) == (0, manifest.keys - 1)
        assert client.restore(kept, overwrite=True).written == 1
        assert client.kv.get(b"key-0").value == KEYS[b"key-0"]


def test_damaged_backup_is_found_and_not_restored(tmp_path):
    kept = tmp_path / "backup"
    with LocalCluster(peers=1, workers=1) as cluster, Client(cluster) as client:
        put_file(client, tmp_path)
        client.backup(kept)
        flip(next((kept / "chunks").glob("*/*")))
        assert len(verify_backup(kept)[1]) == 1
        with pytest.raises(Corrupt, match="damaged"):
            client.restore(kept)
        client.backup(kept, overwrite=True)
        assert verify_backup(kept)[1] == []


@pytest.mark.parametrize("sync", ["full", "relaxed"])
def test_killing_all_peers_at_once_amid_writes_takes_nothing_acknowledged(tmp_path, sync):
    names = ("a", "b", "c")
    with LocalCluster(names=names, workers=1, directory=tmp_path / "data", options=("--sync", sync)) as cluster:
        with Client(cluster) as client:
            for key, value in KEYS.items():
                client.kv.put(key, value)
        for name in names:
            cluster.kill(name, signal.SIGSTOP)
        for name in names:
            cluster.kill(name)
        for name in names:
            cluster.restart(name)
        with Client(cluster) as client:
            assert {key: client.kv.get(key).value for key in KEYS} == KEYS
            metrics = client.metrics().values
            assert metrics["store.relaxed"] == (sync == "relaxed")
    said = (tmp_path / "data" / "a" / "stderr.log").read_text()
    assert ("power cut may take" in said) == (sync == "relaxed")


def test_old_copy_of_a_directory_is_known_and_becomes_a_new_peer(tmp_path):
    data, old = tmp_path / "data", tmp_path / "old"
    with LocalCluster(peers=3, workers=1, directory=data) as cluster, Client(cluster) as client:
        before = {view.member.name: view.member.id for view in client.peers()}
        cluster.kill("peer-3")
        shutil.copytree(data / "peer-3", old)
        cluster.restart("peer-3")
        until(lambda: is_alive(client, before["peer-3"]), 30.0)
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


def is_alive(client, peer):
    return any(view.member.id == peer and view.liveness is Liveness.ALIVE for view in client.peers())


def is_new(view, before):
    return view.member.name == "peer-3" and view.member.id != before["peer-3"] and view.liveness is Liveness.ALIVE
