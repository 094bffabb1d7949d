"""Who decides a job, who succeeds whom, and what makes a tracker gone."""

from hashlib import blake2b
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId
from murmuration.scheduling.flock import Flock
from murmuration.scheduling.jobs import JobRecord, JobSpec, Program
from murmuration.scheduling.replica.job import NOBODY, Job, outranks
from murmuration.scheduling.settings import SchedulingSettings
from murmuration.scheduling.tracker.succession import electorate_of, is_present, patience_s, succession

JOB = "00000000000000aa"
PEERS = tuple(PeerId(blake2b(bytes([number]), digest_size=16).hexdigest()) for number in range(9))


def update(peer: PeerId, liveness: Liveness = Liveness.ALIVE, start: int = 1) -> Update:
    return Update(Member(peer, peer[:4], "tcp://a", "tcp://b", "h", "/d"), liveness, start << REFUTATION_BITS)


def joiner(peer: PeerId, liveness: Liveness = Liveness.ALIVE) -> Update:
    return structs.replace(update(peer, liveness), standing=Standing.JOINING, epoch=1)


def flock_of(alive: int, dead: int = 0, left: int = 0) -> Flock:
    flock = Flock(PEERS[0], 1 << REFUTATION_BITS, 1, SchedulingSettings(vnodes=64))
    states = [Liveness.ALIVE] * alive + [Liveness.DEAD] * dead + [Liveness.LEFT] * left
    for peer, liveness in zip(PEERS, states, strict=False):
        flock.learn(update(peer, liveness))
    return flock


def record(electorate: tuple[str, ...] = ()) -> JobRecord:
    spec = JobSpec("j", Program("source", "p.py", b""), "out", 1, 1)
    return JobRecord(JOB, spec, (), (), electorate)


@pytest.mark.parametrize(
    ("alive", "dead", "left", "voters"),
    [
        *[(1, 0, 0, 1), (2, 0, 0, 1), (3, 0, 0, 3), (4, 0, 0, 3), (9, 0, 0, 5)],
        *[(1, 2, 0, 1), (2, 1, 0, 3), (2, 3, 0, 3), (3, 1, 0, 3), (3, 4, 0, 5), (2, 0, 3, 1)],
    ],
)
def test_electorate_is_decided_by_those_in_touch_alone(alive: int, dead: int, left: int, voters: int) -> None:
    electorate = electorate_of(JOB, flock_of(alive, dead, left), 5)
    assert len(electorate) == len(set(electorate)) == voters
    assert 2 * sum(peer in PEERS[:alive] for peer in electorate) > voters
    assert not set(electorate) & set(PEERS[alive + dead :])


@pytest.mark.parametrize(
    ("alive", "joining", "voters"),
    [(4, 1, 5), (3, 2, 5), (3, 1, 3), (2, 1, 3), (1, 4, 5), (1, 3, 3), (1, 1, 1), (5, 3, 5), (4, 4, 5)],
)
def test_who_joins_decides_too_where_the_job_survives_one_more_death_by_it(
    alive: int, joining: int, voters: int
) -> None:
    flock = flock_of(alive)
    for peer in PEERS[alive : alive + joining]:
        flock.learn(joiner(peer))
    electorate = electorate_of(JOB, flock, 5)
    assert len(electorate) == len(set(electorate)) == voters
    assert set(electorate[: min(alive, 5)]) <= set(PEERS[:alive]), "homes come first"


def test_who_joins_and_cannot_be_reached_decides_nothing() -> None:
    flock = flock_of(4)
    flock.learn(joiner(PEERS[5], Liveness.SUSPECT))
    assert set(electorate_of(JOB, flock, 5)) < set(PEERS[:4])


def test_electorate_is_the_same_at_every_peer() -> None:
    one, other = flock_of(7), Flock(PEERS[3], 1 << REFUTATION_BITS, 1, SchedulingSettings(vnodes=64))
    for peer in reversed(PEERS[:7]):
        other.learn(update(peer))
    assert electorate_of(JOB, one, 5) == electorate_of(JOB, other, 5)


