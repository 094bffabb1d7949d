"""Play one seed from beginning to end: a cluster, a job, some keys, some trouble, and the verdict."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ...node.machine import NodeSettings
from ...node.wire.requests import GetKey, KeyGot
from ...ring.machine import RingSettings
from ...scheduling.machine import SchedulingSettings
from ..faults import Restart
from .checkers import job_violations, store_violations
from .cluster import Cluster
from .nemesis import Planned, draw
from .process import Pace
from .workloads import JobWorkload, StoreWorkload, some_job, some_text

TROUBLE_S = 20.0
END_S = 180.0
SETTINGS = NodeSettings(ring=RingSettings(vnodes=64), scheduling=SchedulingSettings())


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a seed."""

    seed: int
    violations: tuple[str, ...]
    trace: str
    events: int
    simulated_s: float
    faults: tuple[str, ...]


def play(seed: int, peers: int = 5, splits: int = 12, partitions: int = 2) -> Verdict:
    """Play a seed; equal seeds give equal traces."""
    rng = random.Random(seed)
    cluster = Cluster(peers, SETTINGS, rng.getrandbits(48), Pace(task_s=rng.choice([0.05, 0.3, 1.5])))
    text = some_text(rng, lines=60)
    cluster.texts["share/0"] = text
    job = JobWorkload(cluster, some_job(rng, text, splits, partitions), random.Random(rng.getrandbits(48)))
    store = StoreWorkload(cluster, random.Random(rng.getrandbits(48)), puts=30)
    plan = draw(rng, sorted(cluster.disks), 0.5, TROUBLE_S, down_for_good=rng.choice([0, 1, 2]))
    cluster.start()
    _set(cluster, job, store, plan)
    cluster.run_until(lambda: job.ended and cluster.timeline.now > TROUBLE_S + 1, END_S)
    job_verdict = job_violations(cluster, job, text)
    return Verdict(
        seed=seed,
        violations=(*job_verdict, *_store_verdict(cluster, store)),
        trace=cluster.story.hash.hexdigest(),
        events=cluster.story.events,
        simulated_s=cluster.timeline.now,
        faults=tuple(cluster.story.faults),
    )


def _set(cluster: Cluster, job: JobWorkload, store: StoreWorkload, plan: list[Planned]) -> None:
    for planned in plan:
        cluster.at(planned.at, partial(cluster.inject, planned.fault))
    _repeat(cluster, job.step, 1.0, 0.05, until=lambda: job.ended)
    _repeat(cluster, store.step, 1.0, 0.3, until=lambda: cluster.timeline.now > TROUBLE_S + 5)


def _repeat(
    cluster: Cluster, action: Callable[[], None], start: float, every_s: float, until: Callable[[], bool]
) -> None:
    def again() -> None:
        if not until():
            action()
            cluster.at(cluster.timeline.now + every_s, again)

    cluster.at(start, again)


def _store_verdict(cluster: Cluster, store: StoreWorkload) -> list[str]:
    """Bring every disk back, let the copies settle, and read every key."""
    for name in cluster.disks:
        cluster.inject(Restart(peer=name))
    settled = cluster.run_until(cluster.agreed, cluster.timeline.now + 120.0)
    if not settled:
        return ["M2: views have not converged 120 s after the last fault"]
    store.step()
    keys = sorted({written.key for written in store.written.values()})
    reader = sorted(cluster.running)[0]
    asked = {cluster.ask(reader, GetKey(key=key)): key for key in keys}
    cluster.run_until(lambda: all(request in cluster.replies for request in asked), cluster.timeline.now + 30.0)
    final: dict[bytes, dict[str, int]] = {}
    values: set[bytes] = set()
    for request, key in asked.items():
        reply = cluster.replies.get(request)
        if not isinstance(reply, KeyGot):
            return [f"S1: {key!r} cannot be read after everything is back: {reply}"]
        final[key] = reply.context
        values |= set(reply.values)
    return store_violations(store, final, values)
