"""The scenarios that ship, and each fault alone, on real processes: every job ends with the sequential answer."""

from pathlib import Path
from typing import Any

import pytest
from free_ports import on_free_ports

from murmuration.puppetmaster.language.script import parse_script
from murmuration.puppetmaster.live.library import find_script, scenario_names
from murmuration.puppetmaster.live.session import Session, SessionSettings

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

WORKERS = """
WORKER 1 tcp://localhost:30001/W tcp://localhost:30001/W
WORKER 2 tcp://localhost:30002/W tcp://localhost:30001/W
WORKER 3 tcp://localhost:30003/W tcp://localhost:30001/W
WORKER 4 tcp://localhost:30004/W tcp://localhost:30001/W
JOIN
SUBMIT tcp://localhost:30001/W lines.txt out 40 NapMapper
"""
ENDING = """
JOIN-JOBS
ASSERT JOB 1 done
ASSERT OUTPUTS JOB 1 EQUAL SEQUENTIAL
"""
FAULTS = {
    "the tracker role alone is silent for a while, and its peer maps on": """
        AT 20% of JOB 1 FREEZEC 1
        AT 8s UNFREEZEC 1
        JOIN-JOBS
        ASSERT ALIVE = 4
    """,
    "messages are late and lost": """
        DELAY 1>* 30ms
        LOSS 2>3 30%
        LOSS 3>2 30%
        AT 70% of JOB 1 HEAL
    """,
    "messages arrive twice and overtake each other": """
        DUPLICATE 1|* 30%
        REORDER 1|* 100ms
        AT 70% of JOB 1 HEAL
    """,
    "one link is narrow": """
        BANDWIDTH 1|2 100KB
        AT 70% of JOB 1 BANDWIDTH 1|2 0
    """,
    "a disk is broken": """
        AT 20% of JOB 1 DISK 3 broken
        AT 60% of JOB 1 DISK 3 ok
        JOIN-JOBS
        JOIN
        ASSERT ALIVE = 4
    """,
    "one link is cut in one direction": """
        CUT 2>1
        AT 70% of JOB 1 HEAL
    """,
    "a peer pauses its maps amid a split": """
        AT 30% of JOB 1 SLOWW 2 2
        AT 40% of JOB 1 STATUS
        JOIN-JOBS
        ASSERT ALIVE = 4
        ASSERT EPOCH JOB 1 = 1
    """,
    "a peer leaves": """
        AT 30% of JOB 1 LEAVE 3
        JOIN-JOBS
        ASSERT ALIVE = 3
    """,
    "a peer loses its disk and comes back as a new one": """
        AT 20% of JOB 1 KILL 3
        AT 40% of JOB 1 RESTART 3 empty
        JOIN-JOBS
        JOIN
        ASSERT ALIVE = 4
    """,
}


def play(text: str, out: Path) -> dict[str, Any]:
    """Play a script, which must succeed."""
    said: list[str] = []
    with Session(SessionSettings(out=out), said.append) as session:
        session.player.play(parse_script(on_free_ports(text).encode()))
        summary = session.finish()
    assert summary["ok"], "\n".join([*summary["problems"], *summary["failures"], *said])
    return summary


@pytest.mark.parametrize("name", scenario_names())
def test_scenario_holds_on_real_processes(name: str, tmp_path: Path) -> None:
    (job,) = play(find_script(name).read_text(), tmp_path)["jobs"]
    assert job["redone"] == 0, "output that is committed to the ring is never made again"


@pytest.mark.parametrize("name", FAULTS)
def test_job_gives_the_sequential_answer_although(name: str, tmp_path: Path) -> None:
    play(WORKERS + FAULTS[name] + ENDING, tmp_path)
