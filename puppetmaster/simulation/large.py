"""Play one schedule of many peers and splits, and measure what it took: time, memory and messages."""

import random
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...scheduling.jobs import JobState, Phase
from ...scheduling.replica.job import Job
from .cluster import CHECK_EVERY, Cluster, names_of
from .nemesis import draw
from .plan import TROUBLE_S, Plan
from .schedule import Schedule, Verdict

LINES_PER_SPLIT = 2
PEERS_PER_PARTITION = 10
TASK_S = 1.5
MINORITY_DOWN = 2
"""Peers that never come back where there are faults: no more than an electorate of five can spare."""
CHECK_EVERY_LARGE = 8 * CHECK_EVERY
"""The more a machine knows, the longer it takes to assert what it knows; and with many peers there are many looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a schedule is."""

    simulated_s: float
    splits_done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What became of a large schedule, and what it took."""

    peers: int
    splits: int
    faults: int
    verdict: Verdict
    state: JobState | None
    """How the job ended; None if it has not, which is a violation."""
    seconds: float
    cpu_s: float
    memory_mib: float
    """The most that this Python process has ever used, in mebibytes."""
    messages: int
    claim_messages: int
    attempts: int
    duplicates: int

    @property
    def is_right(self) -> bool:
        """Tell whether the job was done with the output that a sequential run gives, and no promise was broken."""
        return self.state is JobState.DONE and not self.verdict.violations


class Gauge:
    """A watch that reads how far the job is, from whichever replica knows most."""

    def __init__(self, cluster: Cluster, show: Callable[[Progress], None]) -> None:
        self._cluster = cluster
        self._show = show
        self.attempts = 0
        self.duplicates = 0
        self.splits_done = 0
        self.state: JobState | None = None

    @property
    def messages(self) -> int:
        """Count the messages that were sent so far, those of clients and those that got lost included."""
        return self._cluster.network.sent

    @property
    def claim_messages(self) -> int:
        """Count those of them that carried claims."""
        return self._cluster.witness.claim_messages

    def look(self) -> None:
        """Read the replicas between two events, and show what they say."""
        for process in self._cluster.running.values():
            for job in process.node.scheduling.jobs.values():
                self._read(job)
        self._show(Progress(simulated_s=self._cluster.timeline.now, splits_done=self.splits_done))

    def _read(self, job: Job) -> None:
        if job.ending is not None:
            self.state = job.ending.state
        self.splits_done = max(self.splits_done, len(job.boards[Phase.MAP].results))
        self.attempts = max(self.attempts, job.table.attempts)
        self.duplicates = max(self.duplicates, sum(board.waste.duplicates for board in job.boards.values()))


def large_plan(seed: int, peers: int, splits: int, *, has_faults: bool) -> Plan:
    """Plan a job of many short splits among many peers, with the usual faults or none."""
    rng = random.Random(seed)
    faults = draw(rng, names_of(peers), 0.5, TROUBLE_S, down_for_good=min(MINORITY_DOWN, (peers - 1) // 2))
    return Plan(
        seed=seed,
        peers=peers,
        splits=splits,
        partitions=max(2, peers // PEERS_PER_PARTITION),
        lines=LINES_PER_SPLIT * splits,
        task_s=TASK_S,
        faults=tuple(faults) if has_faults else (),
        trouble_s=TROUBLE_S if has_faults else 0.0,
    )


def play_large(plan: Plan, show: Callable[[Progress], None] = lambda _: None) -> Measured:
    """Play a plan, and tell what it took; `show` is called now and then with how far it is."""
    begun, begun_cpu = time.monotonic(), time.process_time()
    schedule = Schedule(plan, check_every=CHECK_EVERY_LARGE)
    gauge = Gauge(schedule.cluster, show)
    schedule.watches.append(gauge)
    verdict = schedule.verdict()
    gauge.look()
    return Measured(
        peers=plan.peers,
        splits=plan.splits,
        faults=len(plan.faults),
        verdict=verdict,
        state=gauge.state,
        seconds=time.monotonic() - begun,
        cpu_s=time.process_time() - begun_cpu,
        memory_mib=memory_mib(),
        messages=gauge.messages,
        claim_messages=gauge.claim_messages,
        attempts=gauge.attempts,
        duplicates=gauge.duplicates,
    )


def memory_mib() -> float:
    """Tell the most memory that this process has ever used, in mebibytes."""
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)
