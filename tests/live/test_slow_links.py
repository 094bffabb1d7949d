"""What a script does to a link hits all that passes it: messages, and bulk transfers whichever end pulls them."""

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from gated_peers import GatedFlock, GatedPeer

from murmuration.client.api import Client
from murmuration.puppetmaster.language.commands import Links
from murmuration.puppetmaster.live.link_table import LinkFault, LinkTable
from murmuration.ring.digests import chunk_digest
from murmuration.ring.terms import Quorum

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]

BYTES = 150_000
RATE = 150_000
LINE = b"a line of some words\n"
LINES_COUNTED = """
from murmuration import Mapper

class Lines(Mapper):
    def map(self, key, value):
        yield "lines", 1

reducer = "sum"
"""
ALL_COPIES = Quorum(replicas=2, writes_required=2, strict=True)


@pytest.fixture
def flock(tmp_path: Path) -> Iterator[GatedFlock]:
    found = GatedFlock(tmp_path)
    yield found
    found.end()


def put_links(peers: list[GatedPeer], *, at: Sequence[str] = ("peer-1", "peer-2"), **amounts: float) -> None:
    """Do to the link from the first peer to the second what a script would have done, at the gates of those peers."""
    table = LinkTable()
    links = Links(senders=("peer-1",), receivers=("peer-2",), both_ways=False)
    if amounts:
        table.add(LinkFault(links=links, **amounts))
    rules = table.rules({peer.name: peer.url for peer in peers})
    for peer in peers:
        if peer.name in at:
            peer.links(*rules[peer.name])


def write_file_kept_at(name: str, client: Client, path: Path) -> None:
    """Write a file whose one chunk has its first home at that peer."""
    for number in itertools.count():
        content = f"{number}\n".encode() + LINE * (BYTES // len(LINE))
        if client.ring(b"chunk/" + chunk_digest(content)).primaries[0] == name:
            path.write_bytes(content)
            return


@pytest.mark.parametrize(
    ("amounts", "at_least_s"), [({"bytes_per_s": RATE}, BYTES / RATE), ({"delay_s": 0.8}, 0.8)], ids=["rate", "delay"]
)
def test_input_that_a_peer_pulls_over_a_slow_link_comes_late_by_the_rule_that_it_minds_itself(
    flock: GatedFlock, tmp_path: Path, amounts: dict[str, float], at_least_s: float
) -> None:
    peers = flock.start(0, 1)
    (tmp_path / "words.py").write_text(LINES_COUNTED, encoding="utf-8")
    with Client(peers[0].url) as client:
        write_file_kept_at("peer-1", client, tmp_path / "file")
        client.fs.put(str(tmp_path / "file"), "ring:/file", replicas=1)
        put_links(peers, at=["peer-2"], **amounts)
        began = time.monotonic()
        job = client.submit(str(tmp_path / "words.py"), "ring:/file", output="ring:/counts", reducers=1)
        job.wait(timeout=30)
        assert time.monotonic() - began >= at_least_s
        assert dict(job.results()) == {"lines": str(BYTES // len(LINE) + 1)}


def test_messages_of_a_narrow_link_wait_for_each_other_and_those_back_do_not(flock: GatedFlock) -> None:
    peers = flock.start(0, 0)
    put_links(peers, bytes_per_s=RATE)
    taken_s = {}
    for peer in peers:
        with Client(peer.url) as client:
            began = time.monotonic()
            client.kv.put(f"key of {peer.name}".encode(), bytes(100_000), quorum=ALL_COPIES)
            taken_s[peer.name] = time.monotonic() - began
    assert taken_s["peer-1"] >= 0.5
    put_links(peers)
    with Client(peers[0].url) as client:
        began = time.monotonic()
        client.kv.put(b"healed", bytes(100_000), quorum=ALL_COPIES)
        assert time.monotonic() - began < taken_s["peer-1"]


def test_message_that_is_doubled_arrives_twice_and_is_done_once(flock: GatedFlock) -> None:
    peers = flock.start(0, 0)
    put_links(peers, duplication=1.0)
    sent, heard = peers[0].condition.messages_out, peers[1].condition.messages_in
    with Client(peers[0].url) as client:
        for number in range(10):
            client.kv.put(b"key-%d" % number, b"v", quorum=ALL_COPIES)
        assert [client.kv.get(b"key-%d" % number).values for number in range(10)] == [(b"v",)] * 10
    assert peers[0].condition.messages_out - sent >= 20
    assert peers[1].condition.messages_in - heard >= 20


def test_messages_that_overtake_each_other_leave_the_newest_value(flock: GatedFlock) -> None:
    peers = flock.start(0, 0)
    put_links(peers, jitter_s=0.1)
    with Client(peers[0].url) as client:
        for number in range(10):
            client.kv.put(b"key", b"%d" % number, context=client.kv.get(b"key").context)
    put_links(peers)
    for peer in peers:
        with Client(peer.url) as client:
            assert client.kv.get(b"key").values == (b"9",)
