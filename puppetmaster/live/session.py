"""Set up all that scripts are played on, for scripts that are played one after another against the same peers."""

import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, TracebackType
from typing import Any, Self

from ...client.cluster import log_of
from ...ring.errors import MurmurationError, WorldError
from ..language.places import Place
from ..masters.director import Director
from ..masters.master import Master
from ..masters.remote import RemoteMaster
from .figures import job_figures
from .journal import Journal
from .library import Library
from .player import Player
from .stage import Stage

LOGS = "logs"
"""The folder beside the events in which the peers' last words are kept where something did not hold."""

KNOCK_S = 0.3
"""Time for a connection on this machine; nobody listens at most addresses of puppet masters in scripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Where a session reads and writes; `workers` are the slots of each peer."""

    files: Sequence[Path] = ()
    beside: Sequence[Path] = ()
    mappers: Sequence[Path] = ()
    out: Path
    workers: int = 1


class Session:
    """A stage with its player; leaving the block ends all peers."""

    def __init__(self, settings: SessionSettings, say: Callable[[str], None]) -> None:
        """Begin; `say` shows a line to whoever watches."""
        self._directory = TemporaryDirectory(prefix="murmur-puppets-")
        self._director = Director(Path(self._directory.name), settings.workers)
        self._remotes: dict[str, RemoteMaster] = {}
        self._names = frozenset({socket.gethostname().lower(), socket.getfqdn().lower()})
        self.journal = Journal(settings.out, say)
        self.stage = Stage(self._master_at)
        library = Library(settings.files, settings.beside, settings.mappers, settings.out.absolute() / "outputs")
        self.player = Player(self.stage, library, self.journal)

    def finish(self, seconds_without_faults: Mapping[int, float] = MappingProxyType({})) -> dict[str, Any]:
        """Wait for all jobs, and sum the session up as a document, beside the jobs' times without faults if known."""
        player = self.player
        player.await_jobs()
        summary = {
            "ok": not player.problems and not player.failures,
            "seconds": round(self.journal.now_s, 3),
            "jobs": [
                job_figures(one, player.sent_during(one.number), seconds_without_faults.get(one.number))
                for one in player.applications
            ],
            "problems": player.problems,
            "failures": player.failures,
        }
        if not summary["ok"]:
            self.set_down()
        self.journal.note("end", "", **summary)
        return summary

    def set_down(self) -> None:
        """Write down beside the events how everybody and every job stands, and what the peers here have said."""
        try:
            self.player.show_status()
        except MurmurationError as error:
            self.journal.note("problem", f"there is no status: {error}")
        for log in sorted(Path(self._directory.name).glob(f"*/{log_of(Path()).name}")):
            kept = self.journal.directory / LOGS / f"{log.parent.name}.log"
            kept.parent.mkdir(exist_ok=True)
            shutil.copyfile(log, kept)

    def close(self) -> None:
        """End all peers that the session has started, and remove what they kept."""
        self._director.close()
        for remote in self._remotes.values():
            remote.close()
        self.journal.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and not issubclass(kind, KeyboardInterrupt):  # who is impatient need not know why
                self.set_down()
        finally:
            self.close()

    def _master_at(self, place: Place | None) -> Master:
        """Find a puppet master: this process for the addresses of this machine at which no other one listens.

        Raises:
            WorldError: it is on another machine, and does not answer.
        """
        if place is None:
            return self._director
        known = self._remotes.get(place.endpoint)
        if known is not None:
            return known
        here = place.is_here(self._names)
        if not somebody_listens(place):
            if here:
                return self._director
            raise WorldError(f"no puppet master answers at {place}; run `murmur puppet serve` there, or --map-host")
        remote = self._remotes[place.endpoint] = RemoteMaster(place.endpoint)
        return remote


def somebody_listens(place: Place) -> bool:
    """Tell whether anybody takes connections at an address."""
    host = "127.0.0.1" if place.host == "localhost" else place.host
    try:
        socket.create_connection((host, place.port), KNOCK_S).close()
    except OSError:
        return False
    return True
