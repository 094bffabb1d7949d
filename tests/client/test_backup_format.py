"""Backups on disk: damage is told as such, names never lead out, and a finished one stays until the next is whole."""

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmuration.client.store.backup.layout import (
    KEYS,
    MANIFEST,
    BackupManifest,
    KeptKey,
    Page,
    read_manifest,
    write_manifest,
)
from murmuration.client.store.backup.taking import Backup
from murmuration.client.store.backup.verifying import verify_backup
from murmuration.node.storage.durable import replace_durably
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import CallerError, MurmurationError, WorldError

CONTENT = msgspec.msgpack.encode([KeptKey(b"a", (b"1",)), KeptKey(b"b", (b"2", b"3"))])
DIGEST = chunk_digest(CONTENT).hex()
PAGE = Page(name=f"0000-000-{DIGEST[:16]}.page", vnode=0, keys=2, bytes=len(CONTENT), digest=DIGEST)


def manifest(**changes) -> BackupManifest:
    counts = {"keys": 2, "siblings": 1, "files": 0, "chunks": 0, "chunk_bytes": 0}
    made = {"version": 1, "started_at": 1.0, "finished_at": 2.0, "vnodes": 64, "replicas": 3, "members": ("a",)}
    return BackupManifest(**{**made, "epoch": 0, **counts, "pages": (PAGE,), **changes})


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    replace_durably(tmp_path / KEYS / PAGE.name, CONTENT)
    write_manifest(tmp_path, manifest())
    return tmp_path


def test_sound_backup_has_no_faults(backup):
    kept, faults = verify_backup(backup)
    assert (kept.keys, faults) == (2, [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_manifest_with_one_flipped_bit_is_never_believed(backup, data):
    write_manifest(backup, manifest())
    sound = (backup / MANIFEST).read_bytes()
    before = read_manifest(backup)
    at, bit = data.draw(st.integers(0, len(sound) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(sound)
    damaged[at] ^= 1 << bit
    (backup / MANIFEST).write_bytes(damaged)
    with suppress(MurmurationError):
        assert read_manifest(backup) == before  # a blank for another blank changes nothing


@pytest.mark.parametrize("name", ["../outside.page", "/etc/hostname", "", "a\0", "000000.page"])
def test_page_name_that_is_none_is_refused_before_any_file_is_read(backup, name):
    write_manifest(backup, manifest(pages=(msgspec.structs.replace(PAGE, name=name),)))
    with pytest.raises(CallerError, match="no manifest of a backup"):
        verify_backup(backup)


@pytest.mark.parametrize("changes", [{"pages": ()}, {"keys": 7}])
def test_manifest_whose_counts_do_not_add_up_is_refused(backup, changes):
    write_manifest(backup, manifest(**changes))
    with pytest.raises(CallerError, match="damaged"):
        verify_backup(backup)


class SilentPeers:
    def ask(self, *_, **__):
        raise WorldError("no peer answers")


def test_backup_that_cannot_be_renewed_stays_as_it_was(backup):
    renewal = Backup(SilentPeers())
    with pytest.raises(WorldError, match="no peer answers"):
        renewal.take(backup, overwrite=True)
    assert verify_backup(backup)[1] == []
