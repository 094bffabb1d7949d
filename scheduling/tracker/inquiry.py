"""Learn what is decided of a job before its tasks are opened: its record alone does not tell whether it has ended.

Whoever finds a job that nobody speaks of, as after the death of all processes, holds no claim of it. If it opened the
tasks at once, all work would be done again, of a job that ended long ago too. So it asks both registers first: what
may have been decided is adopted, and only where the ending is still open may the job be tracked.
"""

from ...ring.terms import PeerId
from ..desk import Desk
from ..effects import Decide
from ..replica.job import Job

REGISTERS = ("end", "map")


class Inquiries:
    """The questions asked about jobs, by job and register, and whether they are answered."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._answered: dict[tuple[str, str], bool] = {}

    def ask(self, job: Job) -> None:
        """Ask what is decided of a job, once."""
        electorate = tuple(PeerId(peer) for peer in job.record.electorate)
        for which in REGISTERS:
            if (job.id, which) not in self._answered:
                self._answered[job.id, which] = False
                self._desk.emit(Decide(job=job.id, which=which, value=None, acceptors=electorate))

    def note(self, job: str, which: str) -> None:
        """Take in that a register was read, or decided."""
        if (job, which) in self._answered:
            self._answered[job, which] = True

    def are_open(self, job: Job) -> bool:
        """Tell whether an answer about a job is still to come."""
        return any(self._answered.get((job.id, which)) is False for which in REGISTERS)

    def are_answered(self, job: Job) -> bool:
        """Tell whether all has been asked and answered."""
        return all(self._answered.get((job.id, which), False) for which in REGISTERS)

    def forget(self, job: str) -> None:
        """Drop what was noted about a job."""
        for which in REGISTERS:
            self._answered.pop((job, which), None)
