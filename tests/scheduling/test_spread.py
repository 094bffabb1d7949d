"""Claims are gathered and cut into bounded messages; they reach all peers, straight or over relays."""

from collections import Counter
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
from murmuration.scheduling.replica.routes import Route, Routes
from murmuration.scheduling.replica.spread import MESSAGE_BYTES_MAX, Outbox, portions
from murmuration.scheduling.settings import SchedulingSettings

SETTINGS = SchedulingSettings(vnodes=64, direct_peers_max=16)
PEERS = tuple(PeerId(blake2b(bytes([number]), digest_size=16).hexdigest()) for number in range(60))
PEERS_OF_16 = tuple(sorted(PEERS[1:16]))
MINE = Attempt(PEERS[0], 1 << REFUTATION_BITS, 1)
JOB = "00000000000000aa"


def flock_of(peers: int, me: int = 0) -> Flock:
    flock = Flock(PEERS[me], 1 << REFUTATION_BITS, 1, SETTINGS)
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


def test_outbox_sends_the_latest_account_of_an_attempt_once() -> None:
    outbox, job, flock = Outbox(0.01, 0.04), job_of(2), flock_of(2)
    for account in (Account(Stage.CLAIMED), Account(Stage.RUNNING, 0.3)):
        job.join(Instant(0.0), Claim(Phase.MAP, 0, MINE, account), flock)
        outbox.add(JOB, Phase.MAP, 0, MINE)
    latest = Claim(Phase.MAP, 0, MINE, Account(Stage.RUNNING, 0.3))
    assert outbox.take(Instant(1.0), {JOB: job}) == [ClaimNews(JOB, (latest,))]
    assert not outbox.waiting
    assert outbox.take(Instant(1.0), {JOB: job}) == []


def test_outbox_after_a_silence_is_due_at_once_and_then_at_intervals() -> None:
    outbox = Outbox(0.01, 0.04)
    assert outbox.due < 0.0
    outbox.take(Instant(7.0), {})
    outbox.add(JOB, Phase.MAP, 0, MINE)
    assert outbox.due == 7.01


def test_outbox_rests_longer_while_all_that_is_in_it_can_wait() -> None:
    outbox = Outbox(0.01, 0.04)
    outbox.take(Instant(7.0), {})
    outbox.add(JOB, Phase.MAP, 0, MINE, can_wait=True)
    assert outbox.due == 7.04
    outbox.add(JOB, Phase.MAP, 1, MINE)
    outbox.add(JOB, Phase.MAP, 2, MINE, can_wait=True)
    assert outbox.due == 7.01
    outbox.take(Instant(7.01), {})
    outbox.add(JOB, Phase.MAP, 3, MINE, can_wait=True)
    assert outbox.due == 7.05


def test_outbox_drops_claims_of_a_job_that_is_no_longer_known() -> None:
    outbox = Outbox(0.01, 0.04)
    outbox.add(JOB, Phase.MAP, 0, MINE)
    assert outbox.take(Instant(0.0), {}) == []


def test_few_peers_are_told_straight() -> None:
    assert Routes().of(JOB, flock_of(16)) == Route(near=PEERS_OF_16)


@pytest.mark.parametrize("peers", [17, 40, 60])
def test_news_of_many_reaches_everybody_once_and_nobody_sends_to_all(peers: int) -> None:
    routes = {PEERS[at]: Routes().of(JOB, flock_of(peers, at)) for at in range(peers)}
    for sender, route in routes.items():
        heard = Counter([*route.near, *route.relays])
        for relay in route.relays:
            heard.update(routes[relay].near)
        assert set(heard) == set(PEERS[:peers]) - {sender}
        assert set(heard.values()) == {1}
        assert len(route.near) + len(route.relays) < peers / 1.5


def test_relays_differ_from_job_to_job() -> None:
    routes, flock = Routes(), flock_of(60)
    assert len({routes.of(f"{job:016x}", flock).relays for job in range(10)}) > 5


def test_relay_that_dies_has_a_successor_as_soon_as_that_is_seen() -> None:
    routes, flock = Routes(), flock_of(60)
    gone = routes.of(JOB, flock).relays[0]
    member = Member(gone, gone[:4], "tcp://a", "tcp://b", "h", "/d")
    flock.learn(Update(member, Liveness.SUSPECT, 1 << REFUTATION_BITS))
    after = routes.of(JOB, flock)
    assert gone not in after.relays
    assert len(after.relays) == len(routes.of(JOB, flock).relays)
