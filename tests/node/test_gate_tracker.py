"""Which words of a peer are those of its tracker role, and that they are kept in order while it is frozen."""

import msgspec
import pytest

from murmuration.node.effects import NodeEffect, Post
from murmuration.node.gate.tracker import TrackerSilence, says_tracker
from murmuration.ring.effects import Operate
from murmuration.ring.facts import Ballot
from murmuration.ring.messages import Accept, Accepted, Ack, CoordinatePut, Message, Prepare, Promised
from murmuration.ring.operations import AcceptBallot, PromiseBallot
from murmuration.ring.terms import PeerId
from murmuration.scheduling.jobs import Manifest, job_key, manifest_key
from murmuration.scheduling.messages import ClaimNews, JobNews, TableOffer

ME, OTHER = PeerId("a" * 32), PeerId("b" * 32)
MINE, THEIRS = (Ballot(round=1, proposer=f"{peer}.0123") for peer in (ME, OTHER))
JOB = "0" * 16


def post(message: Message) -> Post:
    return Post(to=OTHER, url="tcp://127.0.0.1:5", message=message)  # type: ignore[arg-type]


def put(key: bytes, value: bytes | None) -> Post:
    return post(
        CoordinatePut(
            request="r", key=key, value=value, context={}, replicas=3, writes_required=2, strict=False, patience_s=1.0
        )
    )


def manifest(job: str) -> bytes:
    return msgspec.msgpack.encode(Manifest(files=(), directory=True, made_at=0.0, job=job))


TRACKER: list[NodeEffect] = [
    post(JobNews(JOB, 1, ME)),
    post(JobNews(JOB, 1, ME, ending=b"ending")),
    post(Prepare("r", b"seal/x/map", MINE)),
    post(Accept("r", b"seal/x/map", MINE, b"v")),
    put(manifest_key("out"), manifest(JOB)),
    Operate(ticket=1, operation=PromiseBallot(key=b"r", ballot=MINE)),
    Operate(ticket=2, operation=AcceptBallot(key=b"r", ballot=MINE, value=b"v")),
]
OTHERS: list[NodeEffect] = [
    post(JobNews(JOB, 2, OTHER)),
    post(ClaimNews(JOB, ())),
    post(TableOffer(())),
    post(Promised("r", THEIRS, THEIRS, None, None)),
    post(Accepted("r", THEIRS, THEIRS)),
    post(Ack(1)),
    put(manifest_key("in"), manifest("")),
    put(manifest_key("in"), None),
    put(manifest_key("in"), b"\xff"),
    put(job_key(JOB), manifest(JOB)),
    Operate(ticket=3, operation=PromiseBallot(key=b"r", ballot=THEIRS)),
    Operate(ticket=4, operation=AcceptBallot(key=b"r", ballot=THEIRS, value=b"v")),
]


@pytest.mark.parametrize("effect", TRACKER, ids=repr)
def test_word_of_the_tracker_role_is_one(effect):
    assert says_tracker(ME, effect)


@pytest.mark.parametrize("effect", OTHERS, ids=repr)
def test_word_of_a_claimer_acceptor_or_storage_node_is_none(effect):
    assert not says_tracker(ME, effect)


def test_frozen_role_is_kept_in_order_and_all_else_goes_out():
    silence = TrackerSilence()
    silence.meet(ME)
    mixed = [effect for pair in zip(TRACKER, OTHERS, strict=False) for effect in pair]
    assert silence.let_out(mixed) == mixed
    silence.frozen = True
    assert silence.let_out(mixed) == OTHERS[: len(TRACKER)]
    assert len(silence) == len(TRACKER)
    assert silence.take_held() == TRACKER
    assert silence.take_held() == []
