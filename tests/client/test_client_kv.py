"""Keys at the client: siblings are shown, contexts settle them, and system keys are left alone."""

from typing import Any

import pytest

from murmuration.client.connection import Connection
from murmuration.client.kv import KeyValueStore
from murmuration.ring.errors import CallerError
from murmuration.ring.terms import VALUE_BYTES_MAX


@pytest.fixture
def kv(connection: Connection) -> KeyValueStore:
    return KeyValueStore(connection)


def test_value_put_is_got(kv: KeyValueStore) -> None:
    kv.put(b"k", b"v")
    assert kv.get(b"k").value == b"v"


def test_absent_key_has_no_values_and_no_value(kv: KeyValueStore) -> None:
    found = kv.get(b"k")
    assert found.values == ()
    with pytest.raises(CallerError, match="'k' is absent"):
        _ = found.value


def test_puts_without_context_are_siblings_until_one_covers_them(kv: KeyValueStore) -> None:
    kv.put(b"k", b"1")
    kv.put(b"k", b"2")
    found = kv.get(b"k")
    assert set(found.values) == {b"1", b"2"}
    with pytest.raises(CallerError, match="2 concurrent values"):
        _ = found.value
    kv.put(b"k", b"3", context=found.context)
    assert kv.get(b"k").value == b"3"


def test_delete_covers_all_that_is_there(kv: KeyValueStore) -> None:
    kv.put(b"k", b"1")
    kv.put(b"k", b"2")
    kv.delete(b"k")
    assert kv.get(b"k").values == ()


def test_keys_are_listed_in_order_over_pages_without_system_keys(
    kv: KeyValueStore, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmuration.client.kv.PAGE", 2)
    for key in (b"b", b"a", b"d", b"c", b"e"):
        kv.put(key, b"v")
    peer.keys[b"fs/x"] = {1: b"v"}
    assert list(kv.keys()) == [b"a", b"b", b"c", b"d", b"e"]
    assert list(kv.keys(b"c")) == [b"c"]
    assert list(kv.keys(b"fs/")) == [b"fs/x"]


@pytest.mark.parametrize("key", [b"fs/x", b"job/x", b"seal/x", b"chunk/x", b"", b"x" * 4097])
def test_keys_of_the_system_and_of_no_size_are_not_written(kv: KeyValueStore, key: bytes, peer: Any) -> None:
    with pytest.raises(CallerError):
        kv.put(key, b"v")
    with pytest.raises(CallerError):
        kv.delete(key)
    assert not peer.asked


def test_value_over_the_limit_points_to_files(kv: KeyValueStore) -> None:
    with pytest.raises(CallerError, match="fs put"):
        kv.put(b"k", bytes(VALUE_BYTES_MAX + 1))
