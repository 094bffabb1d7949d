"""A cluster that must stay sound whatever user code and clients do to it, and a word count that shows that it is."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from gated_peers import until

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.failures import JobFailed
from murmuration.client.jobs.job import Job

TEXT = "".join(f"line {number} of {number % 7} and {number % 11}\n" for number in range(60))
WORDS = "def map(number, line):\n    for word in line.split():\n        yield word, 1\n\nreduce = 'sum'\n"

PATIENCE_S = 30.0

MURMUR = (sys.executable, "-c", "from murmuration.client.commands.main import main; main()")
"""The command line, whether or not the package is installed."""


class SoundCluster:
    """Three peers with a client; each job gets files of its own below `folder`."""

    def __init__(self, folder: Path, cluster: LocalCluster, client: Client) -> None:
        self.folder = folder
        self.cluster = cluster
        self.client = client
        self._peers = dict(cluster.processes)
        self._files = 0

    def file(self, content: bytes | str, suffix: str = ".txt") -> str:
        """Write a file and give its path."""
        self._files += 1
        path = self.folder / f"file-{self._files}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def notes(self) -> Path:
        """Give a new directory for what user code wants to leave."""
        self._files += 1
        path = self.folder / f"notes-{self._files}"
        path.mkdir()
        return path

    def submit(self, source: str, content: bytes | str = TEXT, **choices) -> Job:
        """Start a job of this source over this content."""
        return self.client.submit(self.file(source, ".py"), self.file(content), **choices)

    def failure(self, source: str, content: bytes | str = TEXT, **choices) -> JobFailed:
        """Run a job that fails at its first failed attempt, and give what `wait` raises."""
        with pytest.raises(JobFailed) as caught:
            self.submit(source, content, **{"max_attempts": 1, **choices}).wait(PATIENCE_S)
        return caught.value

    def pairs(self, source: str, content: bytes | str = TEXT, **choices) -> dict[str, str]:
        """Run a job to its good end and read its output."""
        return dict(self.submit(source, content, **choices).result(PATIENCE_S))

    def assert_sound(self) -> None:
        """See that no peer process has died, and that an ordinary job gives the right answer."""
        assert set(self.cluster.running()) == set(self._peers)
        assert dict(self.cluster.processes) == self._peers
        counts = self.pairs(WORDS, splits=2, reducers=1)
        assert {word: int(number) for word, number in counts.items()} == Counter(TEXT.split())


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not yet fetched by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def noted(notes: Path, count: int) -> list[int]:
    """Wait until user code has noted so many processes of its own, each as an empty file of that name."""
    until(lambda: len(list(notes.iterdir())) >= count, PATIENCE_S)
    return sorted(int(path.name) for path in notes.iterdir())
