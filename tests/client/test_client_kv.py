"""Keys at the client: siblings are shown, contexts settle them, and system keys are left alone."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from murmuration.client.connection import Connection
from murmuration.client.store.kv import KeyValueStore
from murmuration.node.wire.replies import Refused
from murmuration.node.wire.requests import GetKey, Hello, PutKey
from murmuration.ring.errors import CallerError, Conflict, Corrupt, Unknown, WorldError
from murmuration.ring.terms import VALUE_BYTES_MAX, Quorum


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
    monkeypatch.setattr("murmuration.client.store.kv.PAGE", 2)
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


# --- conditions, ends and quorums ---


def test_conflict_is_an_error_that_has_what_is_there(kv: KeyValueStore) -> None:
    kv.put(b"k", b"1", if_absent=True)
    with pytest.raises(Conflict, match="another value is there") as told:
        kv.put(b"k", b"2", if_absent=True)
    assert told.value.values == (b"1",)
    kv.put(b"k", b"2", if_current=told.value.context)
    assert kv.get(b"k").value == b"2"


def test_conditions_that_contradict_are_refused(kv: KeyValueStore, peer: Any) -> None:
    with pytest.raises(CallerError, match="choose one"):
        kv.put(b"k", b"v", if_absent=True, context={})
    assert not peer.asked


def test_time_to_live_is_an_instant_of_this_clock(kv: KeyValueStore, peer: Any) -> None:
    before = time.time() * 1000
    kv.put(b"k", b"v", ttl_s=10)
    assert before + 9_999 <= peer.asked[-1].expires_at <= time.time() * 1000 + 10_000
    for ttl_s in (0, -1, float("inf"), float("nan")):
        with pytest.raises(CallerError, match="cannot live"):
            kv.put(b"k", b"v", ttl_s=ttl_s)


def test_quorum_that_can_never_be_reached_is_refused_before_it_is_asked_for(kv: KeyValueStore, peer: Any) -> None:
    with pytest.raises(CallerError, match="writes_required = 4 is more than the 3 replicas"):
        kv.put(b"k", b"v", quorum=Quorum(writes_required=4))
    with pytest.raises(CallerError, match="reads_required = 4 is more than the 3 replicas"):
        kv.get(b"k", quorum=Quorum(reads_required=4))
    assert not peer.asked


@pytest.mark.parametrize(
    ("quorum", "may_miss"),
    [
        (Quorum(), False),
        (Quorum(reads_required=1), True),
        (Quorum(replicas=5), True),
        (Quorum(replicas=5, reads_required=0, writes_required=0), False),
        (Quorum(replicas=1, reads_required=1, writes_required=1), False),
    ],
)
def test_quorum_tells_whether_a_read_may_miss_the_newest_write(quorum: Quorum, *, may_miss: bool) -> None:
    assert quorum.may_miss_newest is may_miss


@pytest.mark.parametrize(("kind", "error"), [("unknown", Unknown), ("corrupt", Corrupt), ("quorum", WorldError)])
def test_kinds_of_refusal_are_errors_of_their_own(
    kv: KeyValueStore, peer: Any, monkeypatch: pytest.MonkeyPatch, kind: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(peer, "answer", lambda request: Refused(kind=kind, reason="why"))
    with pytest.raises(error, match="why") as told:
        kv.put(b"k", b"v")
    assert type(told.value) is error


def test_delete_of_what_no_home_can_read_covers_nothing_and_is_written(
    kv: KeyValueStore, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = peer.answer

    def spoilt(request: Any) -> Any:
        return Refused(kind="corrupt", reason="corrupt") if isinstance(request, GetKey) else answer(request)

    monkeypatch.setattr(peer, "answer", spoilt)
    kv.delete(b"k")
    assert peer.keys[b"k"] == {1: None}


# --- many at once ---


def test_put_many_replaces_what_is_there_and_the_last_of_a_key_wins(
    kv: KeyValueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmuration.client.store.kv.PUTS_AT_ONCE", 3)
    kv.put(b"k0", b"old")
    pairs = [(b"k%d" % (number % 5), b"%d" % number) for number in range(8)]
    assert kv.put_many(pairs) == 8
    assert {got.key: got.values for got in kv.get_many(b"k%d" % n for n in range(5))} == {
        b"k0": (b"5",), b"k1": (b"6",), b"k2": (b"7",), b"k3": (b"3",), b"k4": (b"4",)
    }  # fmt: skip


def test_put_many_tells_of_each_stretch_and_reads_no_fresh_keys(
    kv: KeyValueStore, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmuration.client.store.kv.PUTS_AT_ONCE", 2)
    told: list[int] = []
    progress = SimpleNamespace(advance=lambda name, done, total: told.append(done))
    kv.put_many([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")], fresh=True, progress=progress)
    assert told == [2, 3]
    assert all(isinstance(request, PutKey) for request in peer.asked if not isinstance(request, Hello))


def test_put_many_stops_at_a_pair_that_is_too_large_after_what_came_before(
    kv: KeyValueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmuration.client.store.kv.PUTS_AT_ONCE", 1)
    with pytest.raises(CallerError, match="'b' has 1048577 bytes"):
        kv.put_many([(b"a", b"1"), (b"b", bytes(VALUE_BYTES_MAX + 1)), (b"c", b"3")])
    assert list(kv.keys()) == [b"a"]
