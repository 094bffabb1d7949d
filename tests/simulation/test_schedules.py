"""Whole clusters in virtual time, from seeds: the promises hold under loss, delay, cuts and crashes."""

from pathlib import Path

import pytest

from murmuration.puppetmaster.simulation.schedule import play

SEEDS_THAT_ONCE_FAILED = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
GROUP = 20


@pytest.mark.parametrize("first", range(0, 300, GROUP))
def test_schedule_with_loss_delay_and_crashes_keeps_every_promise(first: int) -> None:
    for seed in range(first, first + GROUP):
        verdict = play(seed)
        assert not verdict.violations, _story(verdict)


@pytest.mark.parametrize("seed", SEEDS_THAT_ONCE_FAILED)
def test_seed_that_once_failed_keeps_every_promise(seed: int) -> None:
    verdict = play(seed)
    assert not verdict.violations, _story(verdict)


def test_schedule_played_twice_gives_the_same_trace() -> None:
    assert play(7).trace == play(7).trace


def _story(verdict) -> str:
    return "\n".join([f"seed {verdict.seed}", *verdict.violations, *verdict.faults])
