"""A key may be written for years: its writers are forgotten, but only once no old copy can bring their values back."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from member_net import peer
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.copies.versions import ACTORS_KEPT, EMPTY, context_of, covers, forgetting, join, mint
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.facts import Versions
from murmuration.ring.operations import ForgetActors, MergeVersions

QUICK = EntropySettings(exchange_s=2.0, hurry_s=1.0, tombstone_grace_s=5.0, settle_s=5.0)
KEY = b"counter"


def old_writes(starts: int, last: bytes = b"last") -> list[Versions]:
    """Give what a key held after each of many starts of a peer that is no member any more, each over the one before."""
    held: list[Versions] = []
    now = EMPTY
    for start in range(1, starts + 1):
        value = last if start == starts else b"%d" % start
        now = mint(now, context_of(now), value, f"{peer(99)}.{start}.{start:08x}")
        held.append(now)
    return held


def plant(cluster: RingCluster, versions: Versions, *at: int) -> None:
    for number in at:
        cluster.disks[number].carry_out(MergeVersions(key=KEY, versions=versions))


def actors(cluster: RingCluster, number: int) -> int:
    copy = cluster.disks[number].copy_of(KEY)
    return 0 if copy is None else len(copy.seen)


def test_actors_of_starts_that_are_over_are_forgotten_while_the_key_is_written() -> None:
    cluster = RingCluster(3, settings=replace(SETTINGS, entropy=QUICK))
    plant(cluster, old_writes(ACTORS_KEPT + 36)[-1], 0, 1, 2)
    for number in range(40):
        found = cluster.must_get(number % 3, KEY)
        cluster.must_put(number % 3, KEY, b"%d" % number, found.context)
        cluster.run(3.0)
    assert all(actors(cluster, number) <= 3 for number in range(3))
    assert cluster.values(1, KEY) == [b"39"]
    assert sum(ring.repairs.actors_forgotten for ring in cluster.rings.values()) >= 3 * ACTORS_KEPT
    assert not [row for disk in cluster.disks.values() for row in disk.rows if row.startswith(b"a/")]


def test_actors_are_remembered_while_a_member_is_away_and_its_old_copy_stays_overwritten() -> None:
    cluster = RingCluster(4, settings=replace(SETTINGS, entropy=QUICK))
    history = old_writes(ACTORS_KEPT + 10)
    away = cluster.order(KEY)[3]
    others = [number for number in range(4) if number != away]
    cluster.crash(away)
    assert cluster.run(30.0, lambda: cluster.knows_dead(away))
    plant(cluster, history[0], away)
    plant(cluster, history[-1], *others)
    cluster.run(60.0)
    assert all(actors(cluster, number) == len(history) for number in others)
    cluster.restart(away)
    assert cluster.run(120.0, lambda: all(actors(cluster, number) == 1 for number in others))
    cluster.run(30.0)
    assert cluster.values(others[0], KEY) == [b"last"]


def test_actors_of_the_present_starts_of_members_are_remembered() -> None:
    cluster = RingCluster(3, settings=replace(SETTINGS, entropy=QUICK))
    plant(cluster, old_writes(ACTORS_KEPT + 10)[-1], 0, 1, 2)
    for number in range(3):
        cluster.must_put(number, KEY, b"%d" % number, cluster.must_get(number, KEY).context)
    cluster.run(60.0)
    assert all(actors(cluster, number) == 3 for number in range(3))


def test_hint_forgets_with_its_copy_and_brings_nothing_back() -> None:
    cluster = RingCluster(1)
    disk = cluster.disks[0]
    history = old_writes(9)
    disk.carry_out(MergeVersions(key=KEY, versions=history[0], hint_for=peer(5)))
    disk.carry_out(MergeVersions(key=KEY, versions=history[-1]))
    over = {actor: 1 for actor in list(history[-1].seen)[:-1] if actor not in {history[-1].siblings[0].dot.actor}}
    disk.carry_out(ForgetActors(key=KEY, actors=over, hinted=(peer(5),)))
    copy = disk.copy_of(KEY)
    assert copy is not None
    assert disk.rows[b"v/" + KEY] == disk.rows[b"h/" + peer(5).encode() + b"/v/" + KEY]
    assert [sibling.value for sibling in copy.siblings] == [b"last"]


@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.booleans()), max_size=12), st.sets(st.sampled_from("ABCD")))
def test_forgetting_loses_no_value_and_any_later_knowledge_joins_to_the_same_values(
    writes: list[tuple[str, bool]], gone: set[str]
) -> None:
    before = EMPTY
    for number, (actor, is_informed) in enumerate(writes):
        before = mint(before, context_of(before) if is_informed else {}, b"%d" % number, actor)
    after = forgetting(before, {actor: before.seen.get(actor, 0) for actor in gone})
    later = mint(before, context_of(before), b"later", "E")
    assert after.siblings == before.siblings
    assert covers(before, after)
    assert join(after, before) == before
    assert join(after, later) == later
