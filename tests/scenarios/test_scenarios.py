"""The scenarios that ship, played in virtual time: every line of what they show is as it was understood to be.

After a change that moves a line: `pytest tests/scenarios --rewrite`, and read the difference.
"""

from pathlib import Path

import pytest

from murmuration.puppetmaster.simulation.scenarios import play_scenario, scenario_names

HERE = Path(__file__).parent


def test_scenarios_ship() -> None:
    assert {"tracker-cascade", "all-frozen-one-thawed", "rolling-restart", "cut-and-heal"} <= set(scenario_names())


@pytest.mark.parametrize("name", scenario_names())
def test_scenario_shows_its_golden_transcript(name: str, *, rewrite: bool) -> None:
    transcript = play_scenario(name)
    golden = HERE / f"{name}.txt"
    if rewrite:
        golden.write_text(transcript.text, encoding="utf-8")
    assert transcript.held, transcript.text
    assert transcript.text == golden.read_text(encoding="utf-8"), (
        "run pytest tests/scenarios --rewrite and read the diff"
    )


@pytest.mark.parametrize("name", scenario_names())
@pytest.mark.parametrize("seed", range(1, 4))
def test_scenario_holds_with_other_seeds(name: str, seed: int) -> None:
    transcript = play_scenario(name, seed)
    assert transcript.held, transcript.text
