"""Run one job as a workload: its client, its text, its watch and its verdict."""

from ...scheduling.jobs import JobState, UserError
from .check_jobs import ending_violations, job_violations
from .cluster import Cluster
from .job_watches import ClientWatch, KillWatch
from .job_workload import JobWorkload
from .user_faults import CHANCY, DIES, FLAKY_ATTEMPTS
from .workload import Workload

BEGINS_S = 1.0
ASK_EVERY_S = 0.05


class JobRun(Workload):
    """A job from its submission to its output; `expected` is the error that user code raises, if it does."""

    def __init__(
        self,
        cluster: Cluster,
        client: JobWorkload,
        text: bytes,
        expected: UserError | None,
        *,
        begins_s: float = BEGINS_S,
    ) -> None:
        self.client = client
        self._cluster = cluster
        self._text = text
        self._expected = expected
        self._begins_s = begins_s
        self._kills = KillWatch(cluster, client)
        self._clients = ClientWatch(cluster, client)

    def begin(self) -> None:
        """Have the client step now and then."""
        self._cluster.repeat(self.client.step, self._begins_s, ASK_EVERY_S, until=lambda: self.client.ended)

    @property
    def ended(self) -> bool:
        """Tell whether the client was told that the job ended."""
        return self.client.ended

    def look(self) -> None:
        """Look whether anything outlives a kill (J7), or a client that it should not outlive (J10)."""
        self._kills.look()
        self._clients.look()

    def judge(self) -> list[str]:
        """Check J1 to J5."""
        return job_violations(self._cluster, self.client, self._text, self._expected)

    def judge_at_rest(self) -> list[str]:
        """Check that all peers know one ending."""
        return ending_violations(self._cluster, self.client)

    def note_end(self) -> None:
        """Count how the job ended."""
        job, witness = self.client, self._cluster.witness
        if not job.ended:
            return
        state, params = job.statuses_ended[0].state, job.record.spec.params
        for rarity, reached in (
            ("job failed", state is JobState.FAILED),
            ("job killed", state is JobState.KILLED),
            ("killed with its client", state is JobState.KILLED and job.kill_at is None),
            ("kill too late", state is JobState.DONE and job.killed_at is not None),
            ("map only", state is JobState.DONE and not job.record.partitions),
            ("ended without its client", job.ended_unseen()),
            ("output by chance", state is JobState.DONE and CHANCY in params),
            ("failed for a while", state is JobState.DONE and witness.flaky[job.record.id] == FLAKY_ATTEMPTS),
            ("process killed by a record", state is not JobState.KILLED and DIES in params),
        ):
            if reached:
                witness.note(rarity)
