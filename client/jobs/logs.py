"""Gather what a job's user code has printed from the peers where it ran."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...node.wire.logs import AttemptLogEntry, ListLogs, LogRead, LogsListed, ReadLog
from ...node.wire.replies import PeersShown
from ...node.wire.requests import ListPeers
from ...ring.errors import Unreachable
from ...ring.facts import Liveness, Standing
from ...ring.terms import Member
from ...scheduling.jobs import Phase
from ..connection import Connection

PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class PrintedLog:
    """What one attempt has printed, at the peer where it ran."""

    job: str
    peer: Member
    entry: AttemptLogEntry

    @property
    def split(self) -> int | None:
        """The split that the attempt was at; None where it was at a partition."""
        return self.entry.task if self.entry.phase is Phase.MAP else None

    @property
    def partition(self) -> int | None:
        """The partition that the attempt was at; None where it was at a split."""
        return self.entry.task if self.entry.phase is Phase.REDUCE else None

    @property
    def text(self) -> str:
        """All of it; raises as `pieces`."""
        return b"".join(self.pieces()).decode("utf-8", "replace")

    def pieces(self) -> Iterator[bytes]:
        """Read it piece by piece.

        Raises:
            Unreachable: the peer does not answer any more.
            CallerError: the log has been cleared away.
        """
        entry, offset = self.entry, 0
        with Connection((self.peer.url,), patience_s=PATIENCE_S) as connection:
            while content := connection.ask(
                ReadLog(job=self.job, phase=entry.phase, task=entry.task, attempt=entry.attempt, offset=offset), LogRead
            ).content:
                yield content
                offset += len(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsFound:
    """The logs of a job, by their tasks; the members that are `silent` may have more."""

    logs: tuple[PrintedLog, ...]
    silent: tuple[str, ...]


def find_logs(connection: Connection, job: str) -> LogsFound:
    """Ask all members which attempts of a job have printed something."""
    found: list[PrintedLog] = []
    silent: list[str] = []
    for view in connection.ask(ListPeers(), PeersShown).peers:
        if view.standing is Standing.REMOVED:
            continue
        told = _logs_at(view.member, job) if view.liveness is Liveness.ALIVE else None
        if told is None:
            silent.append(view.member.name)
        else:
            found += told
    found.sort(key=lambda log: (log.entry.phase, log.entry.task, log.entry.written_at, log.entry.attempt))
    return LogsFound(logs=tuple(found), silent=tuple(sorted(silent)))


def _logs_at(member: Member, job: str) -> list[PrintedLog] | None:
    try:
        with Connection((member.url,), patience_s=PATIENCE_S) as connection:
            return [PrintedLog(job, member, entry) for entry in connection.ask(ListLogs(job=job), LogsListed).entries]
    except Unreachable:
        return None
