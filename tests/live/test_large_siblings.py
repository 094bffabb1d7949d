"""Real peers: values of the largest size, written at once at several homes, are read by all and resolved."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gated_peers import until

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.node.wire.limits import CONTROL_FRAME_BYTES_MAX
from murmuration.ring.errors import MurmurationError
from murmuration.ring.terms import VALUE_BYTES_MAX, Quorum

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]

ONE = Quorum(replicas=3, reads_required=1, writes_required=2)
ALL = Quorum(replicas=3, reads_required=3, writes_required=3)
LARGEST = b"x" * (VALUE_BYTES_MAX - 1)


def write_at_once(clients: list[Client], key: bytes) -> None:
    """Write blindly through each peer at the same time; who knows of another's value already is refused."""

    def write(number: int) -> None:
        try:
            clients[number].kv.put(key, b"%d" % number + LARGEST)
        except MurmurationError as error:
            assert "read the key" in str(error)

    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(write, range(len(clients))))


def test_concurrent_values_beyond_a_frame_reach_all_homes_and_one_write_resolves_them() -> None:
    with LocalCluster(peers=3, workers=1) as cluster:
        clients = [Client([url]) for url in cluster.urls]
        for number in range(20):
            key = b"key-%d" % number
            write_at_once(clients, key)
            found = clients[0].kv.get(key, quorum=ALL)
            if sum(map(len, found.values)) > CONTROL_FRAME_BYTES_MAX:
                break
        else:
            pytest.fail("no two writes met")
        for client in clients:
            until(lambda client=client: client.kv.get(key, quorum=ONE).context == found.context)
            assert sorted(client.kv.get(key, quorum=ONE).values) == sorted(found.values)
        clients[1].kv.put(key, b"resolved", context=found.context, quorum=ALL)
        assert all(client.kv.get(key, quorum=ALL).values == (b"resolved",) for client in clients)
        for client in clients:
            client.close()
