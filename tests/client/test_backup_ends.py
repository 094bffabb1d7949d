"""Values that end, in a backup: each is kept with its end, and not brought back after it."""

from murmuration.client.store.backup.layout import KeptKey
from murmuration.client.store.backup.taking import _last_ends
from murmuration.node.wire.replies import KeyGot


def got(values: tuple[bytes, ...], ends: tuple[int, ...]) -> KeyGot:
    return KeyGot(values=values, context={}, replicas=3, answered=2, ends=ends)


def test_value_that_has_ended_since_the_backup_is_not_brought_back() -> None:
    kept = KeptKey(key=b"k", values=(b"early", b"late", b"never"), ends=(10, 20, 0))
    assert kept.alive_at(9) == [(b"early", 10), (b"late", 20), (b"never", 0)]
    assert kept.alive_at(10) == [(b"late", 20), (b"never", 0)]
    assert KeptKey(key=b"k", values=(b"v",)).alive_at(10) == [(b"v", 0)]


def test_equal_values_are_kept_once_with_the_last_of_their_ends() -> None:
    assert _last_ends(got((b"a", b"a", b"b"), (5, 7, 0))) == {b"a": 7, b"b": 0}
    assert _last_ends(got((b"a", b"a"), (5, 0))) == {b"a": 0}
    assert _last_ends(got((b"a", b"b"), ())) == {b"a": 0, b"b": 0}
