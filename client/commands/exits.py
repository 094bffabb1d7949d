"""Name the exit codes that scripts rely on, and find that of an error."""

from typing import Final

from ...ring.errors import CallerError, Conflict, MurmurationError, Unknown, Unreachable

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
UNREACHABLE: Final = 3
KILLED: Final = 4
UNKNOWN: Final = 5
"""A write may have taken effect, or not."""
CONFLICT: Final = 6
"""A conditional put was not written, for something else is there."""
INTERRUPTED: Final = 130
"""As a shell reports a process that Ctrl-C ended: 128 + SIGINT."""
TERMINATED: Final = 143
"""As a shell reports a process that SIGTERM ended: 128 + SIGTERM."""


class Exit(Exception):  # it ends the command, and may well be no error
    """End the command with a code and, if there is a text, one line on stderr."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(text)
        self.code = code


def code_of(error: MurmurationError) -> int:
    """Find the exit code of an error raised on purpose."""
    from ..jobs.failures import JobKilled  # late: it brings the job's terms along, which `--help` can do without

    match error:
        case CallerError():
            return WRONG_USE
        case Unreachable():
            return UNREACHABLE
        case Unknown():
            return UNKNOWN
        case Conflict():
            return CONFLICT
        case JobKilled():
            return KILLED
        case _:
            return FAILED
