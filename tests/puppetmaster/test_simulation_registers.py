"""S7 is judged by when a write was acknowledged and when a read began, and only where quorums must meet."""

from dataclasses import replace

from murmuration.puppetmaster.faults import Crash, Leave, Remove, Restart
from murmuration.puppetmaster.simulation.check_registers import register_violations
from murmuration.puppetmaster.simulation.cluster import Cluster
from murmuration.puppetmaster.simulation.nemesis import Planned
from murmuration.puppetmaster.simulation.plan import Plan
from murmuration.puppetmaster.simulation.register_workload import RegisterWorkload, Saw, Wrote
from murmuration.puppetmaster.simulation.schedule import SETTINGS, perform
from murmuration.puppetmaster.simulation.witness import Mint, Witness
from murmuration.ring.facts import Dot


def violations(asked_at: float, context: dict[str, int]) -> list[str]:
    witness = Witness()
    witness.mints.append(Mint(b"k", Dot("a", 2), b"v", {}, {"a": 2}))
    workload = RegisterWorkload(Cluster("ABC", SETTINGS, 0), Witness)  # type: ignore[arg-type]  # no chance is needed
    workload.writes.append(Wrote(b"k", b"v", acknowledged_at=5.0))
    workload.reads.append(Saw(b"k", asked_at, context))
    return register_violations(witness, workload)


def test_read_that_began_after_a_write_and_did_not_see_it_breaks_s7() -> None:
    assert "S7" in violations(5.1, {"a": 1})[0]


def test_read_that_saw_the_write_or_began_before_it_keeps_s7() -> None:
    assert violations(5.1, {"a": 2}) == []
    assert violations(4.9, {}) == []


def test_registers_are_played_only_where_members_are_static_and_no_disk_is_lost() -> None:
    plan = Plan(seed=1, wants_registers=True, faults=(Planned(3.0, Crash(peer="A")), Planned(4.0, Restart(peer="A"))))
    assert plan.has_registers
    assert not replace(plan, latecomers=frozenset("F")).has_registers
    for fault in (Leave(peer="A"), Remove(peer="A"), Restart(peer="A", empty=True), Restart(peer="A", old=True)):
        assert not replace(plan, faults=(Planned(3.0, fault),)).has_registers


def test_schedule_with_registers_judges_strict_reads() -> None:
    assert "strict read" in perform(Plan(seed=1, wants_registers=True)).reached
