"""Questions of clients: which are refused before they cost anything, and how each outcome is told."""

import pytest

from murmuration.node.questions import objection, store_event, store_reply
from murmuration.node.siblings import Siblings
from murmuration.node.wire.replies import KeyConflict, KeyGot, KeyPut, Refused
from murmuration.node.wire.requests import FindKeys, GetKey, PutKey
from murmuration.ring.effects import Answer, Failed, GetDone, PutConflict, PutDone
from murmuration.ring.events import PutRequested
from murmuration.ring.facts import Dot, Sibling
from murmuration.ring.terms import Condition, Quorum

SIBLINGS = (Sibling(Dot("A", 1), b"v"), Sibling(Dot("B", 1), None))
CONTEXT = {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (PutKey(key=b"k", value=b"v", quorum=Quorum(replicas=1)), "W = 2 copies are more than the N = 1 there are"),
        (GetKey(key=b"k", quorum=Quorum(reads_required=4)), "R = 4 copies are more than the N = 3 there are"),
        (PutKey(key=b"k", value=b"v", quorum=Quorum(replicas=2, reads_required=9)), ""),
        (GetKey(key=b"k", quorum=Quorum(replicas=1, reads_required=1)), ""),
        (GetKey(key=b"k", quorum=Quorum(replicas=1, reads_required=0)), ""),
        (FindKeys(prefix=b""), ""),
    ],
)
def test_quorum_that_can_never_be_reached_is_refused_as_wrong_use(question: PutKey, reason: str) -> None:
    refused = objection(question)
    assert (refused.reason if refused else "") == reason
    assert refused is None or refused.kind == "caller"


def test_put_carries_its_end_and_its_condition_to_the_ring() -> None:
    question = PutKey(key=b"k", value=b"v", context=CONTEXT, expires_at=7, condition=Condition.IF_CURRENT)
    event = store_event("r", question)
    assert isinstance(event, PutRequested)
    assert (event.expires_at, event.condition, event.context) == (7, Condition.IF_CURRENT, CONTEXT)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (Failed(reason="w", is_unknown=True), Refused(kind="unknown", reason="w")),
        (Failed(reason="w", is_corrupt=True), Refused(kind="corrupt", reason="w")),
        (Failed(reason="w"), Refused(kind="quorum", reason="w")),
        (PutConflict(siblings=SIBLINGS, context=CONTEXT), KeyConflict(values=(b"v",), context=CONTEXT)),
        (
            PutDone(context=CONTEXT, replicas=3, primaries=1, fallbacks=1, siblings=2, replaced_corrupt=True),
            KeyPut(context=CONTEXT, replicas=3, primaries=1, fallbacks=1, siblings=2, replaced_corrupt=True),
        ),
        (
            GetDone(siblings=SIBLINGS, context=CONTEXT, replicas=3, answered=3, primaries=2),
            KeyGot(values=(b"v",), context=CONTEXT, replicas=3, answered=3, primaries=2),
        ),
    ],
)
def test_each_outcome_is_told_as_it_is(answer: Answer, reply: object) -> None:
    assert store_reply(answer, {}) == reply


def test_ends_are_told_for_live_values_alone_and_not_at_all_where_none_ends() -> None:
    ending = (Sibling(Dot("A", 1), b"v", 7), Sibling(Dot("B", 1), None, 9), Sibling(Dot("C", 1), b"w"))
    reply = store_reply(GetDone(siblings=ending, context={}, replicas=3, answered=3), {})
    assert isinstance(reply, KeyGot)
    assert (reply.values, reply.ends) == ((b"v", b"w"), (7, 0))


def test_siblings_are_counted_as_clients_meet_them() -> None:
    siblings = Siblings()
    siblings.note(GetDone(siblings=SIBLINGS, context={}, replicas=3, answered=3))
    assert siblings.metrics() == {"siblings.met": 0, "siblings.most": 1}
    siblings.note(PutDone(context={}, replicas=3, primaries=3, fallbacks=0, siblings=4))
    siblings.note(Failed(reason="w"))
    assert siblings.metrics() == {"siblings.met": 1, "siblings.most": 4}
