"""The claim table is a join-semilattice, and its digests tell equal tables from different ones."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from murmuration.scheduling.claims.table import BUCKETS_MAX, BUCKETS_MIN, Change, ClaimTable, buckets_of, joined
from murmuration.scheduling.jobs import Phase, TaskReport, UserError
from murmuration.scheduling.messages import Account, Attempt, Claim, Stage

REPORTS = st.builds(
    TaskReport,
    digest=st.sampled_from([b"a" * 32, b"b" * 32]),
    records_in=st.integers(0, 2),
    records_out=st.just(1),
    bytes_in=st.just(1),
    bytes_out=st.just(1),
    seconds=st.sampled_from([0.5, 1.0]),
    counters=st.permutations([("x", 1), ("y", 2)]).map(dict),
)
ERRORS = st.builds(UserError, kind=st.sampled_from(["ValueError", "KeyError"]), message=st.sampled_from(["a", "b"]))
ACCOUNTS = st.one_of(
    st.builds(
        Account, st.sampled_from([Stage.CLAIMED, Stage.RUNNING, Stage.RELEASED]), st.sampled_from([0.0, 0.5, 1.0])
    ),
    st.builds(Account, st.just(Stage.FAILED), st.just(0.5), error=ERRORS),
    st.builds(Account, st.sampled_from([Stage.DONE, Stage.LOST]), st.just(1.0), report=REPORTS),
)
ATTEMPTS = st.builds(Attempt, st.sampled_from(["a" * 32, "b" * 32]), st.just(1), st.integers(1, 2))
CLAIMS = st.builds(Claim, st.sampled_from(Phase), st.integers(0, 2), ATTEMPTS, ACCOUNTS)


def rank(account: Account) -> tuple[int, float]:
    return (account.stage, account.fraction)


def table_of(claims: list[Claim]) -> ClaimTable:
    table = ClaimTable()
    for claim in claims:
        table.join(claim)
    return table


def contents(table: ClaimTable) -> set[bytes]:
    return {msgspec.msgpack.encode(claim, order="deterministic") for claim in table.differing(())}


def settled(table: ClaimTable) -> set[bytes]:
    return {
        msgspec.msgpack.encode(claim, order="deterministic")
        for claim in table.differing(())
        if claim.account.stage > Stage.RUNNING
    }


@given(ACCOUNTS, ACCOUNTS)
def test_join_of_accounts_in_either_order_is_the_same(one: Account, other: Account) -> None:
    assert joined(one, other) == joined(other, one)


@given(ACCOUNTS, ACCOUNTS, ACCOUNTS)
def test_join_of_accounts_in_any_grouping_is_the_same(one: Account, two: Account, three: Account) -> None:
    assert joined(joined(one, two), three) == joined(one, joined(two, three))


@given(ACCOUNTS)
def test_join_of_an_account_with_itself_changes_nothing(account: Account) -> None:
    assert joined(account, account) == account


@given(ACCOUNTS, ACCOUNTS)
def test_join_of_accounts_never_goes_back(one: Account, other: Account) -> None:
    assert rank(joined(one, other)) == max(rank(one), rank(other))


@given(st.lists(CLAIMS, max_size=12), st.randoms(use_true_random=False))
def test_table_of_claims_in_any_order_and_doubled_is_the_same(claims: list[Claim], rng: object) -> None:
    shuffled = claims + claims[: len(claims) // 2]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = table_of(claims), table_of(shuffled)
    assert contents(one) == contents(other)
    assert one.buckets() == other.buckets()
    assert one.attempts == other.attempts


@given(st.lists(CLAIMS, max_size=12))
def test_digests_of_a_table_do_not_depend_on_when_they_are_asked_for(claims: list[Claim]) -> None:
    table = ClaimTable()
    for claim in claims:
        table.join(claim)
        table.buckets()
    assert table.buckets() == table_of(claims).buckets()


@given(st.lists(CLAIMS, max_size=8), CLAIMS)
def test_join_tells_exactly_whether_something_changed(claims: list[Claim], claim: Claim) -> None:
    table = table_of(claims)
    before, digests = contents(table), table.buckets()
    change = table.join(claim)
    assert (change is not Change.NOTHING) == (contents(table) != before)
    assert change is Change.STAGE or table.buckets() == digests
    assert table.join(claim) is Change.NOTHING


@given(st.lists(CLAIMS, max_size=12), st.lists(CLAIMS, max_size=12))
def test_exchange_of_differing_buckets_makes_tables_equal_but_for_fractions(
    mine: list[Claim], theirs: list[Claim]
) -> None:
    one, other = table_of(mine), table_of(theirs)
    for claim in list(one.differing(other.buckets())):
        other.join(claim)
    for claim in list(other.differing(one.buckets())):
        one.join(claim)
    assert one.buckets() == other.buckets()
    assert settled(one) == settled(other)


def test_table_asked_with_equal_buckets_gives_nothing() -> None:
    table = table_of([Claim(Phase.MAP, 5, Attempt("a" * 32, 1, 1), Account(Stage.CLAIMED))])
    assert list(table.differing(table.buckets())) == []
    assert len(list(table.differing(ClaimTable().buckets()))) == 1


def test_table_digests_ignore_how_far_a_running_attempt_is() -> None:
    attempt = Attempt("a" * 32, 1, 1)
    table = table_of([Claim(Phase.MAP, BUCKETS_MIN + 1, attempt, Account(Stage.CLAIMED))])
    before = table.buckets()
    assert table.join(Claim(Phase.MAP, BUCKETS_MIN + 1, attempt, Account(Stage.RUNNING, 0.5))) is Change.STAGE
    assert table.join(Claim(Phase.MAP, BUCKETS_MIN + 1, attempt, Account(Stage.RUNNING, 0.7))) is Change.FRACTION
    assert table.buckets() == before
    assert table.join(Claim(Phase.MAP, BUCKETS_MIN + 1, attempt, Account(Stage.RELEASED))) is Change.STAGE
    assert table.buckets() != before


def test_lost_outranks_done_and_done_outranks_all_else() -> None:
    order = [Stage.CLAIMED, Stage.RUNNING, Stage.RELEASED, Stage.FAILED, Stage.DONE, Stage.LOST]
    accounts = [Account(stage) for stage in order]
    assert [joined(low, high) for low, high in pairwise(accounts)] == accounts[1:]


@given(st.integers(0, 20_000))
def test_table_is_cut_into_pieces_of_a_few_tasks_as_far_as_a_message_can_name_them(tasks: int) -> None:
    pieces = buckets_of(tasks)
    assert BUCKETS_MIN <= pieces <= BUCKETS_MAX
    assert pieces & (pieces - 1) == 0
    assert pieces == BUCKETS_MAX or tasks <= 8 * pieces


def test_table_that_differs_in_one_task_of_many_gives_that_and_few_others() -> None:
    attempts = [Attempt("a" * 32, 1, task) for task in range(4000)]
    claims = [Claim(Phase.MAP, at.number, at, Account(Stage.CLAIMED)) for at in attempts]
    one, other = ClaimTable(4000), ClaimTable(4000)
    for claim in claims:
        one.join(claim)
        other.join(claim)
    one.join(Claim(Phase.MAP, 7, attempts[7], Account(Stage.RELEASED)))
    given = list(one.differing(other.buckets()))
    assert any(claim.task == 7 for claim in given)
    assert len(given) <= 8
