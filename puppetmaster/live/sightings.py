"""Ask peers what they see: who is alive, which jobs there are, who tracks them; never waiting long."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...client.connection import Connection
from ...node.wire.replies import JobShown, JobsShown, PeersShown, PeerView
from ...node.wire.requests import ListJobs, ListPeers, WatchJob
from ...ring.errors import MurmurationError, Unreachable
from ...ring.facts import Liveness, Standing
from ...scheduling.status import JobStatus

PATIENCE_S = 1.0
"""A peer that runs answers within milliseconds; one that is cut off or stuck is shown as silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one peer says; `error` in place of an answer if it gave none."""

    peer: str
    members: tuple[PeerView, ...] = ()
    jobs: tuple[JobStatus, ...] = ()
    error: str = ""

    def named(self, state: Liveness) -> list[str]:
        """Name the members in that state."""
        return sorted(view.member.name for view in self.members if view.liveness is state)


def look_through(peer: str, url: str) -> Sighting:
    """Ask one peer for its members and jobs."""
    try:
        with Connection((url,), patience_s=PATIENCE_S) as connection:
            members = connection.ask(ListPeers(), PeersShown).peers
            brief = connection.ask(ListJobs(), JobsShown).statuses
            jobs = [connection.ask(WatchJob(job=job.id, seen=-1, patience_s=0.0), JobShown).status for job in brief]
    except Unreachable:
        return Sighting(peer=peer, error=f"says nothing within {PATIENCE_S:g} s")
    except MurmurationError as error:
        return Sighting(peer=peer, error=str(error))
    return Sighting(peer=peer, members=members, jobs=tuple(job for job in jobs if job is not None))


def look_everywhere(urls: Mapping[str, str]) -> list[Sighting]:
    """Ask all peers that can answer, given their addresses by their ids."""
    return [look_through(peer, url) for peer, url in urls.items()]


def see_members(urls: Mapping[str, str]) -> dict[str, set[str]]:
    """Ask all peers whom they hold for alive; a peer that gives no answer sees nobody."""
    return {peer: {view.member.name for view in alive} for peer, alive in _see_alive(urls).items()}


def see_joined(urls: Mapping[str, str]) -> dict[str, set[str]]:
    """Ask all peers who is alive and has joined, beside themselves; a peer that gives no answer sees nobody.

    Whether it has joined itself, the others know too, and one that is alone has nobody to join.
    """
    return {
        peer: {view.member.name for view in alive if view.standing is not Standing.JOINING or view.member.name == peer}
        for peer, alive in _see_alive(urls).items()
    }


def _see_alive(urls: Mapping[str, str]) -> dict[str, list[PeerView]]:
    seen: dict[str, list[PeerView]] = {}
    for peer, url in urls.items():
        try:
            with Connection((url,), patience_s=PATIENCE_S) as connection:
                shown = connection.ask(ListPeers(), PeersShown).peers
        except MurmurationError:
            shown = ()  # it is busy or has just died: then it sees nobody, as far as anybody knows
        seen[peer] = [view for view in shown if view.liveness is Liveness.ALIVE]
    return seen


def ask_about(job: str, urls: Mapping[str, str]) -> JobStatus | None:
    """Ask for one job at the first peer that answers and knows it."""
    for url in urls.values():
        try:
            with Connection((url,), patience_s=PATIENCE_S) as connection:
                status = connection.ask(WatchJob(job=job, seen=-1, patience_s=0.0), JobShown).status
        except MurmurationError:
            continue  # the next one may know
        if status is not None:
            return status
    return None
