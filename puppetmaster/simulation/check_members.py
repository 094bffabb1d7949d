"""Decide whether membership kept its promises; the letters are those of the invariants in the documentation.

M1  a crashed peer is dead, M2 and a live one alive, in all live views within a bound after the last fault
M3  no live peer is believed dead while no fault has touched anybody but the dead, and nobody without time to refute
M4  a member that is dead or gone comes back only with a higher incarnation, and no incarnation falls; one that was
    removed never comes back as itself, and no standing gives way to a weaker one
M5  equal views give equal preference lists
M6  no lookup of a peer returns a member of which it knows that it was removed
M7  who joins or leaves is done with that within a bound after the last fault (the schedule sees to that)
M8  no peer takes itself for slow while no more has happened than that one peer has gone
"""

import math
from collections import defaultdict

from ...ring.facts import Liveness, Standing, Update
from ...ring.membership.beliefs import seniority
from ...ring.terms import REFUTATION_BITS, PeerId
from .cluster import Cluster
from .process import Process

REFUTATION_S = 3.0
"""The least time to refute that a look now and then can tell: four periods of one second, and a second to spare."""
SUSPICION_S = 24.0
"""The longest that an unconfirmed suspicion lasts among ten peers or fewer, in seconds."""
PERIODS_PER_HOP = 4.0
AWARENESS_MAX = 2
"""How slow a peer may take itself to be for no reason: a probe that failed alone, and a restart that came between."""
DELAY_MEAN_MAX_S = 0.01
KEYS = (b"key/0", b"key/1", b"job/0", b"x")


def convergence_s(peers: int) -> float:
    """Bound M1 and M2: a suspicion that nobody confirms, then some periods of one second for each hop of the news.

    In 99 schedules views agreed 0.0 s (median), 0.1 s (95 of 100) and 1.4 s (worst) after all were back. A crashed one
    of ten is dead for all after 5.9 s (median) and 8.4 s (nine of ten): see `benchmarks/membership.py`.
    """
    return SUSPICION_S + PERIODS_PER_HOP * math.ceil(math.log2(peers + 1))


class Views:
    """Looks at every peer's view of every member, and compares it with the one before."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: defaultdict[tuple[PeerId, int], dict[PeerId, Update]] = defaultdict(dict)
        self._suspected_at: dict[tuple[PeerId, int], float] = {}
        """When each peer was first seen suspected by anybody, by its incarnation."""
        self._touched = False
        self._ran: set[str] = set()
        self._undisturbed = True

    def look(self) -> None:
        """Check M3, M4 and M8 between two events."""
        cluster = self._cluster
        self._undisturbed = self._undisturbed and self._is_undisturbed()
        self._touched = self._touched or not cluster.network.calm or len(cluster.live()) < len(cluster.running)
        running = {process.id: name for name, process in cluster.running.items()}
        for process in cluster.running.values():
            if process.node.ring.incarnation & ((1 << REFUTATION_BITS) - 1):
                cluster.witness.note("refutation")
            if self._undisturbed and process.node.ring.awareness > AWARENESS_MAX:
                cluster.witness.accuse(f"M8: {process.name} takes itself for slow, and no more than one peer has gone")
            seen = self._seen[process.id, process.serial]
            for peer, update in process.node.ring.members.items():
                old = seen.get(peer)
                seen[peer] = update
                if update is not old:
                    self._compare(process.id, old or update, update)
                    self._compare_standing(process, old or update, update)
                    self._time(update)
                if update.liveness is Liveness.DEAD and peer in running:
                    self._dead(process.name, running[peer], update.incarnation)

    def _is_undisturbed(self) -> bool:
        cluster, network = self._cluster, self._cluster.network
        self._ran.update(cluster.running)
        is_quick = network.calm and not network.links and network.weather.delay_mean_s <= DELAY_MEAN_MAX_S
        processes = cluster.running.values()
        has_steady_peers = not any(process.frozen or process.clock_was_set for process in processes)
        return is_quick and has_steady_peers and len(self._ran - set(cluster.running)) <= 1

    def _compare(self, believer: PeerId, old: Update, new: Update) -> None:
        has_risen = old.liveness >= Liveness.DEAD and new.liveness < Liveness.DEAD
        if new.incarnation < old.incarnation or (has_risen and new.incarnation == old.incarnation):
            self._cluster.witness.accuse(
                f"M4: {believer[:8]} believes {new.member.id[:8]} {(new.incarnation, new.liveness)} "
                f"after {(old.incarnation, old.liveness)}"
            )

    def _time(self, update: Update) -> None:
        """Hold the cluster to the time that a suspect has; a clock that somebody sets may cut it short."""
        now, at = self._cluster.timeline.now, (PeerId(update.member.id), update.incarnation)
        if update.liveness is Liveness.SUSPECT:
            self._suspected_at.setdefault(at, now)
        was_set = any(process.clock_was_set for process in self._cluster.running.values())
        if update.liveness is Liveness.DEAD and now - self._suspected_at.get(at, now) < REFUTATION_S and not was_set:
            self._cluster.witness.accuse(f"M3: {at[0][:8]} is dead as soon as it is suspected")

    def _compare_standing(self, process: Process, old: Update, new: Update) -> None:
        accuse, gone = self._cluster.witness.accuse, PeerId(new.member.id)
        if seniority(new) < seniority(old):
            accuse(f"M4: {process.name} believes {gone[:8]} {new.standing.name} after {old.standing.name}")
        if new.standing is Standing.REMOVED and any(gone in process.node.ring.preference(key) for key in KEYS):
            accuse(f"M6: {process.name} still has {gone[:8]}, which was removed, for a home of keys")

    def _dead(self, believer: str, name: str, incarnation: int) -> None:
        if self._cluster.running[name].start != incarnation >> REFUTATION_BITS:
            return
        self._cluster.witness.note("false death")
        if not self._touched:
            self._cluster.witness.accuse(f"M3: {believer} believes {name} dead, and nothing has touched either")


def member_violations(cluster: Cluster) -> list[str]:
    """Check M5 on views that have converged."""
    lists = {
        tuple(tuple(process.node.ring.preference(key)) for key in KEYS)
        for process in cluster.running.values()
        if not process.frozen
    }
    return ["M5: equal views give different preference lists"] if len(lists) > 1 else []
