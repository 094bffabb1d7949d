"""Run the client of strict quorums as a workload: S7 is judged when all its reads are in."""

from .check_registers import register_violations
from .cluster import Cluster
from .register_workload import RegisterWorkload
from .workload import Workload

BEGINS_S = 1.0
STEP_EVERY_S = 0.3


class RegisterRun(Workload):
    """The client of strict quorums until `over_s`, and what it was promised."""

    def __init__(self, cluster: Cluster, client: RegisterWorkload, over_s: float) -> None:
        self._client = client
        self._cluster = cluster
        self._over_s = over_s

    def begin(self) -> None:
        """Have the client step now and then."""
        self._cluster.repeat(self._client.step, BEGINS_S, STEP_EVERY_S, until=lambda: self.ended)

    @property
    def ended(self) -> bool:
        """Tell whether its time is over."""
        return self._cluster.timeline.now > self._over_s

    def judge(self) -> list[str]:
        """Check S7."""
        self._client.take_replies()
        return register_violations(self._cluster.witness, self._client)

    def note_end(self) -> None:
        """Count that strict reads were judged."""
        if self._client.reads:
            self._cluster.witness.note("strict read")
