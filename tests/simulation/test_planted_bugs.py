"""The checkers see: planted bugs are quoted as the product stands; some are hunted here, all by `make mutants`."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from planted_bugs import PLANTED_BUGS, PlantedBug  # noqa: E402 -- beside this file, which is on no path

ROOT = HERE.parents[1]
pytestmark = pytest.mark.timeout(600)  # a hunt plays schedules

CAUGHT_AT_ONCE = ("put keeps", "split edge", "newer copy", "joining peer counts")


def test_planted_bugs_are_thirty_or_more() -> None:
    assert len(PLANTED_BUGS) >= 30


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.name)
def test_planted_bug_quotes_the_product_as_it_is(bug: PlantedBug) -> None:
    assert (ROOT / bug.file).read_text(encoding="utf-8").count(bug.old) == 1, "renew the quotation"


@pytest.mark.parametrize("word", CAUGHT_AT_ONCE)
def test_planted_bug_is_caught(word: str) -> None:
    hunt = [sys.executable, str(HERE / "mutants.py"), word]
    done = subprocess.run(hunt, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 planted bugs caught" in done.stdout
