"""Know the peers and jobs of a script by the names that it gives them."""

from dataclasses import dataclass, field

from ...scheduling.jobs import JobState
from ..language.fields import NEWEST, TRACKER
from .cluster import Cluster
from .job_workload import JobWorkload


@dataclass(slots=True)
class Submitted:
    """One job of the script, its text, and what was told of it: two halves of a cluster tell two things in turn."""

    workload: JobWorkload
    text: bytes
    begun: float
    told: set[tuple[JobState, str, int]] = field(default_factory=set)


class Cast:
    """The cluster of a script and the jobs that it has submitted, in order."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.jobs: list[Submitted] = []

    def job(self, number: int) -> Submitted:
        """Find a job by its number, or the newest."""
        return self.jobs[-1 if number == NEWEST else number - 1]

    def peer(self, name: str) -> str:
        """Find a peer by its id, or the tracker of the newest job."""
        if name != TRACKER:
            return name
        job = self.job(NEWEST).workload.record.id
        known = [process.node.scheduling.jobs.get(job) for process in self.cluster.running.values()]
        latest = max((replica for replica in known if replica is not None), key=lambda replica: replica.epoch)
        return next(each for each in self.cluster.disks if self.cluster.member(each).id == latest.tracker)
