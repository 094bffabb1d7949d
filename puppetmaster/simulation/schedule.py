"""Play one schedule from beginning to end: a cluster, a job, some keys, some trouble, and the verdict."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from ...node.machine import NodeSettings
from ...ring.collecting.settings import CollectSettings
from ...ring.entropy.settings import EntropySettings
from ...ring.errors import InvariantBroken
from ...ring.settings import RingSettings
from ...scheduling.settings import SchedulingSettings
from ..faults import DiskState, Restart, SetDisk
from .check_hints import Hinted
from .check_hygiene import SLACK_S, hygiene_violations
from .check_members import Views, convergence_s, member_violations
from .cluster import CHECK_EVERY, Cluster, names_of
from .history import History
from .injuries import inject
from .job_run import JobRun
from .job_watches import RedoneWork
from .plan import Plan, plan_of
from .times import Pace
from .workloads import cast

ENTROPY = EntropySettings(exchange_s=2.0, hurry_s=0.5, second_look_s=0.5, tombstone_grace_s=10.0, settle_s=10.0)
"""Days go by in seconds here: no request of a schedule lives for so long."""
COLLECT = CollectSettings(
    interval_s=1e6, tick_s=1e6, settle_s=1e6, leap_s=1.0, patience_s=0.5, silence_s=3.0, note_s=8.0
)
"""Peers collect when a client says so, and hardly believe a clock that was set."""
SETTINGS = NodeSettings(ring=RingSettings(vnodes=64, entropy=ENTROPY, collect=COLLECT), scheduling=SchedulingSettings())
HANDFUL_S = 1.0
"""Handfuls hold more work than those of real peers, for simulated tasks take longer than the shortest real ones."""
LOOK_EVERY_S = 0.25
PATIENCE_S = 60.0
"""J3: a job that has not ended so long after the last fault never will; the slowest of 1,000 seeds took 15 s."""
SETTLE_S = 60.0

CHECKERS: tuple[Callable[[Cluster], Iterable[str]], ...] = (member_violations, hygiene_violations)
"""What is judged of a cluster at rest, beside what each workload judges of itself; a further checker is one more."""


class Watch(Protocol):
    """Looks for broken promises between two events; a further one goes into the schedule's `watches`."""

    def look(self) -> None:
        """Look, and accuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a schedule."""

    seed: int
    violations: tuple[str, ...]
    trace: str
    events: int
    simulated_s: float
    faults: tuple[str, ...]
    reached: frozenset[str]
    """The rare states that it reached."""
    ended_s: float
    """How long after the last fault the job ended; negative if before."""
    agreed_s: float
    """How long after all peers were back their views agreed."""


def play(seed: int, peers: int = 5) -> Verdict:
    """Play a seed; equal seeds give equal traces."""
    return perform(plan_of(seed, peers))


def perform(plan: Plan, history: History | None = None, check_every: int = CHECK_EVERY) -> Verdict:
    """Play a plan, with a history and more checks if wanted; neither changes what happens."""
    return Schedule(plan, history, check_every).verdict()


class Schedule:
    """A plan on its stage."""

    def __init__(self, plan: Plan, history: History | None = None, check_every: int = CHECK_EVERY) -> None:
        """Set the stage."""
        rng = random.Random(plan.seed + 1)
        self.plan = plan
        pace = Pace(task_s=plan.task_s, disk_s=plan.disk_s)
        names = names_of(plan.peers + len(plan.latecomers))
        scheduling = replace(SETTINGS.scheduling, retention_s=plan.retention_s, handful_s=HANDFUL_S)
        settings = replace(SETTINGS, scheduling=scheduling)
        self.cluster = Cluster(names, settings, rng.getrandbits(48), pace, history, check_every)
        if plan.has_moves_only:  # who stops before its leave is done is lost like one that dies
            self.cluster.leave_patience_s = PATIENCE_S
        self.workloads = cast(plan, self.cluster, rng)
        self.watches: list[Watch] = [Views(self.cluster), RedoneWork(self.cluster), *self.workloads]
        if plan.keeps_hints:
            self.watches.append(Hinted(self.cluster))
        self.agreed_s = 0.0

    def verdict(self) -> Verdict:
        """Play it through, and judge."""
        try:
            violations = self._play()
        except InvariantBroken as broken:
            violations = [f"check: {broken}"]
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            violations = [f"X4: a machine ended by {type(error).__name__}: {error}"]
        cluster = self.cluster
        for workload in self.workloads:
            workload.note_end()
        if cluster.network.doubled:
            cluster.witness.note("message doubled")
        ends = [workload.client.ended_at for workload in self.workloads if isinstance(workload, JobRun)]
        return Verdict(
            seed=self.plan.seed,
            violations=(*cluster.witness.violations, *violations),
            trace=cluster.story.hash.hexdigest(),
            events=cluster.story.events,
            simulated_s=cluster.timeline.now,
            faults=tuple(cluster.story.faults),
            reached=frozenset(cluster.witness.reached),
            ended_s=max(ends) - self.plan.trouble_s,
            agreed_s=self.agreed_s,
        )

    def _play(self) -> list[str]:
        cluster, plan = self.cluster, self.plan
        cluster.start(but=plan.latecomers)
        for planned in plan.faults:
            cluster.at(planned.at, partial(inject, cluster, planned.fault))
        for workload in self.workloads:
            workload.begin()
        cluster.repeat(self._look, 0.0, LOOK_EVERY_S, until=lambda: False)
        cluster.run_until(lambda: all(workload.ended for workload in self.workloads), plan.trouble_s + PATIENCE_S)
        violations = [violation for workload in self.workloads for violation in workload.judge()]
        return [*violations, *self._quiesce()]

    def _look(self) -> None:
        for watch in self.watches:
            watch.look()

    def _quiesce(self) -> list[str]:
        """Bring every disk back, let the copies settle, and judge what is left."""
        cluster = self.cluster
        for name in cluster.disks:
            inject(cluster, SetDisk(peer=name, state=DiskState.OK))
            inject(cluster, Restart(peer=name))
        back = cluster.timeline.now
        bound_s = convergence_s(self.plan.peers)
        if not cluster.run_until(cluster.agreed, back + bound_s):
            return [f"M2: views have not converged {bound_s:g} s after the last fault"]
        self.agreed_s = cluster.timeline.now - back
        if not cluster.run_until(cluster.at_rest, cluster.timeline.now + SETTLE_S):
            return [f"M7: who joins or leaves has not ended that {SETTLE_S:g} s after all are back"]
        self._settle()
        violations = [violation for workload in self.workloads for violation in workload.judge_at_rest()]
        return [*violations, *(violation for check in CHECKERS for violation in check(cluster))]

    def _settle(self) -> None:
        """Let time pass until nothing is on its way, and until what short retention gives back is given back."""
        quiet = self.cluster.timeline.now
        least_s = self.plan.retention_s + SLACK_S if self.plan.retention_s < SETTLE_S / 2 else 1.0
        for second in range(1, int(SETTLE_S)):
            self.cluster.run_until(lambda: False, quiet + second)
            if second >= least_s and all(workload.settled for workload in self.workloads):
                return
