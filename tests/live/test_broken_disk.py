"""A disk that fails at reads too costs its peer nothing but the time until it works again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gated_peers import GatedFlock

from murmuration.client.api import Client
from murmuration.node.gate.orders import DiskState, SetDisk
from murmuration.ring.errors import MurmurationError
from murmuration.ring.terms import Quorum

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]


@pytest.fixture
def flock(tmp_path: Path) -> Iterator[GatedFlock]:
    found = GatedFlock(tmp_path)
    yield found
    found.end()


def test_peer_with_a_broken_disk_answers_from_its_neighbours_and_keeps_what_it_had(flock: GatedFlock) -> None:
    peers = flock.start(0, 0, 0)
    with Client(peers[1].url) as client:
        client.kv.put(b"before", b"v", quorum=Quorum(replicas=3, writes_required=3, strict=True))
        peers[1].obey(SetDisk(state=DiskState.BROKEN))
        assert client.kv.get(b"before").values == (b"v",)
        peers[1].obey(SetDisk())
        assert client.kv.get(b"before", quorum=Quorum(replicas=3, reads_required=3)).values == (b"v",)


def test_broken_disk_fails_at_reads_in_its_own_words_and_has_lost_nothing(flock: GatedFlock) -> None:
    (peer,) = flock.start(0)
    with Client(peer.url) as client:
        client.kv.put(b"key", b"v")
        peer.obey(SetDisk(state=DiskState.BROKEN))
        with pytest.raises(MurmurationError, match="disk broken"):
            client.kv.get(b"key")
        with pytest.raises(MurmurationError, match="disk broken"):
            client.kv.put(b"other", b"v")
        peer.obey(SetDisk())
        assert client.kv.get(b"key").values == (b"v",)
