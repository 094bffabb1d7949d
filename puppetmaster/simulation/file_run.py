"""Run the client of files as a workload, and have random peers collect what nobody names, from beginning to end."""

import random
from itertools import count

from ...node.wire.replies import ChunksCollected, Refused
from ...node.wire.requests import CollectChunks
from .check_files import GivenUp, can_collect, idle_chunks, lost_chunks
from .cluster import Cluster
from .file_workload import FileWorkload
from .workload import Workload

BEGINS_S = 1.2
STEP_EVERY_S = 0.4
GRACE_S = 4.0
"""Of running: far below that of real peers, so that it bites."""
COLLECT_EVERY_S = 0.25
CALM_S = 15.0
PATIENCE_S = 2.0


class FileRun(Workload):
    """The files' client until `over_s`, passes for what is unnamed until the end, and what was promised of both."""

    def __init__(
        self, cluster: Cluster, rng: random.Random, over_s: float, *, keeps_disks: bool, ends_jobs: bool
    ) -> None:
        """Take the cluster; only where it `keeps_disks` may nothing be lost, and where it `ends_jobs` must all go."""
        self._cluster = cluster
        self._rng = rng
        self._over_s = over_s
        self._keeps_disks = keeps_disks
        self._ends_jobs = ends_jobs
        self._client = FileWorkload(cluster, rng)
        self._given_up = GivenUp(cluster, self._client)
        self._passes = count()
        self._calm_until: float | None = None
        self._asked: set[str] = set()

    def begin(self) -> None:
        """Have the client step now and then, and peers collect."""
        self._cluster.repeat(self._step, BEGINS_S, STEP_EVERY_S, until=lambda: False)
        self._cluster.repeat(self._collect, BEGINS_S, COLLECT_EVERY_S, until=lambda: False)

    def look(self) -> None:
        """Watch that no copy is given up that somebody needs."""
        if self._keeps_disks:
            self._given_up.look()

    @property
    def ended(self) -> bool:
        """Tell whether its time is over."""
        return self._cluster.timeline.now > self._over_s

    @property
    def settled(self) -> bool:
        """Tell whether all is gone that nobody names, where it can be told."""
        if not (self._ends_jobs and can_collect(self._cluster)):
            return True
        is_calm_over = self._calm_until is not None and self._cluster.timeline.now > self._calm_until
        return is_calm_over and not any(idle_chunks(self._cluster, self._client))

    def judge_at_rest(self) -> list[str]:
        """Check G1, and G3 where it can be told what is named."""
        violations = list(lost_chunks(self._cluster, self._client)) if self._keeps_disks else []
        if self._ends_jobs and can_collect(self._cluster):
            violations += idle_chunks(self._cluster, self._client)
        return violations

    def _step(self) -> None:
        """Go on as long as there is trouble; and for a while after it, for while a member is away nothing goes."""
        now = self._cluster.timeline.now
        if self.ended and self._calm_until is None and can_collect(self._cluster):
            self._calm_until = now + CALM_S
        if not self.ended or (self._calm_until is not None and now < self._calm_until):
            self._client.step()
        else:
            self._client.go_on()

    def _collect(self) -> None:
        """Have some peer collect."""
        self._ask(self._rng.choice(sorted(self._cluster.disks)))

    def _ask(self, name: str) -> None:
        for request in sorted(self._asked & self._cluster.replies.keys()):
            self._asked.discard(request)
            self._note(self._cluster.replies.pop(request))
        collect = CollectChunks(name=f"pass-{next(self._passes)}", grace_s=GRACE_S, patience_s=PATIENCE_S)
        self._asked.add(self._cluster.ask(name, collect))

    def _note(self, reply: object) -> None:
        witness = self._cluster.witness
        if isinstance(reply, Refused):
            witness.note("collection refused")
        elif isinstance(reply, ChunksCollected) and reply.held:
            witness.note("chunk held for a job")
