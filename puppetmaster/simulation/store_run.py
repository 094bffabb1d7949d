"""Run the client of the store as a workload: it writes and reads as it likes, and S1 to S5 are judged at rest."""

from .check_copies import Reachable
from .check_store import settled, store_violations, unreaped
from .cluster import Cluster
from .store_workload import StoreWorkload
from .workload import Workload

BEGINS_S = 1.0
STEP_EVERY_S = 0.3


class StoreRun(Workload):
    """The store's client until `over_s`, and what it was promised."""

    def __init__(
        self,
        cluster: Cluster,
        client: StoreWorkload,
        over_s: float,
        *,
        awaits_reaping: bool = False,
        has_moves_only: bool = False,
    ) -> None:
        self._client = client
        self._cluster = cluster
        self._over_s = over_s
        self._awaits_reaping = awaits_reaping
        self._reachable = Reachable(cluster, client) if has_moves_only else None

    def begin(self) -> None:
        """Have the client step now and then."""
        self._cluster.repeat(self._client.step, BEGINS_S, STEP_EVERY_S, until=lambda: self.ended)

    def look(self) -> None:
        """Watch that no acknowledged write has too few copies, where nothing happens but that peers join and leave."""
        if self._reachable is not None:
            self._reachable.look()

    @property
    def ended(self) -> bool:
        """Tell whether its time is over."""
        return self._cluster.timeline.now > self._over_s

    @property
    def settled(self) -> bool:
        """Tell whether all hints are delivered and all primaries agree."""
        return settled(self._cluster, self._client) and not (self._awaits_reaping and any(unreaped(self._cluster)))

    def judge_at_rest(self) -> list[str]:
        """Check S1 to S5, and S9 where there was time for it."""
        self._client.take_replies()
        violations = store_violations(self._cluster, self._client)
        return [*violations, *(unreaped(self._cluster) if self._awaits_reaping else ())]
