"""Peers rank each other alike, take turns at newly open tasks, and look at their own disk first."""

from hashlib import blake2b
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from murmuration.ring.terms import Instant, PeerId
from murmuration.scheduling.claims.lots import attempt_lot, task_lot
from murmuration.scheduling.claims.selection import CANDIDATES_MAX, RANK_MAX, Agenda, Candidate, choose, rank_of
from murmuration.scheduling.jobs import Phase
from murmuration.scheduling.messages import Attempt

PEERS = tuple(PeerId(blake2b(bytes([number]), digest_size=16).hexdigest()) for number in range(50))
NOW = Instant(10.0)


@given(st.integers(0, 1000), st.integers(1, RANK_MAX), st.integers(0, 3))
def test_ranks_of_all_workers_are_a_permutation_with_holders_first(task: int, workers: int, holders: int) -> None:
    lot = task_lot("job", Phase.MAP, task)
    living = PEERS[:workers]
    holding = living[: min(holders, workers)]
    ranks = {peer: rank_of(peer, lot, holding, living) for peer in living}
    assert sorted(ranks.values()) == list(range(workers))
    assert sorted(ranks[peer] for peer in holding) == list(range(len(holding)))


@given(st.integers(0, 1000), st.integers(RANK_MAX + 1, 50), st.integers(0, 3))
def test_ranks_of_many_workers_are_distinct_up_to_the_last_one_that_all_others_share(
    task: int, workers: int, holders: int
) -> None:
    lot = task_lot("job", Phase.MAP, task)
    ranks = [rank_of(peer, lot, PEERS[:holders], PEERS[:workers]) for peer in PEERS[:workers]]
    assert sorted(ranks) == [*range(RANK_MAX), *[RANK_MAX] * (workers - RANK_MAX)]


def test_rank_without_holders_spreads_tasks_evenly() -> None:
    firsts = [
        next(peer for peer in PEERS[:10] if rank_of(peer, task_lot("job", Phase.MAP, task), (), PEERS[:10]) == 0)
        for task in range(1000)
    ]
    shares = [firsts.count(peer) for peer in PEERS[:10]]
    assert min(shares) > 65
    assert max(shares) < 140


def test_rank_ignores_holders_that_do_not_work() -> None:
    lot = task_lot("job", Phase.MAP, 1)
    assert rank_of(PEERS[0], lot, (PEERS[7],), PEERS[:1]) == 0


def test_lots_are_the_same_in_every_process() -> None:
    attempt = Attempt("a" * 32, 1, 2)
    assert task_lot("00aa", Phase.MAP, 7) == 296622995388364191
    assert attempt_lot("00aa", Phase.MAP, 7, attempt) == attempt_lot("00aa", Phase.MAP, 7, Attempt("a" * 32, 1, 2))


def test_choice_is_the_best_rank_that_is_due() -> None:
    candidates = [
        Candidate(task=1, rank=2, due=Instant(9.0)),
        Candidate(task=2, rank=0, due=Instant(10.5)),
        Candidate(task=3, rank=1, due=Instant(10.0)),
        Candidate(task=4, rank=1, due=Instant(9.0)),
    ]
    assert choose(NOW, candidates).tasks == (3,)
    assert choose(NOW, candidates, most=3).tasks == (3,)


def test_fewer_tasks_go_together_where_another_peer_should_take_them_and_none_of_unlike_ranks() -> None:
    others = [Candidate(task=task, rank=1 + task % 2, due=NOW) for task in range(40)]
    assert choose(NOW, others, most=16).tasks == (0, 2, 4, 6)
    mine = Candidate(task=99, rank=0, due=NOW)
    assert choose(NOW, [*others, mine], most=16).tasks == (99,)


def test_task_that_failed_here_often_is_chosen_all_the_same_if_no_other_is_due() -> None:
    assert choose(NOW, [Candidate(task=1, rank=RANK_MAX + 40, due=NOW)]).tasks == (1,)


def test_choice_with_nothing_due_tells_when_to_look_again() -> None:
    candidates = [Candidate(task=at, rank=0, due=Instant(10.0 + at)) for at in (3, 1, 2)]
    choice = choose(NOW, candidates)
    assert (choice.tasks, choice.due) == ((), 11.0)
    assert choose(NOW, []).due is None


def test_agenda_lists_near_tasks_first_and_every_open_one_once() -> None:
    agenda = Agenda(20, Random(1))
    agenda.favour([3, 4, 5])
    seen = agenda.open_tasks(set(range(20)) - {4})
    assert set(seen[:2]) == {3, 5}
    assert sorted(seen) == [task for task in range(20) if task != 4]
    assert agenda.open_tasks(set(range(20)) - {4}) == seen


def test_agenda_finds_a_task_that_is_open_again() -> None:
    agenda = Agenda(5, Random(1))
    assert agenda.open_tasks(set()) == []
    agenda.put_back(2)
    assert agenda.open_tasks({2}) == [2]


def test_agenda_of_a_large_job_compares_a_bounded_number_and_reaches_all() -> None:
    agenda, openings = Agenda(1000, Random(1)), set(range(1000))
    while openings:
        batch = agenda.open_tasks(openings)
        assert 0 < len(batch) <= CANDIDATES_MAX
        openings -= set(batch[:100])


def test_choice_of_a_candidate_of_the_first_rank_looks_at_no_further_one() -> None:
    candidates = iter(Candidate(task=task, rank=rank, due=NOW) for task, rank in ((1, 3), (2, 0), (3, 0)))
    assert choose(NOW, candidates).tasks == (2,)
    assert [candidate.task for candidate in candidates] == [3]
