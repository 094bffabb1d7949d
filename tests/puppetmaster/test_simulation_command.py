"""`murmur sim`: what it prints, and the code it ends with."""

import json

import pytest
from click.testing import CliRunner

from murmuration.client.commands.exits import FAILED, Exit
from murmuration.puppetmaster import sim as command
from murmuration.puppetmaster.sim import sim
from murmuration.puppetmaster.simulation import schedule
from murmuration.puppetmaster.simulation.schedule import Verdict
from murmuration.puppetmaster.simulation.sweep import Sweep

BROKEN = Verdict(
    seed=4,
    violations=("S1: b'x' is gone",),
    trace="abcd",
    events=10,
    simulated_s=1.0,
    faults=("   0.500 KILL A",),
    reached=frozenset({"takeover"}),
    ended_s=0.0,
    agreed_s=0.0,
)


def test_sim_of_two_seeds_tells_of_both_in_json() -> None:
    result = CliRunner().invoke(sim, ["--seeds", "0-1", "--json"])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["schedules"] == 2
    assert document["violations"] == []
    assert set(document["never_reached"]).isdisjoint(name for name, times in document["reached"].items() if times)


def test_sim_says_what_was_never_reached() -> None:
    result = CliRunner().invoke(sim, ["--seed", "0"])
    assert "1 schedules" in result.stdout
    assert "never reached: " in result.stdout
    assert "no violation" in result.stdout


def test_sim_with_a_violation_names_seed_trace_and_invariant_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    total = Sweep()
    total.add(BROKEN)
    monkeypatch.setattr(command, "sweep", lambda seeds, peers: iter([total]))
    result = CliRunner().invoke(sim, ["--seed", "4", "--no-story"])
    assert "seed 4, trace abcd: S1: b'x' is gone" in result.stdout
    assert isinstance(result.exception, Exit)
    assert result.exception.code == FAILED


@pytest.mark.parametrize("calm", [["--no-faults"], []])
def test_sim_of_a_large_job_tells_what_it_took_and_that_its_output_is_right(calm: list[str]) -> None:
    result = CliRunner().invoke(sim, ["--peers", "8", "--splits", "40", "--seed", "1", "--json", *calm])
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["right"]
    assert (document["faults"] == 0) is bool(calm)
    assert document["attempts"] >= 40 + 2
    assert min(document[name] for name in ("memory_mib", "events", "messages", "claim_messages_per_peer")) > 0


def test_sim_of_a_large_job_that_does_not_end_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "PATIENCE_S", 2.0)
    result = CliRunner().invoke(sim, ["--peers", "3", "--splits", "40", "--no-faults"])
    assert "3 peers, 40 splits, 0 faults: not ended" in result.stdout
    assert isinstance(result.exception, Exit)
    assert result.exception.code == FAILED


@pytest.mark.parametrize(
    "words",
    [
        ["--seeds", "5-2"],
        ["--seeds", "x"],
        ["--seed", "1", "--seeds", "1-2"],
        ["--splits", "0"],
        ["--splits", "9", "--seeds", "1-2"],
        ["--splits", "9", "--minutes", "1"],
        ["--no-faults"],
    ],
)
def test_sim_used_wrongly_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(sim, words).exit_code == 2


def test_sim_of_a_scenario_prints_its_transcript() -> None:
    result = CliRunner().invoke(sim, ["--scenario", "tracker-cascade"], catch_exceptions=True)
    assert "KILL" in result.stdout
    assert isinstance(result.exception, Exit)
    assert result.exception.code == 0
