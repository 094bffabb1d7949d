"""Whole clusters in virtual time, from seeds: the promises hold under loss, delay, cuts and crashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import murmuration
from murmuration.puppetmaster.simulation.history import History
from murmuration.puppetmaster.simulation.plan import plan_of
from murmuration.puppetmaster.simulation.schedule import Verdict, perform, play

pytestmark = pytest.mark.timeout(600)  # schedules are work, not waiting: a busy machine takes long for them

SEEDS_THAT_ONCE_FAILED = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
GROUP = 20
REPLAYED = (3, 7, 10)


@pytest.mark.parametrize("first", range(0, 300, GROUP))
def test_schedule_with_loss_delay_and_crashes_keeps_every_promise(first: int) -> None:
    for seed in range(first, first + GROUP):
        verdict = play(seed)
        assert not verdict.violations, _story(verdict)


@pytest.mark.parametrize("seed", SEEDS_THAT_ONCE_FAILED)
def test_seed_that_once_failed_keeps_every_promise(seed: int) -> None:
    verdict = play(seed)
    assert not verdict.violations, _story(verdict)


@pytest.mark.parametrize("peers", [3, 9])
def test_schedule_of_another_size_keeps_every_promise(peers: int) -> None:
    for seed in range(6):
        verdict = play(seed, peers)
        assert not verdict.violations, _story(verdict)


def test_schedule_played_twice_gives_the_same_trace() -> None:
    assert play(7).trace == play(7).trace


def test_schedule_that_is_watched_closely_gives_the_same_trace() -> None:
    assert perform(plan_of(7), History(), check_every=1).trace == play(7).trace


def test_schedule_gives_the_same_trace_whatever_the_hash_seed() -> None:
    """No order of a set, and no `hash()`, may decide anything."""
    traces = [play(seed).trace for seed in REPLAYED]
    for hash_seed in ("0", "1", "2"):
        assert _traces_of_another_process(hash_seed) == traces


def _traces_of_another_process(hash_seed: str) -> list[str]:
    code = (
        "from murmuration.puppetmaster.simulation.schedule import play\n"
        f"for seed in {REPLAYED!r}: print(play(seed).trace)"
    )
    above = str(Path(murmuration.__file__).absolute().parent.parent)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": above}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def _story(verdict: Verdict) -> str:
    return "\n".join([f"seed {verdict.seed}", *verdict.violations, *verdict.faults])
