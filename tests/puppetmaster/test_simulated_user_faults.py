"""User code that dies, fails for a while or goes by chance is played, and what peers make of it is judged."""

from dataclasses import replace
from random import Random

import msgspec
import pytest

from murmuration.node.effects import RunAttempt, RunPlace
from murmuration.puppetmaster.simulation.check_electorates import electorate_violation
from murmuration.puppetmaster.simulation.check_reads import reads_violation
from murmuration.puppetmaster.simulation.job_workload import (
    some_job,
    some_text,
    with_bad_records_skipped,
    with_parameter,
)
from murmuration.puppetmaster.simulation.plan import Plan, plan_of
from murmuration.puppetmaster.simulation.schedule import perform
from murmuration.puppetmaster.simulation.user_faults import CHANCY, DIES, digestible, expected_error, parts_by, salted
from murmuration.puppetmaster.simulation.wordcount import map_split, reduce_partition, sequential, without_poison
from murmuration.ring.facts import Liveness, Standing, Update
from murmuration.ring.terms import Member, PeerId
from murmuration.scheduling.effects import StartAttempt
from murmuration.scheduling.jobs import Phase, UserError
from murmuration.scheduling.messages import Attempt, MapSeal, Winner

SMALL = Plan(seed=0, peers=3, splits=4, lines=20, task_s=0.05, puts=0, trouble_s=0.0)
FLAKY_SEED, CHANCY_SEED, DEADLY_SEED, DEADLY_SKIPPED_SEED = 9, 11, 2, 3
TEXT = some_text(Random(1), 20, poisoned_line=11)
RECORD = some_job(Random(2), TEXT, 4, 2, "out")
SPLIT = next(at for at, split in enumerate(RECORD.splits) if b"poison" in TEXT[split.begin : split.end])
PIECE = TEXT[RECORD.splits[SPLIT].begin : RECORD.splits[SPLIT].end]


@pytest.mark.parametrize(
    ("plan", "rarity"),
    [
        (replace(SMALL, seed=FLAKY_SEED), "failed for a while"),
        (replace(SMALL, seed=CHANCY_SEED), "output by chance"),
        (replace(SMALL, seed=DEADLY_SEED, poisoned_line=7), "process killed by a record"),
        (replace(SMALL, seed=DEADLY_SKIPPED_SEED, poisoned_line=7), "record set aside"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_job_whose_user_code_misbehaves_keeps_every_promise(plan: Plan, rarity: str) -> None:
    verdict = perform(plan)
    assert verdict.violations == ()
    assert rarity in verdict.reached


def test_misbehaving_user_code_is_drawn_for_one_fault_at_a_time() -> None:
    for plan in map(plan_of, range(400)):
        assert plan.is_flaky + plan.is_chancy + (plan.poisoned_line >= 0) <= 2
        assert not (plan.poisoned_line >= 0 and (plan.is_flaky or plan.is_chancy))


def test_deadly_record_is_named_by_careful_attempts_alone_and_left_out_when_told_so() -> None:
    record = with_parameter(with_bad_records_skipped(RECORD), DIES)
    careless, careful = (digestible(PIECE, record, SPLIT, skip) for skip in (None, ()))
    assert isinstance(careless, UserError)
    assert isinstance(careful, UserError)
    assert (careless.line, careful.line) == (0, 12)
    assert digestible(PIECE, record, SPLIT, (12,)) == without_poison(PIECE)
    assert expected_error(TEXT, record) is None
    assert expected_error(TEXT, with_parameter(RECORD, DIES)) == careless


def test_oracle_of_chance_gives_what_the_winning_attempts_made() -> None:
    record = with_parameter(RECORD, CHANCY)
    attempts = [Attempt("a" * 32, 1, number) for number in range(len(record.splits))]
    winners = [Winner(attempt, b"d") for attempt in attempts]
    parts = parts_by(TEXT, record, winners)
    pieces = zip(record.splits, attempts, strict=True)
    runs = [map_split(salted(TEXT[each.begin : each.end], record, attempt), 2) for each, attempt in pieces]
    assert parts == tuple(reduce_partition(runs, partition) for partition in range(2))
    assert parts != sequential(TEXT, record)
    assert parts_by(TEXT, RECORD, winners) == sequential(TEXT, RECORD)


def members(standings: list[Standing], liveness: Liveness = Liveness.ALIVE) -> dict[PeerId, Update]:
    ids = [PeerId(f"{number:032x}") for number in range(len(standings))]
    return {
        peer: Update(Member(peer, "p", "tcp://a", "tcp://b", "h", "/d"), liveness, 1, standing=standing)
        for peer, standing in zip(ids, standings, strict=True)
    }


def test_electorate_without_those_who_join_is_accused_where_it_survives_fewer_deaths() -> None:
    joining = members([Standing.VALID] * 3 + [Standing.JOINING] * 2)
    three = tuple(str(peer) for peer in joining)[:3]
    assert electorate_violation("A", three, joining).startswith("J3")
    assert not electorate_violation("A", tuple(str(peer) for peer in joining), joining)
    assert not electorate_violation("A", three, members([Standing.VALID] * 3 + [Standing.JOINING]))
    assert not electorate_violation("A", three, members([Standing.VALID] * 3 + [Standing.LEAVING] * 2))


def reading(splits: list[tuple[int, bytes]], seal: MapSeal | None) -> RunAttempt:
    start = StartAttempt(record=RECORD, phase=Phase.REDUCE, task=0, attempt=Attempt("a" * 32, 1, 1), seal=seal)
    return RunAttempt(start=start, runs=tuple(RunPlace(split=at, digest=name, sources=()) for at, name in splits))


def test_reducer_that_reads_other_than_the_sealed_runs_once_each_is_accused() -> None:
    seal = MapSeal(tuple(Winner(Attempt("a" * 32, 1, number), bytes([number])) for number in range(2)))
    assert not reads_violation("A", reading([(0, b"\0"), (1, b"\1")], seal))
    for splits in ([(0, b"\0")], [(0, b"\0"), (0, b"\0"), (1, b"\1")], [(0, b"\1"), (1, b"\1")]):
        assert reads_violation("A", reading(splits, seal)).startswith("J2")
    assert reads_violation("A", reading([], None)).startswith("J2")


def test_record_with_parameters_is_still_one_that_the_wire_takes() -> None:
    record = with_parameter(with_parameter(RECORD, DIES), CHANCY)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=type(record)).spec.params == {
        DIES: "",
        CHANCY: "",
    }
