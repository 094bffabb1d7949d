"""Play one schedule from beginning to end: a cluster, a job, some keys, some trouble, and the verdict."""

import random
from dataclasses import dataclass
from functools import partial

from ...node.machine import NodeSettings
from ...ring.errors import InvariantBroken
from ...ring.machine import RingSettings
from ...scheduling.jobs import JobState
from ...scheduling.settings import SchedulingSettings
from ..faults import Crash, DiskState, Restart, SetDisk
from .check_jobs import ending_violations, job_violations
from .check_members import Views, convergence_s, member_violations
from .check_store import settled, store_violations
from .cluster import CHECK_EVERY, Cluster, names_of
from .history import History
from .job_watches import KillWatch, RedoneWork
from .job_workload import SHARE, JobWorkload, some_job, some_text, stored_input
from .plan import Plan, plan_of
from .process import Pace
from .store_workload import StoreWorkload
from .wordcount import poison_error

SETTINGS = NodeSettings(ring=RingSettings(vnodes=64), scheduling=SchedulingSettings())
JOB_BEGINS_S = 1.0
ASK_EVERY_S = 0.05
STORE_EVERY_S = 0.3
LOOK_EVERY_S = 0.25
PATIENCE_S = 60.0
"""J3: a job that has not ended so long after the last fault never will; the slowest of 1,000 seeds took 15 s."""
SETTLE_S = 60.0


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
    return _Schedule(plan, history, check_every).verdict()


class _Schedule:
    """A plan on its stage."""

    def __init__(self, plan: Plan, history: History | None, check_every: int) -> None:
        rng = random.Random(plan.seed + 1)
        self.plan = plan
        pace = Pace(task_s=plan.task_s, disk_s=plan.disk_s)
        self.cluster = Cluster(names_of(plan.peers), SETTINGS, rng.getrandbits(48), pace, history, check_every)
        self.text = some_text(rng, plan.lines, plan.poisoned_line)
        record = some_job(rng, self.text, plan.splits, plan.partitions, plan.output)
        if plan.is_input_stored:
            record = stored_input(self.cluster, record, self.text)
        else:
            self.cluster.texts[SHARE] = self.text
        self.job = JobWorkload(self.cluster, record, random.Random(rng.getrandbits(48)), plan.kill_at)
        self.store = StoreWorkload(self.cluster, random.Random(rng.getrandbits(48)), plan.puts)
        self.watches = (Views(self.cluster), RedoneWork(self.cluster), KillWatch(self.cluster, self.job))
        self.agreed_s = 0.0

    def verdict(self) -> Verdict:
        """Play it through, and judge."""
        try:
            violations = self._play()
        except InvariantBroken as broken:
            violations = [f"check: {broken}"]
        cluster = self.cluster
        self._note_end()
        return Verdict(
            seed=self.plan.seed,
            violations=(*cluster.witness.violations, *violations),
            trace=cluster.story.hash.hexdigest(),
            events=cluster.story.events,
            simulated_s=cluster.timeline.now,
            faults=tuple(cluster.story.faults),
            reached=frozenset(cluster.witness.reached),
            ended_s=self.job.ended_at - self.plan.trouble_s,
            agreed_s=self.agreed_s,
        )

    def _play(self) -> list[str]:
        cluster, plan = self.cluster, self.plan
        cluster.start()
        for planned in plan.faults:
            cluster.at(planned.at, partial(cluster.inject, planned.fault))
        cluster.repeat(self.job.step, JOB_BEGINS_S, ASK_EVERY_S, until=lambda: self.job.ended)
        over = plan.trouble_s + 1
        cluster.repeat(self.store.step, JOB_BEGINS_S, STORE_EVERY_S, until=lambda: cluster.timeline.now > over)
        cluster.repeat(self._look, 0.0, LOOK_EVERY_S, until=lambda: False)
        cluster.run_until(lambda: self.job.ended and cluster.timeline.now > over, plan.trouble_s + PATIENCE_S)
        expected = poison_error(self.text, self.job.record, 0)
        violations = job_violations(cluster, self.job, self.text, expected)
        return [*violations, *self._quiesce()]

    def _look(self) -> None:
        for watch in self.watches:
            watch.look()

    def _quiesce(self) -> list[str]:
        """Bring every disk back, let the copies settle, and judge what is left."""
        cluster, store = self.cluster, self.store
        for name in cluster.disks:
            cluster.inject(SetDisk(peer=name, state=DiskState.OK))
            cluster.inject(Restart(peer=name))
        back = cluster.timeline.now
        bound_s = convergence_s(self.plan.peers)
        if not cluster.run_until(cluster.agreed, back + bound_s):
            return [f"M2: views have not converged {bound_s:g} s after the last fault"]
        self.agreed_s = cluster.timeline.now - back
        if any(isinstance(planned.fault, Crash) for planned in self.plan.faults):
            self._read_all()
        quiet = cluster.timeline.now
        for second in range(1, int(SETTLE_S)):
            cluster.run_until(lambda: False, quiet + second)
            if settled(cluster, store):
                break
        store.take_replies()
        return [*store_violations(cluster, store), *ending_violations(cluster, self.job), *member_violations(cluster)]

    def _read_all(self) -> None:
        """Have every key repaired by a read, for a coordinator that died took its unwritten hints along.

        Where nobody died, hints alone must bring all copies home.
        """
        for key in self.store.keys:
            self.store.ask_for(key)

    def _note_end(self) -> None:
        witness, job = self.cluster.witness, self.job
        if self.cluster.network.doubled:
            witness.note("message doubled")
        if not job.ended:
            return
        state = job.statuses_ended[0].state
        for rarity, reached in (
            ("job failed", state is JobState.FAILED),
            ("job killed", state is JobState.KILLED),
            ("kill too late", state is JobState.DONE and job.killed_at is not None),
            ("map only", state is JobState.DONE and not job.record.partitions),
        ):
            if reached:
                witness.note(rarity)
