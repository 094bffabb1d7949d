"""Run the client of the store as a workload: it writes and reads as it likes, and S1 to S5 are judged at rest."""

from .check_store import settled, store_violations
from .cluster import Cluster
from .store_workload import StoreWorkload
from .workload import Workload

BEGINS_S = 1.0
STEP_EVERY_S = 0.3


class StoreRun(Workload):
    """The store's client until `over_s`, and what it was promised."""

    def __init__(self, cluster: Cluster, client: StoreWorkload, over_s: float) -> None:
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

    @property
    def settled(self) -> bool:
        """Tell whether all hints are delivered and all primaries agree."""
        return settled(self._cluster, self._client)

    def repair(self) -> None:
        """Have every key repaired by a read."""
        for key in self._client.keys:
            self._client.ask_for(key)

    def judge_at_rest(self) -> list[str]:
        """Check S1 to S5."""
        self._client.take_replies()
        return store_violations(self._cluster, self._client)
