"""Addresses of peers: which are tried, in which order, and what the last start left behind."""

from pathlib import Path

import pytest

from murmuration.client.addresses import addresses_file, endpoint, find_urls, forget_urls, recall_urls, remember_urls
from murmuration.ring.errors import CallerError, Unreachable

A, B, C = "tcp://127.0.0.1:1001", "tcp://127.0.0.1:1002", "tcp://127.0.0.1:1003"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("MURMUR_PEERS", raising=False)


def test_given_addresses_win_over_environment_and_last_start(monkeypatch: pytest.MonkeyPatch) -> None:
    remember_urls((C,))
    assert find_urls() == (C,)
    monkeypatch.setenv("MURMUR_PEERS", f"{B}, {A},")
    assert find_urls() == (B, A)
    assert find_urls((A,)) == (A,)


def test_no_address_at_all_names_the_way_out() -> None:
    with pytest.raises(Unreachable, match="murmur up"):
        find_urls()


def test_state_of_the_last_start_goes_with_it() -> None:
    remember_urls((A, B))
    assert recall_urls() == (A, B)
    forget_urls((A, B))
    assert not addresses_file().exists()


def test_state_of_a_later_start_is_left_alone() -> None:
    remember_urls((A,))
    remember_urls((B,))
    forget_urls((A,))
    assert recall_urls() == (B,)
    assert [file.name for file in addresses_file().parent.iterdir()] == ["peers.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"urls": 3}', '{"urls": [3]}'])
def test_state_that_nobody_can_read_is_as_none(content: str) -> None:
    addresses_file().parent.mkdir(parents=True)
    addresses_file().write_text(content)
    assert recall_urls() == ()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://localhost:30001/W", "tcp://127.0.0.1:30001"),
        ("TCP://LOCALHOST:20001/PM", "tcp://127.0.0.1:20001"),
        ("10.0.0.7:99", "tcp://10.0.0.7:99"),
        ("tcp://[::1]:5", "tcp://[::1]:5"),
    ],
)
def test_address_in_any_spelling_becomes_an_endpoint(url: str, expected: str) -> None:
    assert endpoint(url) == expected


@pytest.mark.parametrize("url", ["", "tcp://", "tcp://host", "http://host:1", "tcp://host:x", "tcp://host:0"])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CallerError):
        endpoint(url)


def test_same_address_twice_is_tried_once() -> None:
    assert find_urls((A, f"{A}/W", B)) == (A, B)
