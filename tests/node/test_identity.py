"""A data directory's identity: one id for life, a start that only grows, and one process at a time."""

import stat

import pytest

from murmuration.node.storage.identity import open_identity
from murmuration.ring.errors import CallerError, WorldError


def test_identity_stays_while_the_start_grows(tmp_path):
    first = open_identity(tmp_path / "peer", None)
    first.close()
    second = open_identity(tmp_path / "peer", None)
    second.close()
    assert (second.peer_id, second.name) == (first.peer_id, first.name)
    assert (first.start, second.start) == (1, 2)
    assert len(first.peer_id) == 32
    assert first.peer_id.startswith(first.name)


def test_identities_of_two_directories_differ(tmp_path):
    identities = [open_identity(tmp_path / name, None) for name in "ab"]
    assert identities[0].peer_id != identities[1].peer_id
    for identity in identities:
        identity.close()


def test_name_that_was_given_is_kept_and_can_be_changed(tmp_path):
    names = []
    for given in ("W1", None, "W2", None):
        identity = open_identity(tmp_path / "peer", given)
        identity.close()
        names.append(identity.name)
    assert names == ["W1", "W1", "W2", "W2"]


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
    assert second.start == 2
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
    assert (second.peer_id, second.start) == (first.peer_id, 2)


def test_place_that_is_no_directory_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorldError, match="cannot be used as a data directory"):
        open_identity(tmp_path / "file", None)
