"""What is spoiled is known for it: each kind of damage changes what it hits, and nothing but that."""

import random
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.storage.identity import open_identity
from murmuration.node.storage.rows import FILE_BYTES_MIN, Rows
from murmuration.puppetmaster.faults import Damage
from murmuration.puppetmaster.masters.directories import Directories
from murmuration.puppetmaster.masters.spoiling import DATABASE, damaged, spoil
from murmuration.ring.errors import CallerError, Corrupt, WorldError

KEYS = [b"v/%d" % number for number in range(10)]
LARGE = b"v/large"


@pytest.fixture
def directory(tmp_path):
    """Keep what a peer would: rows, a large value, a chunk, a run and a part."""
    open_identity(tmp_path / "p", "p").close()
    rows = Rows(tmp_path / "p" / "store")
    with rows.transaction():
        for key in KEYS:
            rows.put(key, b"value of " + key)
        rows.put(LARGE, bytes(range(256)) * (FILE_BYTES_MIN // 256 + 1))
    rows.close()
    for name in ("chunks/ab/abcd", "runs/job/0-x", "parts/job/0-x"):
        file = tmp_path / "p" / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"bytes of " + name.encode())
    return tmp_path / "p"


def corrupt_keys(directory):
    rows, found = Rows(directory / "store"), set()
    for key in (*KEYS, LARGE):
        try:
            assert rows.get(key) is not None, "a spoiled row is not taken for an absent one"
        except Corrupt:
            found.add(key)
    rows.close()
    return found


@pytest.mark.parametrize("damage", Damage)
def test_everything_is_hit_and_told_and_who_the_peer_is_stays(directory, damage):
    before = (directory / "identity.json").read_bytes()
    files = {name: (directory / name).read_bytes() for name in ("chunks/ab/abcd", "runs/job/0-x", "parts/job/0-x")}
    hit = spoil(directory, damage, 1.0, random.Random(1))
    assert corrupt_keys(directory) == {*KEYS, LARGE}
    assert all(not (directory / name).exists() or (directory / name).read_bytes() != was for name, was in files.items())
    assert (directory / "identity.json").read_bytes() == before
    assert {name for name in hit.names if not name.startswith(f"{DATABASE}: ")} >= files.keys()
    assert {f"{DATABASE}: {key.decode()}" for key in KEYS} <= set(hit.names)
    assert hit.count == len(hit.names) == len(KEYS) + len(files) + 1


def test_share_is_hit_and_the_rest_stays_sound(directory):
    hit = spoil(directory, Damage.TORN, 0.3, random.Random(1))
    rows = {name.partition(": ")[2].encode() for name in hit.names if name.startswith(DATABASE)}
    assert len(rows) == 3
    assert corrupt_keys(directory) - {LARGE} == rows


def test_share_of_nothing_hits_nothing(directory):
    assert spoil(directory, Damage.MISSING, 0.0, random.Random(1)).count == 0
    assert corrupt_keys(directory) == set()


def test_peer_that_died_before_it_kept_anything_has_nothing_to_spoil(tmp_path):
    assert spoil(tmp_path, Damage.FLIPPED, 1.0, random.Random(1)).names == ()


def test_rows_that_a_frozen_peer_is_writing_are_left_alone_with_all_else(directory):
    writer = sqlite3.connect(directory / DATABASE, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(WorldError, match="locked"):
        spoil(directory, Damage.MISSING, 1.0, random.Random(1))
    writer.close()
    assert (directory / "chunks/ab/abcd").exists()
    assert corrupt_keys(directory) == set()


@given(st.binary(min_size=1, max_size=200), st.sampled_from(Damage), st.randoms(use_true_random=False))
def test_damage_changes_bytes_as_its_name_says(content, damage, rng):
    spoilt = damaged(content, damage, rng)
    match damage:
        case Damage.FLIPPED:
            bits = int.from_bytes(spoilt) ^ int.from_bytes(content)
            assert (len(spoilt), bits.bit_count()) == (len(content), 1)
        case Damage.SHORT:
            assert content.startswith(spoilt)
            assert len(spoilt) < len(content)
        case Damage.TORN:
            assert len(spoilt) == len(content)
            assert spoilt[len(content) // 2 :].strip(b"\0") == b""
        case Damage.MISSING:
            assert spoilt is None


# --- directories ---


def test_snapshot_is_put_back_as_often_as_asked_for(tmp_path):
    directories = Directories(tmp_path)
    directories.of("1").mkdir()
    (directories.of("1") / "a").write_text("old")
    directories.copy("1")
    for text in ("new", "newer"):
        (directories.of("1") / "a").write_text(text)
        (directories.of("1") / "b").touch()
        directories.put_back("1")
        assert [path.name for path in directories.of("1").iterdir()] == ["a"]
        assert (directories.of("1") / "a").read_text() == "old"


def test_snapshot_that_was_never_taken_is_refused_and_the_directory_stays(tmp_path):
    directories = Directories(tmp_path)
    directories.of("1").mkdir()
    with pytest.raises(CallerError, match="SNAPSHOT 1"):
        directories.put_back("1")
    assert directories.of("1").is_dir()


def test_peer_that_is_forgotten_has_no_old_directory_either(tmp_path):
    directories = Directories(tmp_path)
    directories.of("1").mkdir()
    directories.copy("1")
    directories.forget("1")
    assert list(tmp_path.iterdir()) == []


def test_swap_exchanges_two_directories_and_twice_is_none(tmp_path):
    directories = Directories(tmp_path)
    for name in ("1", "2"):
        directories.of(name).mkdir()
        (directories.of(name) / name).touch()
    directories.swap("1", "2")
    assert (directories.of("1") / "2").exists()
    assert (directories.of("2") / "1").exists()
    directories.swap("2", "1")
    assert (directories.of("1") / "1").exists()
