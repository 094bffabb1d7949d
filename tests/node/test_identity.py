"""A data directory's identity: one id for life, a start that only grows, and one process at a time."""

import json
import stat
from contextlib import closing

import pytest

from murmuration.node.storage.identity import (
    note_parting,
    open_identity,
    outdated_place,
    renew_identity,
    set_aside,
)
from murmuration.ring.errors import CallerError, WorldError


def test_identity_stays_while_the_start_grows(tmp_path):
    first = open_identity(tmp_path / "peer", None)
    first.close()
    second = open_identity(tmp_path / "peer", None)
    second.close()
    assert (second.peer_id, second.name) == (first.peer_id, first.name)
    assert 0 < first.start < second.start
    assert len(first.peer_id) == 32
    assert first.peer_id.startswith(first.name)


def test_identities_of_two_directories_differ(tmp_path):
    identities = [open_identity(tmp_path / name, None) for name in "ab"]
    assert identities[0].peer_id != identities[1].peer_id
    for identity in identities:
        identity.close()


def names_of_starts(directory, *given):
    for name in given:
        identity = open_identity(directory, name)
        identity.close()
        yield identity.name


def test_name_that_was_given_is_kept(tmp_path):
    assert list(names_of_starts(tmp_path / "peer", "W1", None, "W1", None)) == ["W1"] * 4


def test_name_that_was_made_up_gives_way_to_the_first_that_is_given(tmp_path):
    made_up, *given = names_of_starts(tmp_path / "peer", None, "W1", None)
    assert made_up not in given
    assert given == ["W1", "W1"]


def test_directory_of_another_peer_is_refused_with_the_way_out_and_left_as_it_was(tmp_path):
    list(names_of_starts(tmp_path, "W1"))
    file = tmp_path / "identity.json"
    before = file.read_bytes()
    with pytest.raises(CallerError, match=r"belongs to peer W1, not to W2: .*--data.*rename.*identity\.json"):
        open_identity(tmp_path, "W2")
    assert file.read_bytes() == before
    file.write_bytes(before.replace(b"W1", b"W2"))
    assert list(names_of_starts(tmp_path, "W2")) == ["W2"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "é", "a\n"])
def test_name_that_is_none_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(CallerError, match="cannot name a peer"):
        open_identity(tmp_path / "peer", name)
    assert not (tmp_path / "peer").exists()


def test_second_process_in_one_directory_is_refused_with_the_way_out(tmp_path):
    first = open_identity(tmp_path / "peer", None)
    with pytest.raises(CallerError, match=r"another process is using .*--data"):
        open_identity(tmp_path / "peer", None)
    first.close()
    second = open_identity(tmp_path / "peer", None)
    assert second.start > first.start
    second.close()


def test_directory_is_its_users_own(tmp_path):
    (tmp_path / "peer").mkdir(mode=0o755)
    open_identity(tmp_path / "peer", None).close()
    assert stat.S_IMODE((tmp_path / "peer").stat().st_mode) == 0o700


def test_directory_shared_by_all_users_is_left_to_them(tmp_path):
    tmp_path.chmod(0o1777)
    with pytest.raises(CallerError, match="shared by all users"):
        open_identity(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"id": "zz", "name": "a", "start": 1}'])
def test_damaged_identity_is_named_and_not_replaced(tmp_path, content):
    open_identity(tmp_path, None).close()
    file = tmp_path / "identity.json"
    file.write_bytes(content)
    with pytest.raises(WorldError, match=r"identity\.json is damaged"):
        open_identity(tmp_path, None)
    assert file.read_bytes() == content


def test_start_that_was_killed_while_it_wrote_is_survived(tmp_path):
    first = open_identity(tmp_path, None)
    first.close()
    (tmp_path / "identity.json.new").write_bytes(b"hal")
    second = open_identity(tmp_path, None)
    second.close()
    assert second.peer_id == first.peer_id
    assert second.start > first.start


def start_at(directory, monkeypatch, second):
    monkeypatch.setattr("murmuration.node.storage.identity.time.time", lambda: second)
    identity = open_identity(directory, None)
    identity.close()
    return identity.start


def test_old_copy_of_a_directory_that_is_put_back_never_has_a_start_again(tmp_path, monkeypatch):
    begun = 1_800_000_000.0
    starts = [start_at(tmp_path, monkeypatch, begun)]
    backup = (tmp_path / "identity.json").read_bytes()
    starts += [start_at(tmp_path, monkeypatch, begun + seconds) for seconds in (0.01, 0.02)]
    (tmp_path / "identity.json").write_bytes(backup)
    starts.append(start_at(tmp_path, monkeypatch, begun + 0.03))
    assert starts == sorted(set(starts))


def test_start_grows_though_the_clock_was_set_back(tmp_path, monkeypatch):
    starts = [start_at(tmp_path, monkeypatch, second) for second in (1_800_000_000.0, 1_700_000_000.0)]
    assert starts[0] < starts[1] < 1 << 40


def test_place_that_is_no_directory_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorldError, match="cannot be used as a data directory"):
        open_identity(tmp_path / "file", None)


def test_content_of_an_old_copy_is_set_aside_before_a_new_peer_takes_its_place(tmp_path):
    with closing(open_identity(tmp_path, "a")) as old:
        (tmp_path / "store").mkdir()
        (tmp_path / "store" / "row").write_text("deleted since")
        renewed = renew_identity(tmp_path)
    with closing(open_identity(tmp_path, "a")) as new:
        assert (new.peer_id, new.name, new.recorded) == (renewed, "a", 0)
    assert not (tmp_path / "store").exists()
    assert (outdated_place(tmp_path, old.peer_id) / "store" / "row").read_text() == "deleted since"
    (tmp_path / "store").mkdir()
    open_identity(tmp_path, "a").close()
    assert (tmp_path / "store").exists(), "what the new peer keeps stays"


def test_peer_that_has_parted_is_refused_with_the_way_out_until_its_directory_is_set_aside(tmp_path):
    open_identity(tmp_path, "a").close()
    assert set_aside(tmp_path) is None, "a member's directory is left alone"
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "row").write_text("kept")
    note_parting(tmp_path)
    with pytest.raises(CallerError, match=r"peer a has left its cluster or was removed.*--rejoin-as-new"):
        open_identity(tmp_path, "a")
    old = json.loads((tmp_path / "identity.json").read_text())["id"]
    aside = set_aside(tmp_path)
    assert aside == tmp_path / f"parted-{old[:8]}"
    assert (aside / "store" / "row").read_text() == "kept"
    with closing(open_identity(tmp_path, "a")) as new:
        assert (new.name, new.recorded) == ("a", 0)
        assert new.peer_id != old
    assert set_aside(tmp_path) is None