def test_succession_is_the_live_electorate_and_then_all_others_alive() -> None:
    flock = flock_of(8)
    electorate = electorate_of(JOB, flock, 5)
    flock.learn(update(electorate[0] if electorate[0] != PEERS[0] else electorate[1], Liveness.SUSPECT))
    order = succession(record(electorate), flock)
    assert len(order) == 7
    assert list(order[:4]) == [peer for peer in electorate if flock.alive(peer)]
    assert set(order) == set(flock.live)


@pytest.mark.parametrize("liveness", [Liveness.SUSPECT, Liveness.DEAD, Liveness.LEFT])
def test_tracker_that_is_not_alive_is_gone_and_comes_back_if_it_refutes(liveness: Liveness) -> None:
    flock = flock_of(3)
    job = Job(Instant(0.0), record(), Random(1))
    job.adopt_tracker(Instant(0.0), 1, PEERS[1], flock)
    assert is_present(job, flock)
    flock.learn(update(PEERS[1], liveness))
    assert not is_present(job, flock)
    flock.learn(update(PEERS[1]))
    assert is_present(job, flock)


def test_tracker_that_restarted_is_gone() -> None:
    flock = flock_of(3)
    job = Job(Instant(0.0), record(), Random(1))
    assert not is_present(job, flock)
    job.adopt_tracker(Instant(0.0), 1, PEERS[1], flock)
    flock.learn(update(PEERS[1], start=2))
    assert not is_present(job, flock)


def test_tracker_heard_of_before_its_membership_is_present_once_that_arrives() -> None:
    flock = flock_of(2)
    job = Job(Instant(0.0), record(), Random(1))
    job.adopt_tracker(Instant(0.0), 1, PEERS[5], flock)
    assert not is_present(job, flock)
    flock.learn(update(PEERS[5], start=4))
    assert is_present(job, flock)


CLAIMS_TO_THE_ROLE = st.tuples(st.integers(1, 3), st.sampled_from(PEERS[:3]))


@given(CLAIMS_TO_THE_ROLE, CLAIMS_TO_THE_ROLE)
def test_of_two_trackers_exactly_one_outranks_the_other(one: tuple[int, str], other: tuple[int, str]) -> None:
    assert (outranks(*one, *other) != outranks(*other, *one)) == (one != other)


@given(st.lists(CLAIMS_TO_THE_ROLE, min_size=1), st.randoms(use_true_random=False))
def test_trackers_heard_of_in_any_order_leave_the_same_one(heard: list[tuple[int, PeerId]], rng: Random) -> None:
    results = set()
    for _ in range(3):
        rng.shuffle(heard)
        job = Job(Instant(0.0), record(), Random(1))
        epochs = []
        for epoch, tracker in heard:
            job.adopt_tracker(Instant(0.0), epoch, tracker, flock_of(3))
            epochs.append(job.epoch)
        assert epochs == sorted(epochs)
        results.add((job.epoch, job.tracker))
    assert len(results) == 1
    assert results.pop()[0] == max(epoch for epoch, _ in heard)


def test_job_without_announcement_has_no_tracker_and_news_of_none_changes_nothing() -> None:
    job = Job(Instant(0.0), record(), Random(1))
    assert not job.adopt_tracker(Instant(0.0), 0, PEERS[0], flock_of(1))
    assert job.tracker == NOBODY


@pytest.mark.parametrize(("rank", "epoch", "expected"), [(0, 1, 0.0), (2, 1, 2.0), (0, 0, 5.0), (1, 0, 6.0)])
def test_patience_grows_with_rank_and_for_what_was_never_announced(rank: int, epoch: int, expected: float) -> None:
    assert patience_s(rank, epoch, announcement_s=5.0, takeover_s=1.0) == expected
