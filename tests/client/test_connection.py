"""Connections: every question is answered by somebody, or the error says who was asked."""

import itertools
from collections import deque
from collections.abc import Callable

import pytest
import zmq

from murmuration.client.connection import FIRST_PATIENCE_S, PATIENCE_S, SILENCE_S, Connection
from murmuration.client.dealers import Dealers
from murmuration.node.wire.codec import decode_request, encode_reply
from murmuration.node.wire.replies import ClientReply, KeyConflict, KeyGot, KeyPut, KeysFound, Refused, Welcome
from murmuration.node.wire.requests import ClientRequest, FindKeys, GetKey, Hello, OfferChunk, PutKey
from murmuration.ring.errors import CallerError, Conflict, RemoteError, Unknown, Unreachable, WorldError
from murmuration.ring.terms import Condition, Member, Source

A, B, C = "tcp://127.0.0.1:1001", "tcp://127.0.0.1:1002", "tcp://127.0.0.1:1003"
GOT = KeyGot(values=(b"v",), context={}, replicas=3, answered=2)
KEPT = KeyPut(context={}, replicas=3, primaries=3, fallbacks=0)

Answer = Callable[[float, str, ClientRequest], tuple[float, ClientReply] | None]
"""Gives the delay in seconds and the reply to a request with that name at that time; None is silence."""


class Stage:
    """A network in virtual time: peers are functions, and waiting costs nothing."""

    def __init__(self, **peers: Answer) -> None:
        self.now = 0.0
        self.peers = peers
        self.arrivals: list[tuple[float, int, str, bytes]] = []
        self.asked: list[tuple[str, str, ClientRequest]] = []
        self._ties = itertools.count()

    def clock(self) -> float:
        return self.now

    def send(self, url: str, frame: bytes) -> None:
        name, request = decode_request(frame)
        self.asked.append((url, name, request))
        peer = self.peers.get({A: "a", B: "b", C: "c"}[url])
        answer = peer(self.now, name, request) if peer else None
        if answer is not None:
            self.arrivals.append((self.now + answer[0], next(self._ties), url, encode_reply(name, answer[1])))
            self.arrivals.sort()

    def receive(self, timeout_s: float) -> tuple[str, bytes] | None:
        if self.arrivals and self.arrivals[0][0] <= self.now + timeout_s:
            at, _, url, frame = self.arrivals.pop(0)
            self.now = max(self.now, at)
            return url, frame
        self.now += timeout_s
        return None

    def close(self) -> None:
        self.arrivals.clear()

    def questions(self, kind: type[ClientRequest]) -> list[tuple[str, str]]:
        return [(url, name) for url, name, request in self.asked if isinstance(request, kind)]


def welcome(*urls: str) -> Welcome:
    member = Member(id="0" * 32, name="one", url=A, bulk_url=A, host="h", directory="/d")
    return Welcome(member=member, version="1", urls=urls)


def answers(reply: ClientReply, *, after_s: float = 0.01, known: tuple[str, ...] = ()) -> Answer:
    """Make a peer that greets at once and answers all else with `reply`."""
    return lambda _now, _name, request: (0.01, welcome(*known)) if isinstance(request, Hello) else (after_s, reply)


def connect(stage: Stage, *urls: str) -> Connection:
    return Connection(urls, carrier=stage, clock=stage.clock)


def test_question_to_a_living_peer_is_answered_at_once() -> None:
    stage = Stage(a=answers(GOT))
    assert connect(stage, A).ask(GetKey(key=b"k"), KeyGot) == GOT
    assert stage.now < 0.1


def test_question_to_a_silent_peer_goes_to_the_next_under_the_same_name() -> None:
    stage = Stage(b=answers(GOT))
    connection = connect(stage, A, B)
    assert connection.ask(GetKey(key=b"k"), KeyGot) == GOT
    first, second = stage.questions(GetKey)
    assert (first[0], second[0]) == (A, B)
    assert first[1] == second[1]
    assert SILENCE_S < stage.now < 2 * SILENCE_S
    assert connection.url == B


def test_peer_that_dies_is_left_for_one_that_it_had_told_of() -> None:
    dead_from = 5.0
    living = answers(GOT, known=(B,))
    stage = Stage(a=lambda now, name, request: living(now, name, request) if now < dead_from else None, b=answers(GOT))
    connection = connect(stage, A)
    connection.ask(GetKey(key=b"k"), KeyGot)
    connection.ask(GetKey(key=b"k"), KeyGot)
    assert connection.urls == (A, B)
    stage.now = dead_from
    assert connection.ask(GetKey(key=b"k"), KeyGot) == GOT
    assert connection.url == B


def test_slow_answer_of_a_peer_that_greets_is_waited_for() -> None:
    source = Source(url=A, ref="share/x")
    stage = Stage(a=answers(KEPT, after_s=50.0), b=answers(GOT))
    connection = connect(stage, A, B)
    offer = OfferChunk(digest=b"d" * 32, size=1, source=source, patience_s=60.0)
    assert connection.ask(offer, KeyPut) == KEPT
    assert stage.now == pytest.approx(50.0, abs=0.2)
    assert stage.questions(OfferChunk) == [(A, stage.questions(OfferChunk)[0][1])]


