"""Chunks that nobody names go a grace after they were marked; what anybody may still want never does."""

from dataclasses import replace

import msgspec
import pytest
from member_net import peer
from ring_cluster import SETTINGS, RingCluster

from murmuration.ring.collecting.settings import CollectSettings
from murmuration.ring.copies.marks import MARK_PREFIX
from murmuration.ring.effects import Collected, Failed, PutDone
from murmuration.ring.entropy.settings import EntropySettings
from murmuration.ring.events import CollectRequested, MessageReceived
from murmuration.ring.facts import Ballot
from murmuration.ring.messages import NamesTold, StoreChunk, StoreVersions
from murmuration.ring.operations import AcceptBallot, ForgetChunk
from murmuration.ring.terms import RECORD_QUORUM, Quorum

GRACE_S = 10.0
EVERY = Quorum(writes_required=3)
DIGEST = b"d" * 32
OTHER = b"o" * 32


def manifest(*digests: bytes) -> bytes:
    return msgspec.msgpack.encode([[["", 7, [[digest, 7, 1, False] for digest in digests]]], False, 1.0, ""])


def stored(size: int = 3, **settings: object) -> RingCluster:
    """Start a cluster that keeps one chunk, which nobody names yet."""
    cluster = RingCluster(size, settings=replace(SETTINGS, **settings))  # type: ignore[arg-type]
    cluster.answer(cluster.offer(0, DIGEST, quorum=EVERY))
    cluster.run(1.0)
    return cluster


def holders(cluster: RingCluster, digest: bytes = DIGEST) -> list[int]:
    """List who has the file; row and file go together, whatever happens."""
    kept = [number for number in cluster.rings if digest in cluster.disks[number].chunks]
    assert kept == [number for number in cluster.rings if b"c/" + digest in cluster.disks[number].rows]
    return kept


def name(cluster: RingCluster, key: bytes, *digests: bytes) -> PutDone:
    done = cluster.answer(cluster.put(0, key, manifest(*digests), quorum=RECORD_QUORUM))
    assert isinstance(done, PutDone), done
    return done


def pass_at_all(cluster: RingCluster, grace_s: float = GRACE_S) -> list[Collected]:
    answers = [cluster.collect(number, grace_s) for number in sorted(cluster.rings)]
    assert all(isinstance(answer, Collected) and answer.is_over for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Collected)]


def test_chunk_that_nobody_names_goes_a_grace_after_its_mark_and_not_before() -> None:
    cluster = stored()
    assert [(done.removed, done.waiting) for done in pass_at_all(cluster)] == [(0, 1)] * 3
    cluster.run(GRACE_S / 2)
    assert [(done.removed, done.waiting) for done in pass_at_all(cluster)] == [(0, 1)] * 3
    assert holders(cluster) == [0, 1, 2]
    cluster.run(GRACE_S)
    assert [(done.removed, done.removed_bytes, done.waiting) for done in pass_at_all(cluster)] == [(1, 1 << 20, 0)] * 3
    assert holders(cluster) == []


def test_named_chunk_stays_and_goes_once_its_file_is_removed() -> None:
    cluster = stored()
    context = name(cluster, b"fs/file", DIGEST).context
    for _ in range(2):
        assert [(done.named, done.waiting) for done in pass_at_all(cluster)] == [(1, 0)] * 3
        cluster.run(2 * GRACE_S)
    cluster.answer(cluster.put(1, b"fs/file", None, context, quorum=RECORD_QUORUM))
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    assert [done.removed for done in pass_at_all(cluster)] == [1, 1, 1]


def test_mark_is_taken_off_by_a_name_and_the_grace_begins_anew_after_it() -> None:
    cluster = stored()
    pass_at_all(cluster)
    context = name(cluster, b"fs/file", DIGEST).context
    cluster.run(2 * GRACE_S)
    pass_at_all(cluster)
    cluster.answer(cluster.put(1, b"fs/file", None, context, quorum=RECORD_QUORUM))
    assert [(done.removed, done.waiting) for done in pass_at_all(cluster)] == [(0, 1)] * 3


def test_upload_of_a_marked_chunk_takes_the_mark_off_before_it_is_answered() -> None:
    cluster = stored()
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    cluster.answer(cluster.offer(1, DIGEST, quorum=EVERY))
    assert not any(MARK_PREFIX + DIGEST in disk.rows for disk in cluster.disks.values())
    assert [(done.removed, done.waiting) for done in pass_at_all(cluster)] == [(0, 1)] * 3
    assert holders(cluster) == [0, 1, 2]


def test_mere_copy_leaves_the_mark_on() -> None:
    cluster = stored()
    pass_at_all(cluster)
    (store,) = [message for _, _, to, message in cluster.sent if isinstance(message, StoreChunk) and to == 1]
    before = cluster.disks[1].rows[MARK_PREFIX + DIGEST]
    copy = msgspec.structs.replace(store, is_copy=True)
    cluster.happen(1, MessageReceived(sender=peer(0), message=copy))
    cluster.run(1.0)
    assert cluster.disks[1].rows[MARK_PREFIX + DIGEST] == before


