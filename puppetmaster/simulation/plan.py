"""Draw from a seed all that a schedule needs: a value that can be kept, compared and made smaller."""

import random
from dataclasses import dataclass, replace

from ..faults import Leave, Remove, Restart, SetDisk, Spoil, Swap
from .cluster import names_of
from .nemesis import Planned, draw
from .network import CLEAR

RETENTION_S = 60.0
TROUBLE_S = 20.0
"""All faults are over by then, in seconds of virtual time."""
MOVES_EVERY = 17
"""Every so many schedules have no trouble but peers that join and leave."""
NEWCOMERS = 2
"""So many join in such a schedule, and as many leave."""
THREE_JOBS_EVERY = 3
"""Of the schedules with more than one job, every so many have three."""
REAPED_EVERY = 6
"""Every so many schedules go on until deletes are forgotten."""
TOTAL_ORDER_EVERY = 11
"""Every so many schedules sort their output from its first part to its last, if there is more than one."""
SIDE_FILES_EVERY = 13
"""Every so many schedules have a job whose map attempts write side files."""
FLAKY_EVERY = 19
"""Every so many schedules have user code that fails for a while."""
CHANCY_EVERY = 23
"""Every so many schedules have user code that goes by chance, if there is something to reduce."""
SHORT_TASKS_EVERY = 7
"""Every so many schedules have jobs of four times as many splits, so short that peers take them by the handful."""
SHORT_TASK_S = 0.05
FOUNDED_BY_THREE_EVERY = 16
"""Every so many schedules begin with three peers, and two join at just the time when the first job comes."""
FOUNDERS = 3
DEPENDENT_EVERY = 29
"""Every so many schedules have a job that is killed when its client is gone; every second one's client dies."""
DEPENDENT_TASK_S = (6.0, 30.0)
"""Tasks of such a job take so long if the client stays, and if it dies: it must be missed before the job ends."""
DEPENDENT_PATIENCE_S = 4.0
JOINING_S = (0.6, 1.0)
LATECOMER_SHARE = 0.08
"""Such a share of the schedules has a latecomer, half of the time one of the usual peers: jobs begin without it."""
LATECOMER = 7
"""The group of the fault that starts a latecomer; those below are of the victims, those above of whole clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One schedule: a cluster, a job, some keys and some trouble."""

    seed: int
    peers: int = 5
    splits: int = 12
    partitions: int = 2
    lines: int = 60
    task_s: float = 0.3
    disk_s: float = 0.0005
    puts: int = 30
    output: str = "out"
    is_input_stored: bool = False
    """The input lies in the ring, or else at the client."""
    kill_at: float | None = None
    poisoned_line: int = -1
    """The line at which user code raises; -1 for none."""
    faults: tuple[Planned, ...] = ()
    trouble_s: float = TROUBLE_S
    jobs: int = 1
    vanishes_at: float | None = None
    """When the job's client dies."""
    latecomers: frozenset[str] = frozenset()
    """Peers that are not there at the beginning; a `Restart` among the faults starts them."""
    has_moves_only: bool = False
    """Nothing happens but that peers join and leave."""
    wants_registers: bool = False
    retention_s: float = RETENTION_S
    """How long peers keep what they do not need of an ended job."""

    @property
    def awaits_reaping(self) -> bool:
        """Tell whether the schedule goes on until all deletes are forgotten, which takes as long as all else.

        A lost disk leaves a member that is dead for good and may hold anything: it stops all reaping.
        """
        restarts = (planned.fault for planned in self.faults if isinstance(planned.fault, Restart))
        return self.seed % REAPED_EVERY == 0 and not any(restart.empty or restart.old for restart in restarts)

    @property
    def is_in_total_order(self) -> bool:
        """Tell whether the parts of the first job's output follow each other in order."""
        return self.seed % TOTAL_ORDER_EVERY == TOTAL_ORDER_EVERY // 2 and self.partitions > 1

    @property
    def writes_side_files(self) -> bool:
        """Tell whether map attempts of the first job write files beside their runs."""
        return self.seed % SIDE_FILES_EVERY == SIDE_FILES_EVERY // 2 and self.partitions > 0

    @property
    def skips_bad_records(self) -> bool:
        """Tell whether the line at which user code raises does not fail the first job."""
        return self.poisoned_line >= 0 and self.seed % 2 == 1

    @property
    def has_deadly_record(self) -> bool:
        """Tell whether user code ends its process, instead of raising, at the line that it cannot digest."""
        return self.poisoned_line >= 0 and self.seed % 4 >= 2

    @property
    def is_flaky(self) -> bool:
        """Tell whether user code of the first job raises for a while, but not as often as fails it."""
        return self.seed % FLAKY_EVERY == FLAKY_EVERY // 2 and self.poisoned_line < 0

    @property
    def is_chancy(self) -> bool:
        """Tell whether user code of the first job gives something else each time."""
        is_turn = self.seed % CHANCY_EVERY == CHANCY_EVERY // 2
        return is_turn and self.partitions > 0 and self.poisoned_line < 0 and not self.is_in_total_order

    @property
    def client_patience_s(self) -> float:
        """Tell how long the first job goes on if no client watches it; 0 is for ever."""
        return DEPENDENT_PATIENCE_S if self.seed % DEPENDENT_EVERY == DEPENDENT_EVERY // 2 else 0.0

    @property
    def over_s(self) -> float:
        """When the clients of the store stop."""
        return self.trouble_s + 1.0

    @property
    def has_registers(self) -> bool:
        """Tell whether there is a client of strict quorums: only where all peers mean the same primaries for ever."""
        return self.wants_registers and self.is_static

    @property
    def is_static(self) -> bool:
        """Tell whether the members and their disks are the same from beginning to end."""
        changes = (planned.fault for planned in self.faults)
        is_kept = not any(
            isinstance(fault, Leave | Remove | Spoil) or (isinstance(fault, Restart) and (fault.empty or fault.old))
            for fault in changes
        )
        return is_kept and not self.latecomers

    @property
    def keeps_disks(self) -> bool:
        """Tell whether every peer has its own disk from beginning to end, with all that it has written."""
        return self.is_static and not any(isinstance(planned.fault, Swap) for planned in self.faults)

    @property
    def keeps_hints(self) -> bool:
        """Tell whether every disk takes hints from beginning to end, and every member stays one."""
        return self.keeps_disks and not any(isinstance(planned.fault, SetDisk) for planned in self.faults)


