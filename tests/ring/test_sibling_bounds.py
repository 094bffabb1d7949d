"""Concurrent values are bounded where they are written; what comes together after a cut still travels and merges."""

from collections.abc import Callable

from ring_cluster import ALL, ONE, SETTINGS, Disk, RingCluster

from murmuration.node.wire.codec import decode_peer, encode_peer
from murmuration.ring.copies.comparing import LISTED_BYTES_MAX
from murmuration.ring.copies.stored import STEP_BYTES_MAX
from murmuration.ring.copies.versions import SIBLINGS_BYTES_MAX, SIBLINGS_MAX, bytes_of
from murmuration.ring.effects import KeysDone, PutDone
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.errors import CallerError, RemoteError
from murmuration.ring.facts import Standing
from murmuration.ring.messages import KeysListed, RingMessage
from murmuration.ring.operations import ListVersions, MintVersion, Operation, WeighVersions
from murmuration.ring.outcomes import StoreFailed, VersionsListed, VersionsMerged, VersionsWeighed
from murmuration.ring.settings import RingSettings
from murmuration.ring.terms import VALUE_BYTES_MAX, PeerId

QUICK = RingSettings(vnodes=64, entropy=EntropySettings(exchange_s=2.0, hurry_s=1.0))
LARGEST = b"x" * (VALUE_BYTES_MAX - 1)


class WiredCluster(RingCluster):
    """Peers whose messages really go through the codec: what it refuses is lost."""

    def __init__(self, size: int, settings: RingSettings = SETTINGS) -> None:
        self.refused: list[str] = []
        super().__init__(size, settings=settings)

    def _send(self, source: int, to: int, message: RingMessage) -> None:
        try:
            decode_peer(encode_peer(_id(source), _id(to), message))
        except (CallerError, RemoteError) as error:
            self.refused.append(f"{type(message).__name__}: {error}")
            return
        super()._send(source, to, message)


def _id(number: int) -> PeerId:
    return PeerId(f"{number:032x}")


def blind_writes_at_once(cluster: RingCluster, key: bytes) -> list[bytes]:
    """Write the largest values at three homes, none of which knows of the others' yet."""
    values = [b"%d" % number + LARGEST for number in range(3)]
    puts = [cluster.put(number, key, value) for number, value in enumerate(values)]
    assert all(isinstance(cluster.answer(put), PutDone) for put in puts)
    return values


def test_put_that_makes_concurrent_values_too_heavy_is_refused_with_the_way_out() -> None:
    disk = Disk()
    first = disk.carry_out(MintVersion(key=b"k", value=b"1" * VALUE_BYTES_MAX, context={}, actor="A"))
    assert isinstance(first, VersionsMerged)
    second = MintVersion(key=b"k", value=b"2" * (SIBLINGS_BYTES_MAX - VALUE_BYTES_MAX + 1), context={}, actor="A")
    refused = disk.carry_out(second)
    assert isinstance(refused, StoreFailed)
    assert "read the key, then put" in refused.reason
    assert isinstance(disk.carry_out(MintVersion(key=b"k", value=None, context={}, actor="A")), VersionsMerged)
    resolving = MintVersion(key=b"k", value=b"3" * VALUE_BYTES_MAX, context=first.versions.seen, actor="A")
    assert isinstance(disk.carry_out(resolving), VersionsMerged)


def test_largest_values_written_at_once_at_all_homes_are_read_and_resolved() -> None:
    cluster = WiredCluster(5, QUICK)
    key = cluster.key_with(0, 1, 2)
    values = blind_writes_at_once(cluster, key)
    cluster.run(30.0)
    assert [sorted(map(bytes, cluster.live_values(home, key))) for home in range(3)] == [values] * 3
    found = cluster.must_get(4, key, ALL)
    assert [sibling.value for sibling in sorted(found.siblings, key=lambda each: each.value or b"")] == values
    cluster.must_put(4, key, b"resolved", found.context)
    cluster.run(5.0)
    assert cluster.values(3, key) == [b"resolved"]
    assert not cluster.refused


def test_key_with_values_beyond_a_frame_keeps_nobody_from_joining_or_leaving() -> None:
    cluster = WiredCluster(5)
    key = cluster.key_with(0, 1, 2)
    blind_writes_at_once(cluster, key)
    cluster.start(7)
    assert cluster.run(60.0, lambda: cluster.rings[7].members[_id(7)].standing is Standing.VALID)
    assert not cluster.refused


def test_halves_that_took_the_most_values_each_are_merged_after_the_cut() -> None:
    cluster = WiredCluster(3, QUICK)
    key = b"k"
    cluster.cut(0)
    cluster.run(20.0)
    for number in range(SIBLINGS_MAX):
        for at in (0, 1):
            assert isinstance(cluster.answer(cluster.put(at, key, b"%d.%d" % (at, number), quorum=ONE)), PutDone)
    cluster.heal()
    assert cluster.run(60.0, lambda: all(len(cluster.live_values(n, key)) == 2 * SIBLINGS_MAX for n in range(3)))
    assert cluster.run(30.0, cluster.all_alive)
    cluster.must_put(2, key, b"resolved", cluster.must_get(2, key, ALL).context)
    cluster.run(5.0)
    assert cluster.values(0, key) == [b"resolved"]
    assert not cluster.refused


def test_list_of_large_values_ends_its_step_early_and_leaves_nothing_out() -> None:
    disk = Disk()
    keys = [b"%03d" % number for number in range(40)]
    for key in keys:
        disk.carry_out(MintVersion(key=key, value=b"v" * (VALUE_BYTES_MAX // 4), context={}, actor="A"))
    assert _walked(disk, lambda after: ListVersions(prefix=b"", after=after, limit=1000)) == keys
    assert _walked(disk, lambda after: WeighVersions(after=after, limit=1000)) == keys


def _walked(disk: Disk, step: Callable[[bytes], Operation]) -> list[bytes]:
    """Walk through all pages, none of which may come from more bytes than one step reads."""
    found: list[bytes] = []
    more = True
    while more:
        page = disk.carry_out(step(found[-1] if found else b""))
        assert isinstance(page, VersionsListed | VersionsWeighed)
        assert 0 < len(page.entries) * VALUE_BYTES_MAX // 4 <= STEP_BYTES_MAX + VALUE_BYTES_MAX // 4
        found += [key for key, _ in page.entries]
        more = page.more
    return found


def test_page_of_long_keys_fits_a_frame_and_all_are_listed() -> None:
    cluster = WiredCluster(3)
    keys = [b"%06d" % number + b"k" * 3000 for number in range(800)]
    for key in keys:
        for disk in cluster.disks.values():
            disk.carry_out(MintVersion(key=key, value=b"v", context={}, actor="A"))
    listed = cluster.answer(cluster.keys(0, b"", limit=1000))
    assert listed == KeysDone(keys=tuple(keys), more=False)
    pages = [message for *_, message in cluster.sent if isinstance(message, KeysListed)]
    assert max(sum(len(key) for key, _ in page.entries) for page in pages) <= LISTED_BYTES_MAX + 4096
    assert not cluster.refused


def test_bytes_of_a_set_are_those_of_its_values() -> None:
    disk = Disk()
    for value in (b"12", None, b"3"):
        disk.carry_out(MintVersion(key=b"k", value=value, context={}, actor="A"))
    copy = disk.copy_of(b"k")
    assert copy is not None
    assert bytes_of(copy) == 3