def test_all_siblings_of_a_manifest_count() -> None:
    cluster = stored()
    cluster.answer(cluster.offer(0, OTHER, quorum=EVERY))
    name(cluster, b"fs/file", DIGEST)
    name(cluster, b"fs/file", OTHER)
    for _ in range(2):
        assert [(done.named, done.waiting) for done in pass_at_all(cluster)] == [(2, 0)] * 3
        cluster.run(2 * GRACE_S)


def test_nothing_is_judged_while_a_member_cannot_be_asked() -> None:
    cluster = stored(5)
    cluster.crash(4)
    assert cluster.run(30.0, lambda: cluster.knows_dead(4))
    answer = cluster.collect(0, 0.0)
    assert isinstance(answer, Failed)
    assert "murmur remove" in answer.reason
    assert not any(MARK_PREFIX + DIGEST in disk.rows for disk in cluster.disks.values())
    cluster.restart(4)
    assert cluster.run(60.0, cluster.all_alive)
    pass_at_all(cluster)


def test_nothing_is_judged_where_a_member_falls_silent_meanwhile() -> None:
    cluster = stored(3, collect=CollectSettings(patience_s=0.5, silence_s=1.0))
    cluster.is_lost = lambda source, to, message: isinstance(message, NamesTold) and source == 2
    answer = cluster.collect(0, 0.0)
    assert isinstance(answer, Failed)
    assert not cluster.disks[0].rows.keys() & {MARK_PREFIX + DIGEST}


def test_name_that_only_stand_ins_keep_counts() -> None:
    """A manifest written while its homes were away lies with hints at others, and at no home yet."""
    cluster = RingCluster(7)
    cluster.answer(cluster.offer(0, DIGEST, quorum=EVERY))
    *away, one, _ = cluster.order(b"fs/file")
    for number in away:
        cluster.crash(number)
    assert cluster.run(60.0, lambda: all(cluster.knows_dead(number) for number in away))
    put = cluster.put(one, b"fs/file", manifest(DIGEST), quorum=Quorum(replicas=5, writes_required=2))
    assert isinstance(cluster.answer(put), PutDone)
    cluster.is_lost = lambda source, to, message: isinstance(message, StoreVersions)
    for number in away:
        cluster.restart(number)
    assert cluster.run(60.0, cluster.all_alive)
    cluster.run(5.0)
    assert not any(cluster.live_values(number, b"fs/file") for number in away)
    for _ in range(2):
        assert not any(done.waiting or done.removed for done in pass_at_all(cluster))
        cluster.run(2 * GRACE_S)


def test_collected_chunk_is_not_brought_back_by_who_has_not_collected_it_yet() -> None:
    entropy = EntropySettings(exchange_s=0.5, hurry_s=0.2, second_look_s=0.2)
    cluster = stored(3, entropy=entropy)
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    assert isinstance(cluster.collect(0, GRACE_S), Collected)
    cluster.run(30.0)
    assert holders(cluster) == [1, 2]
    pass_at_all(cluster)
    cluster.run(30.0)
    assert holders(cluster) == []


def test_note_of_a_collection_goes_when_the_chunk_is_named_again() -> None:
    """A home that was missed by the upload of a chunk that it has collected must get its copy all the same."""
    entropy = EntropySettings(exchange_s=0.5, hurry_s=0.2, second_look_s=0.2)
    cluster = stored(3, entropy=entropy)
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    assert isinstance(cluster.collect(0, GRACE_S), Collected)
    name(cluster, b"fs/file", DIGEST)
    pass_at_all(cluster)
    cluster.run(30.0)
    assert holders(cluster) == [0, 1, 2]


def test_who_wants_a_chunk_while_its_file_goes_has_it_stored_anew() -> None:
    cluster = stored(1)
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    wish = CollectRequested(request="c", name="c", grace_s=GRACE_S, is_dry=False, patience_s=60.0)
    cluster.happen(0, wish)
    assert cluster.run(10.0, lambda: DIGEST not in cluster.disks[0].chunks)
    request = cluster.offer(0, DIGEST, quorum=EVERY)
    assert request not in cluster.answers
    cluster.answer(request)
    assert holders(cluster) == [0]
    cluster.run(5.0)
    assert holders(cluster) == [0]


def test_crash_between_a_file_and_its_row_is_made_good_by_the_next_pass() -> None:
    cluster = stored(1)
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    cluster.disks[0].refuses = lambda operation: isinstance(operation, ForgetChunk)
    (done,) = pass_at_all(cluster)
    assert (done.removed, done.failed) == (0, 1)
    cluster.disks[0].refuses = lambda operation: False
    cluster.crash(0)
    cluster.start(0)
    cluster.run(2 * GRACE_S)
    (done,) = pass_at_all(cluster)
    assert done.removed == 1
    assert holders(cluster) == []


def test_time_in_which_a_peer_is_down_is_no_grace() -> None:
    cluster = stored(1)
    pass_at_all(cluster)
    cluster.crash(0)
    cluster.run(100 * GRACE_S)
    cluster.start(0)
    cluster.run(1.0)
    (done,) = pass_at_all(cluster)
    assert (done.removed, done.waiting) == (0, 1)


