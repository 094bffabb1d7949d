"""Claims are gathered, cut into bounded messages, and sent to all of few peers or to some of many."""

from hashlib import blake2b
from random import Random

import msgspec
import pytest

from murmuration.ring.facts import Liveness, Update
from murmuration.ring.terms import REFUTATION_BITS, Instant, Member, PeerId
from murmuration.scheduling.flock import Flock
from murmuration.scheduling.jobs import JobRecord, JobSpec, Phase, Program, Split, UserError
from murmuration.scheduling.messages import CLAIMS_PER_MESSAGE_MAX, Account, Attempt, Claim, ClaimNews, Stage
from murmuration.scheduling.replica.job import Job
from murmuration.scheduling.replica.spread import MESSAGE_BYTES_MAX, Outbox, fanout, portions
from murmuration.scheduling.settings import SchedulingSettings

SETTINGS = SchedulingSettings(vnodes=64, direct_peers_max=16)
PEERS = tuple(PeerId(blake2b(bytes([number]), digest_size=16).hexdigest()) for number in range(60))
MINE = Attempt(PEERS[0], 1 << REFUTATION_BITS, 1)
JOB = "00000000000000aa"


def flock_of(peers: int) -> Flock:
    flock = Flock(PEERS[0], 1 << REFUTATION_BITS, 1, SETTINGS)
    for peer in PEERS[:peers]:
        member = Member(peer, peer[:4], "tcp://a", "tcp://b", "h", "/d")
        flock.learn(Update(member, Liveness.ALIVE, 1 << REFUTATION_BITS))
    return flock


def job_of(splits: int) -> Job:
    spec = JobSpec("j", Program("source", "p.py", b""), "out", 1, 1)
    return Job(Instant(0.0), JobRecord(JOB, spec, (), (Split(0, 0, 1, 1),) * splits), Random(1))


def claims_of(count: int, message: str = "") -> list[Claim]:
    error = UserError("ValueError", message) if message else None
    stage = Stage.FAILED if message else Stage.CLAIMED
    return [Claim(Phase.MAP, at, MINE, Account(stage, error=error)) for at in range(count)]


def test_portions_hold_every_claim_once_in_order() -> None:
    claims = claims_of(300)
    messages = list(portions(JOB, claims))
    assert [claim for message in messages for claim in message.claims] == claims
    assert [len(message.claims) for message in messages] == [CLAIMS_PER_MESSAGE_MAX, CLAIMS_PER_MESSAGE_MAX, 44]
    assert list(portions(JOB, [])) == []


def test_portions_of_large_claims_keep_to_the_bytes() -> None:
    messages = list(portions(JOB, claims_of(20, "x" * 30_000)))
    assert len(messages) == 5
    assert all(len(msgspec.msgpack.encode(message)) <= MESSAGE_BYTES_MAX + 100 for message in messages)


@pytest.mark.parametrize(("live", "expected"), [(2, 3), (17, 6), (50, 7), (1000, 11)])
def test_fanout_grows_with_the_logarithm(live: int, expected: int) -> None:
    assert fanout(live) == expected


def test_targets_are_all_of_few_and_some_of_many() -> None:
    outbox = Outbox(SETTINGS)
    assert set(outbox.targets(flock_of(16), Random(1))) == set(PEERS[1:16])
    some = outbox.targets(flock_of(50), Random(1))
    assert len(set(some)) == 7
    assert PEERS[0] not in some
    assert outbox.targets(flock_of(1), Random(1)) == ()


def test_outbox_sends_the_latest_account_of_an_attempt_once() -> None:
    outbox, job, flock = Outbox(SETTINGS), job_of(2), flock_of(2)
    for account in (Account(Stage.CLAIMED), Account(Stage.RUNNING, 0.3)):
        job.join(Instant(0.0), Claim(Phase.MAP, 0, MINE, account), flock)
        outbox.add(JOB, Phase.MAP, 0, MINE)
    latest = Claim(Phase.MAP, 0, MINE, Account(Stage.RUNNING, 0.3))
    assert outbox.take(Instant(1.0), {JOB: job}) == [ClaimNews(JOB, (latest,))]
    assert not outbox.waiting
    assert outbox.take(Instant(1.0), {JOB: job}) == []


def test_outbox_after_a_silence_is_due_at_once_and_then_at_intervals() -> None:
    outbox = Outbox(SETTINGS)
    assert outbox.due < 0.0
    outbox.take(Instant(7.0), {})
    assert outbox.due == 7.0 + SETTINGS.spread_interval_s


def test_outbox_drops_claims_of_a_job_that_is_no_longer_known() -> None:
    outbox = Outbox(SETTINGS)
    outbox.add(JOB, Phase.MAP, 0, MINE)
    assert outbox.take(Instant(0.0), {}) == []
