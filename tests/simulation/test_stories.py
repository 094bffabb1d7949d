"""Failing schedules are shrunk and drawn, so that a person can read why."""

from dataclasses import replace

from murmuration.puppetmaster.faults import Crash, Cut, Freeze, Weather, title_of
from murmuration.puppetmaster.simulation.history import History, Kind, Line
from murmuration.puppetmaster.simulation.ladder import ladder
from murmuration.puppetmaster.simulation.plan import Plan, plan_of
from murmuration.puppetmaster.simulation.schedule import perform
from murmuration.puppetmaster.simulation.shrinking import promise_of, shrink
from murmuration.puppetmaster.simulation.story import relevant

LADDER = """\
          A       B       C
    0.100 |------>|       |        Ping
    0.200 |       |------x|        JobNews epoch 1
    0.300 |       |       X        KILL C
    0.400 |<------|-------:        VersionsFetched"""


def test_ladder_draws_sends_losses_and_faults_in_columns() -> None:
    lines = [
        Line(0.1, Kind.MESSAGE, "A", "B", "Ping"),
        Line(0.2, Kind.LOST, "B", "C", "JobNews epoch 1"),
        Line(0.3, Kind.FAULT, "C", "", "KILL C"),
        Line(0.4, Kind.MESSAGE, "C", "A", "VersionsFetched"),
    ]
    assert ladder(lines, ["A", "B", "C"]) == LADDER


def test_shrinking_keeps_only_the_fault_that_matters() -> None:
    plan = next(plan for plan in map(plan_of, range(100)) if _freezes(plan) and len(plan.faults) > 5)
    small = shrink(plan, _freezes)
    assert {planned.group for planned in small.faults if planned.group} == {_group_of_freeze(small)}
    assert small.splits == 1
    assert small.puts == 0
    assert all(planned.fault.loss == 0 for planned in small.faults if isinstance(planned.fault, Weather))


def test_shrinking_gives_the_plan_itself_when_its_patience_is_at_an_end() -> None:
    plan = plan_of(3)
    assert shrink(plan, lambda _: True, tries=0) == plan


def test_shrinking_ends_with_a_plan_that_fails() -> None:
    assert shrink(plan_of(3), lambda plan: plan.splits >= 5).splits == 5


def _freezes(plan: Plan) -> bool:
    return any(isinstance(planned.fault, Freeze) for planned in plan.faults)


def _group_of_freeze(plan: Plan) -> int:
    return next(planned.group for planned in plan.faults if isinstance(planned.fault, Freeze))


def test_history_tells_of_faults_and_of_the_messages_about_the_job() -> None:
    history = History()
    perform(replace(plan_of(4), splits=3, puts=0), history)
    lines = relevant(history.lines, "J3: the job has not ended")
    assert any(line.kind is Kind.FAULT for line in lines)
    assert any(line.text.startswith("JobNews") for line in lines)
    assert not any(line.text.startswith("Ping") for line in lines)


def test_promise_is_named_by_its_letter_and_number() -> None:
    assert promise_of(("S1: b'x' is gone", "J3: it has not ended")) == "S1"
    assert promise_of(()) == ""


def test_faults_are_spelt_in_the_puppet_language() -> None:
    assert title_of(Crash(peer="A")) == "KILL A"
    assert title_of(Cut(senders=frozenset("BA"), receivers=frozenset("C"))) == "CUT A,B>C"
