"""Keep what user code prints: a file for each attempt, of at most 1 MiB, and its last lines for an error message."""

from pathlib import Path

from ..faults.wording import OWN_FRAMES

LOGS = "logs"
LOG_BYTES_MAX = 1 << 20
TAIL_BYTES = 4096
TAIL_LINES = 10


class AttemptLog:
    """Takes output as it comes; the file is made with the first byte."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self._tail = b""

    def append(self, output: bytes) -> None:
        """Keep output while there is room; what comes after is dropped, and this is said at the end of the file.

        From a disk that refuses all is dropped from there on: user code is not to blame, and goes on.
        """
        self._tail = (self._tail + output)[-TAIL_BYTES:]
        room = LOG_BYTES_MAX - self._size
        self._size += len(output)
        if room < 0:
            return
        if len(output) > room:
            output = output[:room] + f"\n[the log is full at {LOG_BYTES_MAX} bytes; the rest is dropped]\n".encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(output)
        except OSError:
            self._size = LOG_BYTES_MAX + 1

    def last_lines(self) -> str:
        """Give the last few lines; what Python says at a crash is shown without our frames."""
        lines = self._tail.decode("utf-8", "replace").strip().splitlines()
        return "\n".join([line for line in lines if not _is_ours(line)][-TAIL_LINES:]).strip()


def _is_ours(line: str) -> bool:
    if line.startswith("Extension modules:"):
        return True
    return line.startswith('  File "') and (OWN_FRAMES in line or '"<frozen runpy>"' in line)


def log_path(directory: Path, job: str, task: str, attempt: str) -> Path:
    """Name the log of an attempt below a peer's directory."""
    return directory / LOGS / job / f"{task}-{attempt}.log"
