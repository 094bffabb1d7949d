"""Two halves that have lost each other both try to finish a job: it is committed once, and alike in both at the end."""

import pytest

from murmuration.puppetmaster.faults import Cut, Heal
from murmuration.puppetmaster.simulation.nemesis import Planned
from murmuration.puppetmaster.simulation.plan import Plan
from murmuration.puppetmaster.simulation.schedule import Schedule

HALVES = (("AB", "CDE"), ("ABC", "DE"), ("AE", "BCD"), ("ABE", "CD"))
CUT_AT, HEAL_AT = (1.2, 1.5, 1.8, 2.1), 14.0


def halved(one: str, other: str, at: float) -> Plan:
    """Plan a job whose splits are done all over the cluster when it falls in two."""
    cuts = [
        Cut(senders=frozenset(one), receivers=frozenset(other)),
        Cut(senders=frozenset(other), receivers=frozenset(one)),
    ]
    faults = [*(Planned(at, cut, 1) for cut in cuts), Planned(HEAL_AT, Heal(), 1)]
    return Plan(seed=1, splits=8, task_s=0.3, puts=0, output="ring:/out", faults=tuple(faults), trouble_s=HEAL_AT)


@pytest.mark.parametrize(("one", "other"), HALVES)
def test_job_in_two_halves_is_committed_once_and_alike_in_both(one: str, other: str) -> None:
    reached: set[str] = set()
    for at in CUT_AT:
        schedule = Schedule(halved(one, other, at))
        verdict = schedule.verdict()
        assert verdict.violations == ()
        job = next(iter(schedule.cluster.running["A"].node.scheduling.jobs))
        endings = {process.node.scheduling.jobs[job].ending_value for process in schedule.cluster.running.values()}
        assert len(endings) == 1
        assert None not in endings
        assert len(schedule.cluster.witness.decided[job, "end"]) == 1
        reached |= verdict.reached
    assert reached & {"takeover", "seal proposed twice"}
