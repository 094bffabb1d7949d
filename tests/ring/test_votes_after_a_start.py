"""A peer that has started again votes once a majority of the members, as they are by then, has vouched for its disk."""

from itertools import count

from member_net import member

from murmuration.ring.effects import RingEffect, Send
from murmuration.ring.events import MessageReceived, RequestDue
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.membership.lineage import SILENCE_S, Lineage
from murmuration.ring.messages import StartRecalled
from murmuration.ring.terms import REFUTATION_BITS, Incarnation, Instant, PeerId

START = 7
Table = dict[PeerId, Update]


def table(*alive: int, dead: tuple[int, ...] = (), left: tuple[int, ...] = ()) -> Table:
    rows = [(alive, Liveness.ALIVE), (dead, Liveness.DEAD), (left, Liveness.LEFT)]
    return {
        PeerId(member(number).id): Update(member=member(number), liveness=liveness, incarnation=Incarnation(1))
        for numbers, liveness in rows
        for number in numbers
    }


def started(members: Table) -> Lineage:
    """Start member 0 again, which was started once before."""
    lineage = Lineage(member(0), Incarnation(START << REFUTATION_BITS), START - 1, map(str, count()))
    lineage.begin(Instant(0.0), members, ())
    return lineage


def vouch(lineage: Lineage, number: int, members: Table, known: int = START - 1, at: float = SILENCE_S + 1.0) -> None:
    answer = StartRecalled(peer=PeerId(member(0).id), asked_from=START, known=known, standing=None, epoch=0)
    lineage.handle(Instant(at), MessageReceived(sender=PeerId(member(number).id), message=answer), members)


def asked(effects: list[RingEffect]) -> set[PeerId]:
    return {effect.to for effect in effects if isinstance(effect, Send)}


def test_newcomers_vouch_where_those_of_before_are_gone_for_good() -> None:
    before = table(0, 1, dead=(2, 3))
    now = table(0, 1, 4, dead=(2, 3))
    lineage = started(before)
    again = lineage.handle(Instant(1.0), RequestDue(request="0"), now)
    assert asked(again) == {PeerId(member(number).id) for number in (1, 2, 3, 4)}
    vouch(lineage, 1, now)
    assert not lineage.may_vote
    vouch(lineage, 4, now)
    assert lineage.may_vote


def test_newcomers_who_vouch_also_count_among_those_of_whom_a_majority_is_needed() -> None:
    now = table(0, 1, 2, 3, 4, 5, 6)
    lineage = started(table(0, 1, 2, 3, 4))
    vouch(lineage, 5, now)
    vouch(lineage, 6, now)
    assert not lineage.may_vote
    vouch(lineage, 1, now)
    assert lineage.may_vote


def test_members_that_were_removed_are_not_waited_for() -> None:
    lineage = started(table(0, 1, dead=(2, 3)))
    removed = table(0, 1, left=(2, 3))
    assert asked(lineage.handle(Instant(1.0), RequestDue(request="0"), removed)) == {PeerId(member(1).id)}
    vouch(lineage, 1, removed)
    assert lineage.may_vote


def test_who_has_heard_of_the_present_start_alone_vouches_for_nobody_and_counts_for_nothing() -> None:
    before, now = table(0, 1, 2), table(0, 1, 2, 3, 4, 5)
    lineage = started(before)
    for newcomer in (3, 4, 5):
        vouch(lineage, newcomer, now, known=0)
    assert not lineage.may_vote
    vouch(lineage, 1, now, known=0)
    assert lineage.may_vote


def test_last_member_votes_once_it_has_removed_all_others() -> None:
    lineage = started(table(0, dead=(1, 2)))
    assert not lineage.may_vote
    lineage.handle(Instant(1.0), RequestDue(request="0"), table(0, left=(1, 2)))
    assert lineage.may_vote


def test_seed_is_heard_where_the_disk_knows_nobody_and_others_are_not() -> None:
    lineage = Lineage(member(0), Incarnation(START << REFUTATION_BITS), START - 1, map(str, count()))
    lineage.begin(Instant(0.0), table(0), (member(1).url,))
    assert not lineage.may_vote
    vouch(lineage, 2, table(0, 2), known=0)
    assert not lineage.may_vote
    vouch(lineage, 1, table(0, 1, 2), known=0)
    assert lineage.may_vote


def test_disk_that_knows_nobody_is_vouched_for_by_whoever_answers_before_anybody_could_join_through_its_peer() -> None:
    lineage = Lineage(member(0), Incarnation(START << REFUTATION_BITS), START - 1, map(str, count()))
    lineage.begin(Instant(0.0), {}, (member(1).url,))
    vouch(lineage, 1, {}, known=0, at=SILENCE_S / 2)
    assert lineage.may_vote


def test_one_that_has_left_vouches_for_nobody() -> None:
    members = table(0, 1, 2, left=(3,))
    lineage = started(members)
    vouch(lineage, 3, members)
    assert not lineage.may_vote


def test_who_may_vote_goes_on_voting_when_others_join() -> None:
    lineage = started(table(0, 1, 2))
    vouch(lineage, 1, table(0, 1, 2))
    assert lineage.may_vote
    vouch(lineage, 1, table(0, 1, 2, 3, 4, 5, 6))
    assert lineage.may_vote