def test_answer_lost_on_its_way_is_asked_for_again() -> None:
    seen: list[str] = []

    def loses_the_first(_now: float, name: str, request: ClientRequest) -> tuple[float, ClientReply] | None:
        if isinstance(request, Hello):
            return 0.01, welcome()
        seen.append(name)
        return (0.01, KEPT) if len(seen) > 1 else None

    stage = Stage(a=loses_the_first)
    assert connect(stage, A).ask(PutKey(key=b"k", value=b"v", patience_s=2.0), KeyPut) == KEPT
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_nobody_answers_names_all_addresses_and_the_way_out() -> None:
    stage = Stage()
    with pytest.raises(Unreachable, match=f"{A}, {B}.*murmur up"):
        connect(stage, A, B).ask(Hello(), Welcome)
    assert stage.now == pytest.approx(FIRST_PATIENCE_S, abs=1.0), "who starts with a wrong address hears it soon"


def test_peers_that_fall_silent_after_an_answer_are_given_more_time() -> None:
    stage = Stage(a=lambda now, name, request: (0.01, KEPT) if isinstance(request, PutKey) else None)
    connection = connect(stage, A, B)
    connection.ask(PutKey(key=b"k", value=b"v"), KeyPut)
    answered = stage.now
    with pytest.raises(Unreachable):
        connection.ask(GetKey(key=b"k"), KeyGot)
    assert stage.now - answered == pytest.approx(PATIENCE_S, abs=1.0)
    assert len(stage.questions(Hello)) < 30, "silence must be waited for longer and longer"


def test_time_without_questions_is_not_silence() -> None:
    stage = Stage(a=answers(GOT, after_s=0.5), b=answers(GOT))
    connection = connect(stage, A, B)
    connection.ask(GetKey(key=b"k"), KeyGot)
    stage.now += 3600.0
    connection.ask(GetKey(key=b"k"), KeyGot)
    assert connection.url == A


@pytest.mark.parametrize(
    ("kind", "error"), [("quorum", WorldError), ("caller", CallerError), ("internal", RemoteError), ("new", WorldError)]
)
def test_refusal_blames_the_right_one(kind: str, error: type[Exception]) -> None:
    stage = Stage(a=answers(Refused(kind=kind, reason="because of this")))
    with pytest.raises(error, match="because of this"):
        connect(stage, A).ask(GetKey(key=b"k"), KeyGot)


def test_answer_of_another_kind_is_the_peers_fault() -> None:
    stage = Stage(a=answers(KEPT))
    with pytest.raises(RemoteError, match="KeyPut"):
        connect(stage, A).ask(GetKey(key=b"k"), KeyGot)


def test_missed_quorum_is_tried_again_under_another_name_if_allowed() -> None:
    replies = deque([Refused(kind="quorum", reason="1 of 2"), GOT])
    stage = Stage(a=lambda _now, _name, request: (0.01, welcome() if isinstance(request, Hello) else replies.popleft()))
    assert connect(stage, A).ask(GetKey(key=b"k"), KeyGot, tries=2) == GOT
    names = [name for _, name in stage.questions(GetKey)]
    assert len(set(names)) == 2


def test_many_questions_keep_within_the_window_and_are_numbered() -> None:
    open_at_once: list[int] = []
    stage = Stage(
        a=lambda _now, _name, request: (
            (0.01, welcome())
            if isinstance(request, Hello)
            else (0.5 - len(stage.asked) / 1000, KeyGot(values=(request.key,), context={}, replicas=1, answered=1))
        )
    )
    connection = connect(stage, A)
    taken = itertools.count()
    given = 0

    def requests() -> itertools.chain[GetKey]:
        for number in range(20):
            open_at_once.append(next(taken) + 1 - given)
            yield GetKey(key=b"%d" % number)

    found = {}
    for number, got in connection.ask_all(requests(), KeyGot, in_flight=4):
        given += 1
        found[number] = got.values[0]
    assert found == {number: b"%d" % number for number in range(20)}
    assert max(open_at_once) <= 4


def test_questions_given_up_half_way_do_not_disturb_the_next() -> None:
    stage = Stage(a=answers(GOT))
    connection = connect(stage, A)
    for _ in connection.ask_all([GetKey(key=b"%d" % number) for number in range(9)], KeyGot):
        break
    assert connection.ask(GetKey(key=b"k"), KeyGot) == GOT


def test_question_asked_while_others_are_open_gets_its_own_answer() -> None:
    stage = Stage(
        a=lambda _now, _name, request: (
            0.01,
            KeysFound(keys=(), more=False) if isinstance(request, FindKeys) else GOT,
        )
    )
    connection = connect(stage, A)
    for _ in connection.ask_all([GetKey(key=b"%d" % number) for number in range(5)], KeyGot):
        assert connection.ask(FindKeys(prefix=b""), KeysFound) == KeysFound(keys=(), more=False)


def test_frames_travel_over_real_sockets() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        dealers = Dealers()
        dealers.send(f"tcp://127.0.0.1:{port}", b"question")
        assert router.poll(4000)
        route, frame = router.recv_multipart()
        assert frame == b"question"
        router.send_multipart([route, b"answer"])
        assert dealers.receive(4.0) == (f"tcp://127.0.0.1:{port}", b"answer")
        assert dealers.receive(0.0) is None
        dealers.close()


def test_conflict_is_unknown_where_another_peer_had_been_asked_before() -> None:
    theirs = KeyConflict(values=(b"mine",), context={})
    put = PutKey(key=b"k", value=b"mine", condition=Condition.IF_ABSENT)
    with pytest.raises(Conflict):
        connect(Stage(a=answers(theirs)), A).ask(put, KeyPut)
    with pytest.raises(Unknown, match="may be this very write"):
        connect(Stage(b=answers(theirs)), A, B).ask(put, KeyPut)
