"""Provide the parts of `murmur demo`: real text, the kills, and a count that shares no code with the cluster's."""

import signal
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from ..ring.errors import WorldError
from ..ring.facts import Liveness
from ..scheduling.status import JobEvent, JobStatus, TaskState
from .cluster import LocalCluster

TEXT_BYTES_MIN: Final = 24_000_000
TEXT_BYTES_MAX: Final = 40_000_000
"""Enough for a job of several seconds on two cores, and for a put, a job and a check within half a minute."""

KILL_AT: Final = 0.5
"""Share of the splits done when the kills come."""


def collect_text(target: Path) -> int:
    """Concatenate the Python standard library's sources that are UTF-8, over again if they are few; give the bytes.

    Raises:
        WorldError: this Python has no sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    sources = sorted(path for path in root.rglob("*.py") if "site-packages" not in path.parts)
    written = 0
    with target.open("wb") as file:
        while written < TEXT_BYTES_MIN:
            before = written
            for content in _texts(sources):
                if written + len(content) <= TEXT_BYTES_MAX:
                    written += file.write(content)
            if written == before:
                raise WorldError(f"no Python source in {root}: the demo counts their words; install Python in full")
    return written


def _texts(sources: Iterable[Path]) -> Iterator[bytes]:
    for path in sources:
        content = path.read_bytes()
        try:
            content.decode()
        except UnicodeDecodeError:
            continue  # a few test files are broken on purpose, or in another encoding
        yield content if content.endswith(b"\n") or not content else content + b"\n"


def count_sequentially(text: Path) -> Counter[str]:
    """Count the words of a text in one go, in this process."""
    return Counter(text.read_text(encoding="utf-8").split())


def differences(counted: Mapping[str, int], expected: Mapping[str, int]) -> list[str]:
    """List the words whose counts are not equal."""
    return sorted(word for word in counted.keys() | expected.keys() if counted.get(word) != expected.get(word))


@dataclass(slots=True, kw_only=True)
class Saboteur:
    """Passes a job's statuses on, and half-way kills its tracker and the busiest other peer with SIGKILL."""

    cluster: LocalCluster
    killed: list[str] = field(default_factory=list)
    killed_at_s: float = 0.0
    taken_over_after_s: float | None = None
    redone: set[int] = field(default_factory=set)
    """Splits that were done, and then had to be done again: their output died with a peer."""

    def watch(self, statuses: Iterable[JobStatus]) -> Iterator[JobStatus]:
        """Give each status, with the kill among its events where it happened."""
        done: frozenset[int] = frozenset()
        for status in statuses:
            now_done = _done_splits(status)
            if self.killed:
                self.redone |= done - now_done
                self._note_takeover(status)
            done |= now_done
            yield self._kill(status) if self._is_due(status) else status

    def _is_due(self, status: JobStatus) -> bool:
        splits = len(status.map_states)
        return not self.killed and bool(status.tracker) and splits > 0 and len(_done_splits(status)) >= KILL_AT * splits

    def _kill(self, status: JobStatus) -> JobStatus:
        """Kill as many as leave a majority: two of five or more."""
        others = [lane for lane in status.lanes if lane.liveness is Liveness.ALIVE and lane.peer != status.tracker]
        others.sort(key=lambda lane: -lane.tasks_done)
        bearable = (len(self.cluster.processes) - 1) // 2
        victims = [status.tracker, *(lane.peer for lane in others)][: min(2, bearable)]
        for name in victims:
            self.cluster.kill(name, signal.SIGKILL)
        self.killed, self.killed_at_s = victims, status.elapsed_s
        event = JobEvent(at=status.elapsed_s, text=f"SIGKILL to {' and '.join(victims)}, the first of them the tracker")
        return replace(status, events=(*status.events, event))

    def _note_takeover(self, status: JobStatus) -> None:
        if self.taken_over_after_s is None and status.tracker not in self.killed:
            self.taken_over_after_s = max(0.0, status.elapsed_s - self.killed_at_s)


def _done_splits(status: JobStatus) -> frozenset[int]:
    return frozenset(split for split, state in enumerate(status.map_states) if state == TaskState.DONE)
