"""Jobs over ten times the data that their budget holds stay within it, and give what jobs with ample memory give."""

import json
import subprocess
import sys
from pathlib import Path

import budgeted_job
import pytest

MIB = 1 << 20
BUDGET = 3 * MIB
SLACK = 5 * MIB
"""For what the interpreter keeps for itself, and the 4,096 pairs that are formatted at once on their way out."""

LINES = 1_600
SPLITS = 4
PAIRS = "def map(n, line):\n    for i in range(50):\n        yield {key}, {value}\n"
DISTINCT = "(n * 50 + i) * 2654435761 % 4294967296"
PROGRAMS = {
    "many keys": (
        PAIRS.format(key=DISTINCT, value="f'{line}-{i:064}'")
        + "def reduce(key, values):\n    yield key, len(list(values))\n"
    ),
    "one key of all values": (
        PAIRS.format(key="'k'", value="f'{line}-{i:064}'")
        + "def reduce(key, values):\n    yield key, sum(len(value) for value in values)\n"
    ),
    "few keys without a reducer": PAIRS.format(key="i % 3", value="f'{line}-{i:064}'"),
    "states": PAIRS.format(key=f"f'{{{DISTINCT}:0200}}'", value="i * 1000") + "reduce = 'sum'\n",
}


def outcome(folder: Path, source: str, memory: int) -> dict[str, object]:
    (folder / "in.txt").write_text("".join(f"line {n}\n" for n in range(LINES)))
    order = json.dumps({"folder": str(folder), "source": source, "memory": memory, "splits": SPLITS})
    return json.loads(subprocess.check_output([sys.executable, budgeted_job.__file__, order]))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS)
def test_job_over_ten_times_its_budget_stays_within_it_and_gives_the_same_answer(tmp_path, source):
    small, ample = outcome(tmp_path, source, BUDGET), outcome(tmp_path, source, 4096 * MIB)
    assert ample["reduce_growth"] > 10 * BUDGET
    assert small["map_growth"] < BUDGET + SLACK
    assert small["reduce_growth"] < BUDGET + SLACK
    assert (small["part"], small["records"]) == (ample["part"], ample["records"])
