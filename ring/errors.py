"""Draw the tree of errors by who is at fault; the command line turns each branch into its exit code.

    MurmurationError
    ├── CallerError        the user or the calling program asked for something wrong       exit 2
    ├── RemoteError        another process said what it may not say                        exit 1
    ├── WorldError         a disk, a network or a machine fails us                         exit 1
    │   ├── Unreachable    no peer answers                                                 exit 3
    │   ├── Unknown        whether a write took effect cannot be told                      exit 5
    │   └── Corrupt        a stored copy is damaged, and must be mended from another       exit 1
    ├── Conflict           a conditional put came too late: another value is there         exit 6
    └── InvariantBroken    we are at fault: the process stops rather than go on            exit 1

Every message is one line that names the thing and the way out.
"""


class MurmurationError(Exception):
    """Root of all errors that this package raises on purpose."""


class CallerError(MurmurationError):
    """The caller asked for something that cannot be done as asked."""


class RemoteError(MurmurationError):
    """Another process broke the protocol."""


class WorldError(MurmurationError):
    """Something outside the program failed: a disk, a port, a process."""


class Unreachable(WorldError):
    """No peer answers at any known address."""


class Unknown(WorldError):
    """Too few copies of a write were acknowledged in time: it may take effect all the same, or not."""


class Corrupt(WorldError):
    """A stored copy does not match its checksum: it is there, but may be neither served nor taken for absent."""


class Conflict(MurmurationError):
    """A conditional put was not written; `values` and `context` are what the key holds in its place."""

    def __init__(self, message: str, values: tuple[bytes, ...], context: dict[str, int]) -> None:
        super().__init__(message)
        self.values = values
        self.context = context


class InvariantBroken(MurmurationError):
    """A rule that must always hold does not; the message ends with the story of what led here."""