def plan_of(seed: int, peers: int = 5, splits: int = 12) -> Plan:
    """Draw a plan; equal seeds give equal plans."""
    rng = random.Random(seed)
    kill_at = rng.uniform(1.5, 12.0) if rng.random() < 0.1 else None
    names = names_of(peers)
    faults = draw(rng, names, 0.5, TROUBLE_S, down_for_good=min(rng.choice([0, 1, 2]), (peers - 1) // 2))
    is_input_stored = rng.random() < 0.3
    plan = Plan(
        seed=seed,
        peers=peers,
        splits=splits,
        partitions=rng.choice([0, 1, 2, 2, 3]),
        task_s=rng.choice([0.05, 0.3, 1.5]),
        disk_s=rng.choice([0.0001, 0.0005, 0.03]),
        output=rng.choice(["out", "ring:/out"]),
        is_input_stored=is_input_stored,
        kill_at=kill_at,
        poisoned_line=rng.randrange(60) if rng.random() < 0.07 else -1,
        faults=tuple(faults),
        jobs=(3 if seed % THREE_JOBS_EVERY == 0 else 2) if rng.random() < 0.08 else 1,
        vanishes_at=rng.uniform(1.5, 6.0) if is_input_stored and rng.random() < 0.4 else None,
        wants_registers=rng.random() < 0.2,
        retention_s=4.0 if rng.random() < 0.1 else RETENTION_S,
    )
    if seed % SHORT_TASKS_EVERY == SHORT_TASKS_EVERY - 1:
        plan = replace(plan, splits=4 * splits, task_s=SHORT_TASK_S)
    if plan.client_patience_s:
        vanishes_at = rng.uniform(2.0, 12.0) if seed % 2 else None
        task_s = DEPENDENT_TASK_S[seed % 2]
        plan = replace(plan, splits=splits, task_s=task_s, jobs=1, kill_at=None, vanishes_at=vanishes_at)
    if seed % MOVES_EVERY == MOVES_EVERY - 1:
        return _with_moves_only(plan, rng)
    if seed % FOUNDED_BY_THREE_EVERY == FOUNDED_BY_THREE_EVERY - 1 and peers > FOUNDERS:
        coming = {name: rng.uniform(*JOINING_S) for name in names[FOUNDERS:]}
        return _with_latecomers(replace(plan, peers=FOUNDERS), coming)
    if rng.random() >= LATECOMER_SHARE:
        return plan
    comes_at, is_further = rng.uniform(1.0, TROUBLE_S), rng.random() < 0.5
    return _with_latecomer(plan if is_further else replace(plan, peers=peers - 1), comes_at)


def _with_moves_only(plan: Plan, rng: random.Random) -> Plan:
    """Let peers join and leave, several at once, and nothing else happen."""
    names = names_of(plan.peers + NEWCOMERS)
    joins = [Planned(rng.uniform(4.0, TROUBLE_S - 4.0), Restart(peer=late), LATECOMER) for late in names[plan.peers :]]
    leavers = rng.sample(names[: plan.peers], NEWCOMERS)
    leaves = [Planned(rng.uniform(4.0, TROUBLE_S - 4.0), Leave(peer=leaver), LATECOMER) for leaver in leavers]
    faults = sorted([Planned(0.0, CLEAR), *joins, *leaves], key=lambda planned: planned.at)
    return replace(plan, faults=tuple(faults), latecomers=frozenset(names[plan.peers :]), has_moves_only=True)


def _with_latecomer(plan: Plan, comes_at: float) -> Plan:
    """Let one more peer join while the schedule is under way."""
    return _with_latecomers(plan, {names_of(plan.peers + 1)[-1]: comes_at})


def _with_latecomers(plan: Plan, coming: dict[str, float]) -> Plan:
    """Let peers join at their times."""
    joins = [Planned(comes_at, Restart(peer=late), LATECOMER) for late, comes_at in coming.items()]
    faults = sorted([*plan.faults, *joins], key=lambda planned: planned.at)
    return replace(plan, latecomers=frozenset(coming), faults=tuple(faults))
