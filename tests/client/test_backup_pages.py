"""A backup sorted by vnodes: each key is in a page of its own vnode, once and in order, however little may be held."""

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.client.store.backup.layout import BackupManifest, KeptKey, read_page
from murmuration.client.store.backup.paging import Pager
from murmuration.client.store.backup.restoring import _pages_of
from murmuration.ring.errors import CallerError
from murmuration.ring.placement.rendezvous import vnode_of

KEYS = st.dictionaries(st.binary(max_size=8), st.binary(max_size=64), max_size=40)


@settings(deadline=None, max_examples=50)  # each page waits for the disk
@given(KEYS, st.sampled_from((1, 4, 64)), st.integers(1, 200), st.integers(1, 400))
def test_each_key_is_in_a_page_of_its_vnode_once_and_in_order(values, vnodes, page_bytes, held_bytes):
    with TemporaryDirectory() as name:
        directory = Path(name)
        pager = Pager(directory, vnodes, page_bytes=page_bytes, held_bytes=held_bytes)
        for key in sorted(values):
            pager.add(KeptKey(key=key, values=(values[key],)))
        pages = pager.finish()
        read = [(page.vnode, each) for page in pages for each in read_page(directory, page)]
        assert len({page.name for page in pages}) == len(pages)
    assert [page.vnode for page in pages] == sorted(page.vnode for page in pages)
    assert {each.key: each.values for _, each in read} == {key: (value,) for key, value in values.items()}
    by_vnode = defaultdict(list)
    for vnode, each in read:
        by_vnode[vnode].append(each.key)
    for vnode, keys in by_vnode.items():
        assert keys == sorted(key for key in values if vnode_of(key, vnodes) == vnode)


def test_pages_are_written_before_all_keys_have_come_so_that_memory_stays_bounded(tmp_path):
    pager = Pager(tmp_path, 64, page_bytes=10_000, held_bytes=20_000)
    for number in range(1_000):
        pager.add(KeptKey(key=b"%06d" % number, values=(b"x" * 100,)))
    written = sum(file.stat().st_size for file in tmp_path.glob("keys/*"))
    assert written > 1_000 * 106 - 20_000


def test_vnode_that_the_backup_has_not_is_refused(tmp_path):
    manifest = BackupManifest(
        version=1, started_at=0.0, finished_at=0.0, vnodes=4, replicas=1, members=(), epoch=0,
        keys=0, siblings=0, files=0, chunks=0, chunk_bytes=0, pages=(),
    )  # fmt: skip
    with pytest.raises(CallerError, match="no vnode 4: the backup is of 4"):
        _pages_of(manifest, [4])
