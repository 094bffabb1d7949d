"""Watch a job between events: what is done again for no reason (J6), what outlives a kill (J7) or a client (J10)."""

from ...scheduling.claims.table import report_of
from ...scheduling.jobs import Phase
from .cluster import Cluster
from .job_workload import JobWorkload


class RedoneWork:
    """J6 and rare states of attempts: looks at every attempt as it starts, in the process that starts it."""

    TOUCH_S = 8.0
    """Claims reach all peers in touch within this time: it spans several exchanges of whole tables."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: set[str] = set()
        self._done_at: dict[tuple[str, str, int], float] = {}

    def look(self) -> None:
        """Look for attempts that are new since the last look; called after every few events."""
        now = self._cluster.timeline.now
        for mapped in list(self._cluster.witness.mapped_by.values()):
            self._done_at.setdefault((mapped.peer, mapped.job, mapped.split), now)
        for name, process in self._cluster.running.items():
            for title, work in process.attempts.items():
                if title not in self._known:
                    self._known.add(title)
                    self._started(name, work.start.record.id, work.start.phase, work.start.task, now)
                    if work.start.attempt.speculative:
                        self._cluster.witness.note("slow task begun once more")

    def _started(self, name: str, job: str, phase: Phase, task: int, now: float) -> None:
        cluster = self._cluster
        rivals = (
            (work.start.record.id, work.start.phase, work.start.task)
            for other, process in cluster.running.items()
            if other != name
            for work in process.attempts.values()
        )
        if (job, phase, task) in rivals:
            cluster.witness.note("duplicate claims")
        jobs = cluster.running[name].node.scheduling.jobs
        live = sum(each.live for each in jobs.values())
        if live > 1:
            cluster.witness.note("two jobs at once" if live == 2 else "three jobs at once")
        replica = jobs[job]
        if phase is Phase.MAP and replica.seal is not None:
            cluster.witness.note("run made again")
        if phase is Phase.MAP and self._is_done_in_touch(name, job, task, now):
            cluster.witness.accuse(f"J6: {name} does split {task} again, which is done within its reach")

    def _is_done_in_touch(self, name: str, job: str, task: int, now: float) -> bool:
        """Tell whether a peer that has been in touch for long has the run, and has not lost it."""
        cluster = self._cluster
        if not cluster.network.calm or now - cluster.story.changed_at < self.TOUCH_S:
            return False
        for attempt, mapped in cluster.witness.mapped_by.items():
            process = cluster.running.get(mapped.peer)
            if (mapped.job, mapped.split) != (job, task) or process is None or process.start != mapped.start:
                continue
            if now - self._done_at[mapped.peer, job, task] < self.TOUCH_S or process.frozen or mapped.peer == name:
                continue
            replica = process.node.scheduling.jobs.get(job)
            if replica is not None and report_of(replica.table.account(Phase.MAP, task, attempt)) is not None:
                return True
        return False


class KillWatch:
    """J7: looks whether anything of the job runs some time after its kill was acknowledged."""

    BOUND_S = 2.0

    def __init__(self, cluster: Cluster, workload: JobWorkload) -> None:
        self._cluster = cluster
        self._workload = workload

    def look(self) -> None:
        """Accuse peers that were in touch since the kill and still run user code of the job."""
        killed_at = self._workload.killed_at
        cluster, now = self._cluster, self._cluster.timeline.now
        if killed_at is None or not cluster.network.calm:
            return
        if now < max(killed_at, cluster.story.changed_at) + self.BOUND_S:
            return
        job = self._workload.record.id
        for name in cluster.live():
            works = cluster.running[name].attempts.values()
            if any(work.start.record.id == job for work in works) and cluster.agreed():
                cluster.witness.accuse(f"J7: {name} still runs user code {now - killed_at:.1f} s after the kill")


class ClientWatch:
    """J10: looks whether a job that is not to outlive its client still lives some time after that has vanished."""

    BOUND_S = 8.0

    def __init__(self, cluster: Cluster, workload: JobWorkload) -> None:
        self._cluster = cluster
        self._workload = workload
        self._gone_at: float | None = None

    def look(self) -> None:
        """Accuse a job that goes on although those in touch are enough to end it."""
        cluster, now = self._cluster, self._cluster.timeline.now
        record = self._workload.record
        if not record.spec.client_patience_s or now >= self._workload.came_back_at:
            self._gone_at = None
            return
        self._gone_at = now if self._gone_at is None else self._gone_at
        quiet_since = max(self._gone_at, cluster.story.changed_at) + record.spec.client_patience_s
        if not cluster.network.calm or now < quiet_since + self.BOUND_S or not cluster.agreed():
            return
        replicas = (cluster.running[name].node.scheduling.jobs.get(record.id) for name in cluster.live())
        if self._workload.is_decidable and any(job is not None and job.live for job in replicas):
            cluster.witness.accuse(f"J10: the job goes on {now - self._gone_at:.1f} s after its client has vanished")
