"""Conditional puts: what is still current, what is absent, who decides, and what they do not promise."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from member_net import peer
from ring_cluster import ALL, SETTINGS, RingCluster

from murmuration.ring.copies.versions import EMPTY, context_of, holds, join, live_values, mint
from murmuration.ring.effects import Failed, PutConflict, PutDone
from murmuration.ring.events import RemoveRequested
from murmuration.ring.facts import Versions
from murmuration.ring.messages import FetchVersions, PutCoordinated, StoreVersions, VersionsFetched
from murmuration.ring.operations import MintVersion
from murmuration.ring.placement.rendezvous import Home, place
from murmuration.ring.terms import Condition, Quorum

CURRENT, ABSENT = Condition.IF_CURRENT, Condition.IF_ABSENT


def conflict(cluster: RingCluster, request: str) -> PutConflict:
    answer = cluster.answer(request)
    assert isinstance(answer, PutConflict), answer
    return answer


def test_put_with_the_context_of_the_last_read_is_written() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.must_put(0, key, b"old")
    context = cluster.must_get(4, key).context
    assert isinstance(cluster.answer(cluster.put(0, key, b"new", context, condition=CURRENT)), PutDone)
    assert cluster.values(4, key) == [b"new"]


def test_put_with_an_older_context_is_a_conflict_that_gives_what_is_there_and_writes_nothing() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    old = cluster.must_put(0, key, b"old").context
    cluster.must_put(0, key, b"newer", old)
    told = conflict(cluster, cluster.put(0, key, b"mine", old, condition=CURRENT))
    assert [sibling.value for sibling in told.siblings] == [b"newer"]
    assert cluster.values(4, key) == [b"newer"]
    assert isinstance(cluster.answer(cluster.put(0, key, b"mine", told.context, condition=CURRENT)), PutDone)
    assert cluster.values(4, key) == [b"mine"]


def test_put_if_current_after_a_delete_is_a_conflict_without_values() -> None:
    cluster = RingCluster(3)
    context = cluster.must_put(0, b"key", b"old").context
    cluster.must_put(0, b"key", None, context)
    told = conflict(cluster, cluster.put(1, b"key", b"mine", context, condition=CURRENT))
    assert [sibling.value for sibling in told.siblings] == [None]


def test_put_if_absent_is_written_once_and_again_after_a_delete() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    assert isinstance(cluster.answer(cluster.put(0, key, b"first", condition=ABSENT)), PutDone)
    told = conflict(cluster, cluster.put(4, key, b"second", condition=ABSENT))
    assert [sibling.value for sibling in told.siblings] == [b"first"]
    cluster.must_put(0, key, None, told.context)
    assert isinstance(cluster.answer(cluster.put(4, key, b"third", condition=ABSENT)), PutDone)
    cluster.run(1.0)
    assert cluster.values(0, key) == [b"third"]


def test_coordinator_that_missed_the_newest_write_reads_it_before_it_decides() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    old = cluster.must_put(0, key, b"old").context
    cluster.run(1.0)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions) and to == 1
    cluster.put(2, key, b"newer", old)
    cluster.run(0.1)
    assert cluster.live_values(1, key) == [b"old"]
    told = conflict(cluster, cluster.put(0, key, b"mine", old, condition=CURRENT))
    assert [sibling.value for sibling in told.siblings] == [b"newer"]


def test_look_of_a_conditional_put_is_strict_and_finds_too_few_homes_without_writing() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.crash(2)
    cluster.crash(3)
    assert cluster.run(30.0, lambda: all(map(cluster.knows_dead, (2, 3))))
    answer = cluster.answer(cluster.put(1, key, b"value", condition=ABSENT, patience_s=3.0))
    assert isinstance(answer, Failed)
    assert not answer.is_unknown
    assert "1 homes of the key could be read in time, 2 were wanted" in answer.reason
    asked = {to for _, _, to, message in cluster.sent if isinstance(message, FetchVersions)}
    assert asked <= {1, 2, 3}
    assert not any(isinstance(operation, MintVersion) for _, _, operation in cluster.operated)


def test_look_survives_lost_questions() -> None:
    cluster = RingCluster(3)
    key = cluster.key_with(1, 2)
    lost = [2]

    def is_lost(source: int, to: int, message: object) -> bool:
        lost[0] -= isinstance(message, FetchVersions)
        return isinstance(message, FetchVersions) and lost[0] >= 0

    cluster.is_lost = is_lost
    assert isinstance(cluster.answer(cluster.put(1, key, b"value", condition=ABSENT)), PutDone)


def test_of_many_conditional_puts_at_once_one_is_written_whoever_is_asked() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    requests = [cluster.put(number, key, b"of %d" % number, condition=ABSENT) for number in range(5)]
    answers = [cluster.answer(request) for request in requests]
    assert sum(isinstance(answer, PutDone) for answer in answers) == 1
    assert sum(isinstance(answer, PutConflict) for answer in answers) == 4
    assert len(cluster.values(0, key)) == 1


def test_conflict_that_may_be_the_own_write_by_a_silent_coordinator_is_unknown() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    cluster.is_lost = lambda source, to, message: isinstance(message, PutCoordinated) and source == 1
    answer = cluster.answer(cluster.put(0, key, b"value", condition=ABSENT))
    assert isinstance(answer, Failed)
    assert answer.is_unknown
    assert "may be this write" in answer.reason


def test_retry_of_a_conditional_put_is_no_conflict_with_itself() -> None:
    cluster = RingCluster(5)
    key = cluster.key_with(1, 2, 3)
    first = cluster.answer(cluster.put(1, key, b"value", condition=ABSENT, request="again"))
    cluster.put(1, key, b"value", condition=ABSENT, request="again")
    cluster.run(1.0)
    assert cluster.answers["again"] == [first, first]


def test_look_at_copies_that_cannot_be_read_writes_nothing() -> None:
    cluster = RingCluster(3)
    cluster.must_put(0, b"key", b"value")
    cluster.run(1.0)
    for disk in cluster.disks.values():
        disk.bad_keys.add(b"key")
    answer = cluster.answer(cluster.put(0, b"key", b"mine", condition=ABSENT, quorum=Quorum(reads_required=2)))
    assert isinstance(answer, Failed)
    assert not answer.is_unknown
    assert all(b"key" in disk.bad_keys for disk in cluster.disks.values())


ACTORS = st.sampled_from("ABC")
STEPS = st.lists(st.tuples(ACTORS, st.booleans(), st.one_of(st.none(), st.binary(max_size=2))), max_size=6)


def built(steps: list[tuple[str, bool, bytes | None]]) -> Versions:
    versions = EMPTY
    for actor, knows, value in steps:
        versions = mint(versions, context_of(versions) if knows else {}, value, actor)
    return versions


@given(STEPS, STEPS)
def test_context_is_current_for_what_it_was_read_from_and_for_nothing_with_more(before: object, after: object) -> None:
    there = built(before)  # type: ignore[arg-type]
    context = context_of(there)
    assert holds(CURRENT, context, there)
    later = there
    for actor, _, value in after:  # type: ignore[attr-defined]
        later = mint(later, {}, value, actor)
    assert holds(CURRENT, context, later) == (later == there)


@given(STEPS, STEPS)
def test_put_if_current_overwrites_nothing_unread(steps: object, others: object) -> None:
    there, other = built(steps), built(others)  # type: ignore[arg-type]
    met = join(there, other) if not set(there.seen) & set(other.seen) else there
    if holds(CURRENT, context_of(there), met):
        assert live_values(mint(met, context_of(there), b"new", "D")) == (b"new",)


@given(STEPS)
def test_absent_is_what_has_no_value_be_it_deleted_or_never_written(steps: object) -> None:
    there = built(steps)  # type: ignore[arg-type]
    assert holds(ABSENT, {}, there) == (not live_values(there))


def test_put_if_absent_after_two_removals_looks_at_the_homes_of_before() -> None:
    cluster = RingCluster(6)
    for key in (b"key%d" % number for number in count()):
        gone, kept = cluster.order(key)[:2], cluster.order(key)[2]
        stay = place(frozenset(Home(id=peer(n)) for n in range(6) if n not in gone), SETTINGS.vnodes, 3)
        if 0 not in gone and kept == int(stay.preference(key)[2], 16):
            break
    assert isinstance(cluster.answer(cluster.put(0, key, b"there", quorum=ALL)), PutDone)
    for number in gone:
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(map(cluster.knows_dead, gone)))
    for number in gone:
        cluster.happen(0, RemoveRequested(request=f"remove {number}", peer=peer(number)))
    cluster.run(0.3)
    slow_until = cluster.now + 0.4
    cluster.is_lost = lambda source, to, message: (
        source == kept and isinstance(message, VersionsFetched) and cluster.now < slow_until
    )
    told = conflict(cluster, cluster.put(0, key, b"mine", condition=ABSENT))
    assert [sibling.value for sibling in told.siblings] == [b"there"]