def test_clock_that_leaps_forward_ends_no_grace() -> None:
    cluster = stored(1, collect=CollectSettings(leap_s=20.0))
    pass_at_all(cluster, 1000.0)
    cluster.now += 5000.0
    (done,) = pass_at_all(cluster, 1000.0)
    assert (done.removed, done.waiting) == (0, 1)


def test_dry_pass_tells_and_changes_nothing() -> None:
    cluster = stored(1)
    for _ in range(2):
        done = cluster.collect(0, GRACE_S, is_dry=True)
        assert isinstance(done, Collected)
        assert (done.removed, done.waiting) == (0, 1)
        cluster.run(2 * GRACE_S)
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    done = cluster.collect(0, GRACE_S, is_dry=True)
    assert isinstance(done, Collected)
    assert (done.removed, done.removed_bytes) == (1, 1 << 20)
    assert holders(cluster) == [0]


@pytest.mark.parametrize("value", [b"\xc1", b"plain words", b"x\x9c"])
def test_record_that_cannot_be_understood_stops_the_pass_and_is_named(value: bytes) -> None:
    cluster = stored(1)
    cluster.answer(cluster.put(0, b"fs/strange", value))
    answer = cluster.collect(0, 0.0)
    assert isinstance(answer, Failed)
    assert "fs/strange" in answer.reason


def test_chunk_found_while_a_job_is_open_waits_for_its_end_and_a_grace_more() -> None:
    cluster = stored(1)
    name(cluster, b"job/0123456789abcdef")
    (done,) = pass_at_all(cluster)
    assert (done.waiting, done.held) == (1, 1)
    cluster.run(2 * GRACE_S)
    (done,) = pass_at_all(cluster)
    assert (done.removed, done.held) == (0, 1)
    accept(cluster, "0123456789abcdef", b"\x90")
    (done,) = pass_at_all(cluster)
    assert (done.removed, done.waiting, done.held) == (0, 1, 0)
    cluster.run(2 * GRACE_S)
    (done,) = pass_at_all(cluster)
    assert done.removed == 1


def test_job_that_came_after_the_mark_does_not_hold_a_chunk() -> None:
    cluster = stored(1)
    pass_at_all(cluster)
    name(cluster, b"job/0123456789abcdef")
    cluster.run(2 * GRACE_S)
    (done,) = pass_at_all(cluster)
    assert done.removed == 1


def test_output_of_an_ended_job_stays_as_long_as_its_record() -> None:
    cluster = stored(1)
    context = name(cluster, b"job/0123456789abcdef").context
    accept(cluster, "0123456789abcdef", manifest(DIGEST))
    for _ in range(2):
        (done,) = pass_at_all(cluster)
        assert (done.named, done.waiting) == (1, 0)
        cluster.run(2 * GRACE_S)
    cluster.answer(cluster.put(0, b"job/0123456789abcdef", None, context, quorum=RECORD_QUORUM))
    pass_at_all(cluster)
    cluster.run(2 * GRACE_S)
    (done,) = pass_at_all(cluster)
    assert done.removed == 1


def test_peer_collects_by_itself() -> None:
    settings = CollectSettings(grace_s=300.0, interval_s=100.0, settle_s=50.0, tick_s=20.0)
    cluster = stored(3, collect=settings)
    cluster.run(200.0)
    assert holders(cluster) == [0, 1, 2]
    cluster.run(400.0)
    assert holders(cluster) == []


def test_pass_asked_for_twice_by_one_name_is_one_pass_and_told_twice() -> None:
    cluster = stored(1)
    for request in ("a", "b"):
        wish = CollectRequested(request=request, name="n", grace_s=GRACE_S, is_dry=False, patience_s=60.0)
        cluster.happen(0, wish)
        cluster.answer(request)
    assert cluster.answers["a"] == cluster.answers["b"]


def accept(cluster: RingCluster, job: str, value: bytes) -> None:
    ballot = Ballot(round=1, proposer="x")
    cluster.disks[0].carry_out(AcceptBallot(key=b"seal/" + job.encode() + b"/end", ballot=ballot, value=value))


def test_chunk_wanted_after_the_survey_began_is_neither_marked_nor_removed() -> None:
    """Its name may come just after the one who would tell it has answered."""
    for is_marked in (False, True):
        cluster = stored()
        if is_marked:
            pass_at_all(cluster)
            cluster.run(2 * GRACE_S)
        cluster.is_lost = lambda source, to, message: isinstance(message, NamesTold) and source == 2
        wish = CollectRequested(request="c", name="c", grace_s=GRACE_S, is_dry=False, patience_s=60.0)
        cluster.happen(0, wish)
        cluster.run(0.5)
        cluster.answer(cluster.offer(1, DIGEST, quorum=EVERY))
        cluster.heal()
        done = cluster.answer("c")
        assert isinstance(done, Collected)
        assert (done.removed, done.waiting) == (0, 0)
        assert MARK_PREFIX + DIGEST not in cluster.disks[0].rows
        assert holders(cluster) == [0, 1, 2]
