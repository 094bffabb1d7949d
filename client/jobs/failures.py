"""Say how a job ended other than well: the user's own error, in the user's terms."""

from ...ring.errors import MurmurationError, WorldError
from ...scheduling.jobs import UserError


class UserCodeError(Exception):
    """The exception that user code raised in an executor: its type name, its message and its traceback as text."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.traceback.rstrip() or f"{error.kind}: {error.message}")
        self.kind = error.kind
        self.message = error.message
        self.traceback = error.traceback


class JobFailed(MurmurationError):
    """The job's own code or data made it fail; the cause is a `UserCodeError`."""

    def __init__(self, job: str, name: str, error: UserError, split: int) -> None:
        super().__init__("\n".join(failure_lines(job, name, error, split)))
        self.job = job
        self.error = error
        self.split = split


class JobKilled(MurmurationError):
    """Somebody killed the job."""


class WaitTimedOut(WorldError, TimeoutError):
    """The job goes on, but longer than one wanted to wait."""


def failure_lines(job: str, name: str, error: UserError, split: int) -> list[str]:
    """Tell in lines what failed, where in the input, with which traceback, and what may help."""
    lines = [f"job {name} ({job}) failed: {error.kind}: {error.message}".rstrip(": ")]
    where = _place(error, split)
    if where:
        lines.append(f"  at {where}")
    if error.record:
        lines.append(f"  record: {error.record}")
    lines += [f"  {line}" for line in error.traceback.rstrip().splitlines()]
    if error.hint:
        lines.append(f"  hint: {error.hint}")
    return lines


def _place(error: UserError, split: int) -> str:
    words = []
    if error.file:
        words.append(f"{error.file}:{error.line}" if error.line else error.file)
    if split >= 0:
        words.append(f"task {split}")
    return ", ".join(words)
