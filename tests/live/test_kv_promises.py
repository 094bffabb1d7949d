"""Keys on real peers: conditions, ends, and many keys at once, through the library and the command line."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.ring.errors import Conflict

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("kv-promises")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(peers=4, workers=1) as made:
        yield made


def test_conditional_put_through_another_peer_sees_what_was_written(cluster: LocalCluster) -> None:
    with Client(cluster.urls[0]) as one, Client(cluster.urls[1]) as other:
        mine = one.kv.put(b"lock", b"one", if_absent=True)
        with pytest.raises(Conflict) as told:
            other.kv.put(b"lock", b"other", if_absent=True)
        assert told.value.values == (b"one",)
        one.kv.put(b"lock", b"one again", if_current=mine.context)
        with pytest.raises(Conflict):
            other.kv.put(b"lock", b"other", if_current=told.value.context)
        assert other.kv.get(b"lock").value == b"one again"


def test_value_with_a_time_to_live_is_gone_at_every_peer_after_it_and_not_listed(cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        client.kv.put(b"session/1", b"soon gone", ttl_s=1.0)
        client.kv.put(b"session/2", b"stays", ttl_s=3600.0)
        ends = time.monotonic() + 1.1
        assert client.kv.get(b"session/1").values in ((b"soon gone",), ())
        while time.monotonic() < ends:
            client.kv.get(b"session/1")
    for url in cluster.urls:
        with Client(url) as client:
            assert client.kv.get(b"session/1").values == ()
            assert list(client.kv.keys(b"session/")) == [b"session/2"]


def test_what_is_loaded_is_dumped_again_and_loading_twice_makes_no_siblings(
    cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [{"key": f"load/{number:04}", "value": f"value {number}"} for number in range(600)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    peer = ["--peer", cluster.urls[0]]
    assert run_command(["kv", "load", str(file), *peer]) == 0
    assert run_command(["kv", "load", str(file), "--from-line", "301", *peer]) == 0
    assert "300 keys are loaded" in capsys.readouterr().err
    assert run_command(["kv", "dump", "load/", *peer]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == pairs
